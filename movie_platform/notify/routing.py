"""Who hears what: rules in a small file, a line each, such as `quality:critical -> pagerduty, log`."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from movie_platform.errors import SettingsError
from movie_platform.notify.notices import EvaluationEnded, Notice, RulesetUnreadable, TroubleNotice

SEVERITIES = ("info", "warning", "critical")
TOPICS = ("quality", "runs", "freshness", "platform")
_RULE = re.compile(r"(?P<topic>[\w*-]+)(?::(?P<severity>\w+))?\s*->\s*(?P<who>.+)")


def topic_of(notice: Notice) -> str:
    """What a notice is about: the quality of a delivery, how a run ended, a source that is overdue, or the platform
    itself."""
    if isinstance(notice, TroubleNotice):
        return notice.topic
    return "quality" if isinstance(notice, EvaluationEnded | RulesetUnreadable) else "runs"


def severity_of(notice: Notice) -> str:
    """`critical` where something was not loaded or a run failed, `warning` where checks failed, else `info`.

    The end of a trouble is as severe as its beginning: whoever heard the one hears the other.
    """
    if isinstance(notice, TroubleNotice):
        return "critical"
    if notice.is_good_news:
        return "info"
    stopped = notice.ends_as if isinstance(notice, EvaluationEnded) else notice.detail.get("state") == "FAILED"
    return "critical" if stopped else "warning"


@dataclass(frozen=True)
class Rule:
    """Notices of a topic (`*`: of all) of at least this severity go to these channels."""

    topic: str
    at_least: str
    channels: frozenset[str]

    def applies(self, notice: Notice) -> bool:
        severe = SEVERITIES.index(severity_of(notice)) >= SEVERITIES.index(self.at_least)
        return severe and self.topic in {"*", topic_of(notice)}


@dataclass(frozen=True)
class Routes:
    """The rules of one file. Without any, every channel hears everything."""

    rules: tuple[Rule, ...] = ()

    def hears(self, channel: str, notice: Notice) -> bool:
        if not self.rules:
            return True
        return any(channel in rule.channels and rule.applies(notice) for rule in self.rules)


def read_routes(path: Path | None, channels: Sequence[str]) -> Routes:
    """The rules in a file, for the channels of the setting NOTIFY; a `SettingsError` names each line that is wrong."""
    if path is None:
        return Routes()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"MOVIE_PLATFORM_NOTIFY_RULES: {path} cannot be read: {error}") from None
    return parse_routes(text, channels, str(path))


def parse_routes(text: str, channels: Sequence[str], name: str) -> Routes:
    """Rules from a text; every channel must be named by some rule, and every name must be a channel's."""
    known = _names(channels)
    rules, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        stated = line.partition("#")[0].strip()
        if not stated:
            continue
        try:
            rules.append(_rule(stated, known))
        except ValueError as error:
            problems.append(f"{name}, line {number}: {error}")
    unheard = [channel for channel in channels if not any(channel in rule.channels for rule in rules)]
    if not problems and unheard:
        problems.append(f"{name}: no rule names {', '.join(unheard)}; add one, or take it out of MOVIE_PLATFORM_NOTIFY")
    if problems:
        raise SettingsError("\n".join(problems))
    return Routes(tuple(rules))


def _names(channels: Collection[str]) -> Mapping[str, str]:
    """The channel for each name that a rule may use: `apprise:pagerduty` is `pagerduty` too, `sns:<arn>` also `sns`
    where there is one topic only."""
    names = {channel: channel for channel in channels}
    for channel in channels:
        if [_short(other) for other in channels].count(_short(channel)) == 1:
            names.setdefault(_short(channel), channel)
    return names


def _short(channel: str) -> str:
    kind, _, rest = channel.partition(":")
    return rest if kind == "apprise" else kind


def _rule(line: str, known: Mapping[str, str]) -> Rule:
    found = _RULE.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} is no rule; a rule is topic -> channel or topic:severity -> channel, channel")
    topic, severity = found["topic"], found["severity"] or "info"
    if topic not in {*TOPICS, "*"}:
        raise ValueError(f"there is no topic {topic!r}; there are {', '.join(TOPICS)}, and * for all")
    if severity not in SEVERITIES:
        raise ValueError(f"there is no severity {severity!r}; there are {', '.join(SEVERITIES)}")
    wanted = [name.strip() for name in found["who"].split(",")]
    if missing := [name for name in wanted if name not in known]:
        raise ValueError(
            f"MOVIE_PLATFORM_NOTIFY has no channel {', '.join(map(repr, missing))}; it has {', '.join(sorted(known))}"
        )
    return Rule(topic, severity, frozenset(known[name] for name in wanted))
