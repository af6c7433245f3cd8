"""A small file says who hears what; what is wrong in it is named by line before anything starts."""

from pathlib import Path

import pytest

from movie_platform.errors import SettingsError
from movie_platform.notify import Notifier, RuleResult, RunEnded, open_notifier, read_routes
from movie_platform.notify.routing import Routes, parse_routes, severity_of
from movie_platform_tests.notify.test_memory import Pager
from movie_platform_tests.notify.test_notices import AT, RULES, evaluation

TOPIC = "sns:arn:aws:sns:us-east-1:123456789012:alerts"
CHANNELS = ("log", "apprise:pagerduty", "apprise:slack", TOPIC)
RULES_FILE = """
# who hears what
quality:critical -> pagerduty, sns
runs:critical    -> pagerduty
runs             -> slack   # every run
*                -> log
"""

BLOCKED = evaluation(ends_as="blocked by RowCount > 10")
BROKEN = evaluation()
PASSED = evaluation(rules=RULES[:1], score=1.0)
FAILED = RunEnded("a", "job", False, (), "", AT)
CHECKS = RunEnded("b", "job", True, (), "", AT, failed_checks=(RuleResult("rated", "Failed"),), checks=1)
GOOD = RunEnded("c", "job", True, (), "", AT)


@pytest.mark.parametrize(
    ("notice", "severity", "hearers"),
    [
        (BLOCKED, "critical", {"log", "apprise:pagerduty", TOPIC}),
        (BROKEN, "warning", {"log"}),
        (PASSED, "info", {"log"}),
        (FAILED, "critical", {"log", "apprise:pagerduty", "apprise:slack"}),
        (CHECKS, "warning", {"log", "apprise:slack"}),
        (GOOD, "info", {"log", "apprise:slack"}),
    ],
)
def test_a_notice_reaches_those_whose_rules_it_meets(notice: RunEnded, severity: str, hearers: set[str]) -> None:
    routes = parse_routes(RULES_FILE, CHANNELS, "rules")
    assert severity_of(notice) == severity
    assert {channel for channel in CHANNELS if routes.hears(channel, notice)} == hearers


def test_a_severity_means_this_one_and_worse() -> None:
    routes = parse_routes("quality:warning -> log", ["log"], "rules")
    assert [routes.hears("log", notice) for notice in (PASSED, BROKEN, BLOCKED)] == [False, True, True]


def test_without_a_file_everybody_hears_everything() -> None:
    assert read_routes(None, CHANNELS) == Routes()
    assert all(Routes().hears(channel, GOOD) for channel in CHANNELS)


def test_a_notifier_follows_its_routes() -> None:
    pager, other = Pager(), Pager()
    other.name = "other"
    routes = parse_routes("quality -> pager\nruns -> other", ["pager", "other"], "rules")
    delivered = Notifier([pager, other], routes=routes).notify(FAILED)
    assert delivered.by == ("other",)
    assert delivered.everywhere
    assert pager.heard == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quality > log", "line 1: 'quality > log' is no rule"),
        ("\nspeed -> log", "line 2: there is no topic 'speed'; there are quality, runs"),
        ("quality:fatal -> log", "there is no severity 'fatal'; there are info, warning, critical"),
        ("quality -> teams", "has no channel 'teams'; it has .*pagerduty"),
        ("quality -> log", "no rule names apprise:pagerduty, apprise:slack, sns:.*; add one"),
        ("", "no rule names log"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_way_out(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "notify.rules"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says):
        read_routes(file, CHANNELS)


def test_every_wrong_line_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        parse_routes("a -> log\nb -> log", ["log"], "rules")
    assert "line 1" in str(raised.value)
    assert "line 2" in str(raised.value)


def test_a_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"NOTIFY_RULES: .*gone cannot be read"):
        read_routes(tmp_path / "gone", CHANNELS)


def test_two_topics_have_no_short_name() -> None:
    with pytest.raises(SettingsError, match="no channel 'sns'"):
        parse_routes("* -> sns", [TOPIC, f"{TOPIC}2"], "rules")


def test_a_wrong_rule_stops_the_definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from movie_platform.definitions import build_defs

    (tmp_path / "rules").write_text("runs -> nobody")
    monkeypatch.setenv("MOVIE_PLATFORM_NOTIFY_RULES", str(tmp_path / "rules"))
    with pytest.raises(SettingsError, match="'nobody'"):
        build_defs()


def test_opening_a_notifier_hands_on_its_routes() -> None:
    notifier = open_notifier(["log"], routes=parse_routes("quality -> log", ["log"], "rules"))
    assert notifier.notify(FAILED).by == ()
    assert notifier.notify(BLOCKED).by == ("log",)


def test_the_rules_in_the_documentation_are_rules() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    example = text.partition("```rules\n")[2].partition("```")[0]
    routes = parse_routes(example, ["log", "apprise:pagerduty", "apprise:slack"], "docs/operations.md")
    assert len(routes.rules) == 7


def test_every_notice_that_asks_for_something_leads_to_its_place_in_the_runbook() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    for notice in (BLOCKED, BROKEN, FAILED, CHECKS):
        place = notice.body.partition("docs/operations.md: ")[2].partition("\n")[0]
        assert f"\n### {place}\n" in text
    assert "docs/operations.md" not in PASSED.body + GOOD.body
