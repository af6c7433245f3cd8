"""How the rated movies were judged, day by day: scores, rules, anomalies and samples of bad rows."""

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectStore
from movie_platform.lake.parquet import read_parquet
from movie_platform.pipelines.quality_movies.day_records import (
    DayRecord,
    bad_key,
    judged_days,
    outcomes_of,
    record_of,
)
from movie_platform.pipelines.quality_movies.history import LakeHistory, history_key, moment_of
from movie_platform.pipelines.quality_movies.tables import DATASET
from movie_platform.quality.anomalies import WINDOW, judge
from movie_platform.quality.presentation import shown
from movie_platform.report.drawings import legend, rule_grid
from movie_platform.report.markup import Markup, cut, joined, note, number, table, tag
from movie_platform.report.section import Section, chart_place, line_chart
from movie_platform.report.sources import Inputs

SCORE_DAYS = 180
GRID_DAYS = 45
ANOMALY_DAYS = 7
GRID_CELLS = 2_500
"""Evaluations that the grid holds at most: with many rules, fewer days."""
RULES_SHOWN = 100
"""Rules in the grid; beyond that, those that fail most."""
BAD_DAYS = 5
BAD_ROWS = 4
STATES = {"served": "passed", "refused": "failed", "late": "could not be computed"}
_CLASS = {"Passed": "served", "Failed": "refused", "Error": "late"}

Outcomes = Mapping[str, Sequence[Mapping[str, Any]]]


def quality_section(inputs: Inputs) -> Section:
    lake = inputs.lake
    days = sorted(judged_days(lake))[-SCORE_DAYS:]
    records = [record for record in inputs.each(lambda day: record_of(lake, day), days) if record]
    if not records:
        return Section("Quality", note("No day of rated movies was judged yet."))
    grid_days = [record.day for record in records][-GRID_DAYS:]
    outcomes = dict(zip(grid_days, inputs.each(lambda day: outcomes_of(lake, day), grid_days), strict=True))
    scores = [
        {"day": r.day, "score": round(r.score, 4), "state": r.state, "good": r.good, "bad": r.bad}
        for r in records
        if r.state != "unreadable"
    ]
    chart = line_chart(scores, "score", title="share of rules passed", named=("state", "good", "bad"))
    chart["encoding"]["y"] |= {"scale": {"domain": [0, 1]}, "axis": {"format": ".0%", "tickCount": 5}}
    body = [
        tag("h3", "Score over days"),
        chart_place("chart-score", "Share of rules passed on each day"),
        _days(records),
        tag("h3", "Rules by day"),
        legend(STATES),
        _grid(outcomes),
        tag("h3", "Rules that fail most"),
        _failing(outcomes),
        tag("h3", "Anomalies"),
        _anomalies(lake, [record for record in records if record.state != "unreadable"][-ANOMALY_DAYS:]),
        tag("h3", "Samples of bad rows"),
        _bad_rows(inputs, records),
    ]
    return Section("Quality", joined(body), {"chart-score": chart})


def _days(records: Sequence[DayRecord]) -> Markup:
    rows = [
        (r.day, r.state, f"{r.passed} of {r.rules}", r.rows, r.good, r.bad, r.withheld, cut(r.reason))
        for r in reversed(records[-14:])
    ]
    return table(("day", "state", "rules passed", "records", "good", "bad", "withheld", "why not loaded"), rows)


def _grid(outcomes: Outcomes) -> Markup:
    failures = _failures(outcomes)
    rules = list(dict.fromkeys(str(o["Rule"]) for day in sorted(outcomes, reverse=True) for o in outcomes[day]))
    if not rules:
        return note("No rule was evaluated.")
    shown_rules = rules
    if len(rules) > RULES_SHOWN:
        shown_rules = sorted(rules, key=lambda rule: -failures[rule])[:RULES_SHOWN]
    cells = {
        (str(o["Rule"]), day): (
            _CLASS.get(str(o.get("Outcome")), "missing"),
            f"{o.get('Outcome')} {o.get('FailureReason') or ''}".strip()[:120],
        )
        for day, found in outcomes.items()
        for o in found
    }
    days = list(outcomes)[-max(1, GRID_CELLS // len(shown_rules)) :]
    return rule_grid(shown_rules, days, cells)


def _failures(outcomes: Outcomes) -> Counter[str]:
    return Counter(str(o["Rule"]) for found in outcomes.values() for o in found if o.get("Outcome") != "Passed")


def _failing(outcomes: Outcomes) -> Markup:
    found = [(day, str(o["Rule"]), str(o.get("Outcome")), o) for day in sorted(outcomes) for o in outcomes[day]]
    passed = Counter(rule for _, rule, outcome, _ in found if outcome == "Passed")
    failed = Counter(rule for _, rule, outcome, _ in found if outcome == "Failed")
    last = {rule: (day, cut(o.get("FailureReason"))) for day, rule, outcome, o in found if outcome == "Failed"}
    rows = [
        (cut(rule, 100), count, passed[rule], len(outcomes) - count - passed[rule], *last[rule])
        for rule, count in failed.most_common(15)
    ]
    return table(("rule", "days failed", "passed", "not computed", "last failed on", "its reason then"), rows)


def _anomalies(lake: ObjectStore, records: Sequence[DayRecord]) -> Markup:
    """Metrics of the newest days that are out of line with the days before."""
    history, rows = LakeHistory(lake), []
    for record in reversed(records):
        measured = read_parquet(lake, history_key(DATASET, record.day), ["metric", "value"])
        at = moment_of(record.day)
        for metric, value in zip(*measured.to_pydict().values(), strict=True) if measured else ():
            verdict = judge(value, at, history.series(DATASET, metric, before=at, last=WINDOW))
            if verdict.anomalous:
                expected = f"{number(verdict.low)} to {number(verdict.high)}"
                rows.append((record.day, metric, number(value), expected, verdict.method))
    about = note(f"Metrics of the newest {len(records)} days, each judged against the days before it.")
    if not rows:
        return joined([about, note("None is out of line.")])
    return joined([about, table(("day", "metric", "measured", "expected", "by"), rows)])


def _bad_rows(inputs: Inputs, records: Sequence[DayRecord]) -> Markup:
    with_bad = [record for record in reversed(records) if record.bad][:BAD_DAYS]
    return joined(_bad_of(inputs.lake, record) for record in with_bad) if with_bad else note("There are none.")


def _bad_of(lake: ObjectStore, record: DayRecord) -> Markup:
    try:
        with lake.open(bad_key(record.day, "jsonl")) as file:
            lines = [json.loads(line) for line in itertools.islice(file, BAD_ROWS)]
    except (ObjectMissing, ValueError):  # the day is being judged anew, or a policy of retention took them away
        return note(f"The bad rows of {record.day} are not there now.")
    rows = []
    for line in lines:
        broken = line.get("DataQualityRulesFail") or []
        values = {name: value for name, value in line.items() if not _is_verdict(name) and value is not None}
        delivered = ", ".join(f"{name}: {shown(value)}" for name, value in values.items())
        rules = tag("ul", *(tag("li", cut(rule, 90)) for rule in broken[:5]))
        rows.append((line.get("source"), line.get("record"), rules, delivered))
    summary = tag("summary", f"{record.day}: {min(BAD_ROWS, record.bad)} of {record.bad:,} bad rows")
    made = table(("file", "record", "rules that it breaks", "as delivered"), rows)
    return tag("details", summary, made)


def _is_verdict(name: str) -> bool:
    return name in ("source", "record") or name.startswith("DataQuality")
