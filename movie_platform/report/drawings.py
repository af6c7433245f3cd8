"""Inline SVG: the calendar, the grid of windows, and the grid of rules by days."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby

from movie_platform.report.markup import Markup, joined, tag

_WEEKDAYS = ("Mon", "", "Wed", "", "Fri", "", "Sun")


def legend(states: Mapping[str, str]) -> Markup:
    """What the colors mean: a state's class and words."""
    items = (tag("span", tag("i", class_=f"key {name}"), words) for name, words in states.items())
    return tag("p", *items, class_="legend")


def calendar(days: Mapping[date, tuple[str, str, float]]) -> Markup:
    """A cell a day, a column a week: the class and the words of each day, and how much of the color it has, 0 to 1."""
    if not days:
        return Markup()
    first, last = min(days), max(days)
    monday = first - timedelta(days=first.weekday())
    cell, gap, left, top = 12, 2, 30, 16
    step = cell + gap
    parts = [
        tag("text", name, x=0, y=top + row * step + 10, class_="axis") for row, name in enumerate(_WEEKDAYS) if name
    ]
    free = 0
    for day, (state, words, share) in sorted(days.items()):
        week = (day - monday).days // 7
        x, y = left + week * step, top + day.weekday() * step
        starts_month = day.day <= 7 and day.weekday() == 0
        has_room = day == first and (day.day <= 14 or (last - first).days < 14)
        if (starts_month or has_room) and x >= free:
            parts.append(tag("text", f"{day:%b}", x=x, y=10, class_="axis"))
            free = x + 2 * step
        title = tag("title", f"{day}: {words}")
        opacity = f"{0.45 + 0.55 * share:.2f}"
        parts.append(tag("rect", title, x=x, y=y, width=cell, height=cell, rx=2, class_=state, fill_opacity=opacity))
    width = left + max(4, (last - monday).days // 7 + 1) * step
    return _svg(width, top + 7 * step, parts, f"Calendar of {first} to {last}")


def window_grid(days: Sequence[tuple[date, Sequence[tuple[str, str]]]]) -> Markup:
    """A row a day, a cell for each of its windows: class and words. Neighbors of one state and words are one shape."""
    width, height, left, top = 6, 14, 80, 16
    parts = [tag("text", f"{hour:02}:00", x=left + hour * 6 * width, y=10, class_="axis") for hour in range(0, 24, 3)]
    for row, (day, cells) in enumerate(days):
        y = top + row * (height + 2)
        parts.append(tag("text", day.isoformat(), x=0, y=y + 11, class_="axis"))
        place = 0
        for (state, words), run in groupby(cells):
            count = len(list(run))
            if state:
                x, wide = left + place * width, count * width - 1
                shape = tag("rect", tag("title", words), x=x, y=y, width=wide, height=height, class_=state)
                parts.append(shape)
            place += count
    return _svg(left + 144 * width + 20, top + len(days) * (height + 2), parts, "Every window of the days shown")


def rule_grid(rules: Sequence[str], days: Sequence[str], cells: Mapping[tuple[str, str], tuple[str, str]]) -> Markup:
    """A row a rule, a column a day: the class and the words of each evaluation."""
    cell, left, top = 16, 420, 62
    parts = []
    for column, day in enumerate(days):
        x = left + column * cell + 11
        parts.append(tag("text", day[5:], x=x, y=top - 6, transform=f"rotate(-60 {x} {top - 6})", class_="axis"))
    for row, rule in enumerate(rules):
        y = top + row * cell
        name = rule if len(rule) <= 66 else rule[:65] + "…"
        parts.append(tag("text", tag("title", rule), name, x=0, y=y + 11, class_="axis"))
        for column, day in enumerate(days):
            if (rule, day) in cells:
                state, words = cells[rule, day]
                title = tag("title", f"{day}: {words}")
                x = left + column * cell
                parts.append(tag("rect", title, x=x, y=y, width=cell - 2, height=cell - 2, rx=2, class_=state))
    width, height = left + len(days) * cell + 20, top + len(rules) * cell
    return _svg(width, height, parts, "How each rule came out on each day")


def _svg(width: int, height: int, parts: Iterable[Markup], label: str) -> Markup:
    drawn = tag(
        "svg",
        joined(parts),
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
    )
    return tag("div", drawn, class_="scroll", tabindex="0")
