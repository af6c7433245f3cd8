"""Files that are delivered for days: in a folder of the day, or directly below the prefix on the day itself."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from movie_platform.deliveries.delivery import Delivery, Listing
from movie_platform.lake import ObjectInfo, ObjectStore

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def is_day(text: str) -> bool:
    """Whether the text is a date as folders and partitions write it, YYYY-MM-DD."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class DailyFiles:
    """`<prefix><date>/<file>`, or `<prefix><file>`, which belongs to the day on which it was put there (UTC).

    Of a file that is only expected once a day (`one_file`), or whose name must be one of its day's (`distinct_names`),
    the one in the day's folder counts.
    """

    prefix: str
    suffix: str = ".csv"
    one_file: str = ""
    distinct_names: bool = False

    def listing(self, raw: ObjectStore, first: str, now: datetime, last: str = "") -> Listing:
        """Every day's delivery from the first day to the last, and the keys that are none."""
        start, today = date.fromisoformat(first), now.astimezone(UTC).date()
        found = Listing()
        days: dict[str, dict[str, ObjectInfo]] = {}
        for info in raw.objects(self.prefix):
            name = info.key.removeprefix(self.prefix)
            # A console leaves empty objects named like a folder; a listing may leave out the slash at their end.
            if f"{info.key.rstrip('/')}/" == self.prefix or name.endswith("/") or (is_day(name) and not info.size):
                continue
            if why_rejected := self._why_rejected(name, info, start, today):
                found.reject(info.key, why_rejected)
            else:
                days.setdefault(self._day(name, info).isoformat(), {})[info.key] = info
        for day, files in sorted((day, files) for day, files in days.items() if not last or day <= last):
            found.deliveries[day] = Delivery(day, self._chosen(day, files, found))
        return found

    def find(self, raw: ObjectStore, day: str, now: datetime) -> Delivery | None:
        """The day's delivery as it is there now; None where no file is."""
        return self.listing(raw, day, now, day).deliveries.get(day)

    def is_loose(self, key: str) -> bool:
        """Whether the file is directly below the prefix: replaced on a later day it belongs to that day too."""
        return "/" not in key.removeprefix(self.prefix)

    def _day(self, name: str, info: ObjectInfo) -> date:
        folder = name.rpartition("/")[0]
        return date.fromisoformat(folder) if folder else info.modified.astimezone(UTC).date()

    def _why_rejected(self, name: str, info: ObjectInfo, start: date, today: date) -> str:
        folder, in_folder, file = name.rpartition("/")
        if self.one_file and file != self.one_file:
            return f"its name is not {self.one_file}"
        if not file.lower().endswith(self.suffix):
            return f"it is no {self.suffix} file"
        if in_folder and not is_day(folder):
            return "its folder is no day (YYYY-MM-DD)"
        day = self._day(name, info)
        if day > today:
            return "its day has not come"
        return f"it is of {day}, before the first day {start}" if day < start else ""

    def _chosen(self, day: str, files: dict[str, ObjectInfo], found: Listing) -> dict[str, ObjectInfo]:
        if not (self.one_file or self.distinct_names):
            return files
        chosen: dict[str, ObjectInfo] = {}
        for key, info in sorted(files.items(), key=lambda of: self.is_loose(of[0])):
            name = key.rpartition("/")[2]
            if name in chosen:
                found.reject(key, f"{chosen[name].key} is the file of this name for {day}")
            else:
                chosen[name] = info
        return {info.key: info for info in chosen.values()}
