"""How the feed stands: a calendar of its days, each window of the newest ones, and every refused window."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from movie_platform.deliveries import manifests, receipts
from movie_platform.errors import PlatformError
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.deliveries import NAME
from movie_platform.pipelines.imdb_feed.processing import processed_windows
from movie_platform.pipelines.imdb_feed.windows import LENGTH, is_window, key_of, span, start_of
from movie_platform.report.drawings import calendar, legend, window_grid
from movie_platform.report.markup import Markup, joined, moment, note, number, table, tag
from movie_platform.report.section import Section
from movie_platform.report.sources import Inputs

DAYS_IN_DETAIL = 31
"""The newest days with deliveries of which every window is drawn; only of those it is known which came late."""
CALENDAR_DAYS = 371
LATE = timedelta(hours=1)
"""A window whose newest file came more than this after its end is late."""
REFUSALS_SHOWN = 200

STATES = {
    "served": "served, in time",
    "late": "served, its files came more than an hour late",
    "refused": "refused",
    "waiting": "archived, not processed yet",
    "missing": "nothing delivered",
}
_WORST_FIRST = ("refused", "waiting", "missing", "late", "served")


@dataclass(frozen=True)
class Windows:
    """The state of every window from the first that was ever delivered to the last that is over."""

    state: Mapping[str, str]
    delivered_at: Mapping[str, str]
    """Of the windows of the days in detail."""
    refused: tuple[refusals.Refusal, ...]

    @property
    def days(self) -> dict[date, Counter[str]]:
        counted: dict[str, Counter[str]] = {}
        for window, state in self.state.items():
            counted.setdefault(window[:8], Counter())[state] += 1
        return {date.fromisoformat(day): counts for day, counts in counted.items()}

    @property
    def served(self) -> list[str]:
        return [window for window, state in self.state.items() if state in ("served", "late")]


def windows_of(inputs: Inputs) -> Windows:
    lake, start = inputs.lake, inputs.settings.feed_start.first_delivery
    known = receipts.standings(lake, NAME)
    refused = {refusal.window: refusal for refusal in refusals.every(lake)}
    clean = {window for window in processed_windows(lake) if window not in known or known[window].is_processed}
    delivered = sorted(window for window in {*known, *refused, *clean} if is_window(window) and window >= start)
    if not delivered:
        return Windows({}, {}, ())
    over = key_of(inputs.now - LENGTH - inputs.settings.feed_grace)
    state = {
        window: "refused"
        if window in refused
        else "served"
        if window in clean
        else "waiting"
        if window in known
        else "missing"
        for window in span(delivered[0], max(delivered[-1], over))
    }
    newest = sorted({window[:8] for window in delivered})[-DAYS_IN_DETAIL:]
    in_detail = [window for window in clean if window[:8] in newest and window in known and state.get(window)]
    came = {window: at for window, at in inputs.each(lambda w: (w, _delivered_at(inputs, w)), in_detail) if at}
    state |= {window: "late" for window, at in came.items() if state[window] == "served" and _is_late(window, at)}
    return Windows(state, came, tuple(sorted(refused.values(), key=lambda refusal: refusal.window, reverse=True)))


def feed_section(inputs: Inputs, found: Windows) -> Section:
    if not found.state:
        return Section("Feed", note("No window of the feed was delivered yet."))
    counts = Counter(found.state.values())
    cards = (tag("div", tag("b", number(counts[name])), _short(name), class_=f"card {name}") for name in STATES)
    first, last = min(found.state), max(found.state)
    about = (
        f"Windows of ten minutes from {_moment(first)}, the first that was delivered, to {_moment(last)} (UTC). "
        f"Which windows came late is known of the days drawn window by window."
    )
    return Section(
        "Feed",
        joined(
            [
                tag("div", *cards, class_="cards"),
                note(about),
                legend(STATES),
                tag("h3", "Days, in the color of their worst windows; the fewer these are, the paler"),
                calendar(_calendar_days(found, inputs.now)),
                tag("h3", "Windows of the newest days with deliveries"),
                window_grid(_detail(found)),
                tag("h3", "Refused windows"),
                _refused(found),
            ]
        ),
    )


def _calendar_days(found: Windows, now: datetime) -> dict[date, tuple[str, str, float]]:
    earliest = now.astimezone(UTC).date() - timedelta(days=CALENDAR_DAYS)
    return {day: _day_cell(counts) for day, counts in found.days.items() if day >= earliest}


def _day_cell(counts: Counter[str]) -> tuple[str, str, float]:
    worst = next(name for name in _WORST_FIRST if counts[name])
    return worst, _counted(counts), counts[worst] / counts.total()


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[name]} {_short(name)}" for name in STATES if counts[name])


def _short(state: str) -> str:
    return "late" if state == "late" else state


def _detail(found: Windows) -> list[tuple[date, list[tuple[str, str]]]]:
    days = [day for day, counts in sorted(found.days.items()) if counts.total() > counts["missing"]]
    reasons = {refusal.window: refusal.reason for refusal in found.refused}
    drawn = []
    for day in reversed(days[-DAYS_IN_DETAIL:]):
        cells = []
        for window in span(f"{day:%Y%m%d}0000", f"{day:%Y%m%d}2350"):
            state, words = found.state.get(window, ""), ""
            if state == "late":  # each by itself, as a refused one; runs of the others are one shape
                words = f"{_moment(window)[11:]} late, at {moment(found.delivered_at[window])}"
            elif state == "refused":
                words = f"{_moment(window)[11:]} refused: {reasons[window][:120]}"
            elif state:
                words = STATES[state]
            cells.append((state, words))
        drawn.append((day, cells))
    return drawn


def _refused(found: Windows) -> Markup:
    if not found.refused:
        return note("No window is refused.")
    shown = found.refused[:REFUSALS_SHOWN]
    rows = [
        (_moment(r.window), r.reason, r.attempts, moment(r.first_seen), moment(r.serves or "nothing")) for r in shown
    ]
    made = table(("window", "reason", "attempts", "refused since", "served meanwhile: the version of"), rows)
    more = len(found.refused) - len(shown)
    after = note(f"{more:,} more are in unprocessed.log.") if more else Markup()
    return joined([made, note("Deliver a window's files again, mended: it is tried by itself."), after])


def _delivered_at(inputs: Inputs, window: str) -> str:
    try:
        manifest = manifests.latest(inputs.lake, NAME, window)
    except PlatformError:  # a torn manifest is the reconciliation's to report; here only its time is unknown
        return ""
    return manifest.delivered_at if manifest else ""


def _is_late(window: str, delivered_at: str) -> bool:
    try:
        came = datetime.fromisoformat(delivered_at)
    except ValueError:
        return False
    came = came if came.tzinfo else came.replace(tzinfo=UTC)
    return came > start_of(window) + LENGTH + LATE


def _moment(window: str) -> str:
    return f"{start_of(window):%Y-%m-%d %H:%M}"
