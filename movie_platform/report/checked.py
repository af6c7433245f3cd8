"""One evaluation as a page that a colleague can be sent, and as JUnit XML that a CI system reads."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from movie_platform.errors import PlatformError
from movie_platform.quality import Evaluation, Outcome, explain
from movie_platform.quality.presentation import shown
from movie_platform.report.document import document
from movie_platform.report.markup import Markup, harmless_text, joined, note, number, table, tag
from movie_platform.report.section import Section

EXAMPLES = 5
"""Rows that the page shows of those that break a rule."""


def write_result(evaluation: Evaluation, name: str, *, html: Path | None = None, junit: Path | None = None) -> None:
    """Write the page and the XML where they are asked for; `name` is what was judged, for people to read."""
    written: list[tuple[Path | None, Callable[[], str]]] = [
        (html, lambda: check_page(evaluation, name)),
        (junit, lambda: junit_xml(evaluation, name)),
    ]
    for path, make in written:
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(make(), encoding="utf-8")
        except OSError as error:
            raise PlatformError(f"{path} cannot be written: {error.strerror}. Name another file.") from error


def check_page(evaluation: Evaluation, name: str) -> str:
    """The result on one page: the score, every rule in plain words with its outcome, and rows that break it."""
    at = f"{evaluation.at:%Y-%m-%d %H:%M:%S} UTC"
    sections = [
        Section("Result", _result(evaluation)),
        Section("Rules", _rules(evaluation)),
        Section("Rows that break rules", _examples(evaluation)),
    ]
    if evaluation.observations:
        observed = tag("ul", *(tag("li", observation) for observation in evaluation.observations))
        sections.append(Section("Observations", observed))
    return document(f"Quality of {name}", f"Judged {at} by {len(evaluation.outcomes)} rules.", sections)


def junit_xml(evaluation: Evaluation, name: str) -> str:
    """A test suite of the file with a test case for each rule; what XML cannot hold is spelled out."""
    name = harmless_text(name)
    counts = {
        "tests": str(len(evaluation.outcomes)),
        "failures": str(evaluation.failed),
        "errors": str(evaluation.errors),
        "skipped": "0",
    }
    suites = ElementTree.Element("testsuites", counts)
    at = f"{evaluation.at:%Y-%m-%dT%H:%M:%S}"
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **counts, "time": "0", "timestamp": at})
    properties = ElementTree.SubElement(suite, "properties")
    measured = {
        "score": f"{evaluation.score:.6g}",
        "rows": str(evaluation.row_count),
        "good": str(evaluation.good_count),
        "bad": str(evaluation.bad_count),
    }
    for key, value in measured.items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": value})
    for outcome in evaluation.outcomes:
        _test_case(suite, outcome, name)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _test_case(suite: ElementTree.Element, outcome: Outcome, name: str) -> None:
    named = {"classname": name, "name": harmless_text(outcome.rule.claim), "time": "0"}
    case = ElementTree.SubElement(suite, "testcase", named)
    if outcome.passed:
        return
    reason = harmless_text(outcome.failure_reason or "")
    kind = "failure" if outcome.outcome == "Failed" else "error"
    found = ElementTree.SubElement(case, kind, {"message": reason, "type": outcome.outcome})
    rows = (f"row {example.row + 1}: {_values(example.values)}" for example in outcome.examples[:EXAMPLES])
    found.text = "\n".join(map(harmless_text, [explain(outcome.rule), *rows]))


def _result(evaluation: Evaluation) -> Markup:
    cards = {
        "rules passed": (f"{evaluation.passed} of {len(evaluation.outcomes)}", "served"),
        "rules failed": (number(evaluation.failed), "refused"),
        "not computed": (number(evaluation.errors), "late"),
        "good rows": (number(evaluation.good_count), "served"),
        "bad rows": (number(evaluation.bad_count), "refused"),
    }
    drawn = (tag("div", tag("b", value), words, class_=f"card {state}") for words, (value, state) in cards.items())
    parts = [tag("div", *drawn, class_="cards")]
    if evaluation.blocked:
        names = ", ".join(outcome.rule.claim for outcome in evaluation.blocking)
        parts.append(tag("p", tag("b", "Blocked: "), f"nothing of this delivery may be loaded, because of {names}."))
    return joined(parts)


def _rules(evaluation: Evaluation) -> Markup:
    rows = [
        (
            tag("span", outcome.outcome, class_=f"badge {outcome.outcome}"),
            joined([tag("code", outcome.rule.claim), note(explain(outcome.rule))]),
            outcome.failure_reason or "; ".join(f"{name} {value:g}" for name, value in _metrics(outcome)),
            "-" if outcome.failing_rows is None else outcome.failing_rows,
        )
        for outcome in sorted(evaluation.outcomes, key=lambda outcome: outcome.passed)
    ]
    return table(("outcome", "rule", "what was found", "rows that break it"), rows)


def _metrics(outcome: Outcome) -> list[tuple[str, float]]:
    return list(outcome.evaluated_metrics.items())


def _examples(evaluation: Evaluation) -> Markup:
    rows = [
        (outcome.rule.claim, str(example.row + 1), _values(example.values))
        for outcome in evaluation.outcomes
        for example in outcome.examples[:EXAMPLES]
    ]
    if not rows:
        return note("No row breaks a rule.")
    about = note(f"The first {EXAMPLES} of each rule, by their number in the file.")
    return joined([about, table(("rule", "row", "values that the rule looked at"), rows)])


def _values(values: dict[str, object]) -> str:
    return ", ".join(f"{name}: {shown(value)}" for name, value in values.items())
