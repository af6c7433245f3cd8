"""A copy of the warehouse for other SQL clients, which may hold it open as long as they like."""

import fcntl
import shutil
import time
from datetime import timedelta
from pathlib import Path

from movie_platform.disks import problem_of
from movie_platform.errors import WorldUnavailable


def published_path(warehouse: Path) -> Path:
    """Where the copy of a warehouse's file is."""
    return warehouse.with_name(f"{warehouse.stem}.published{warehouse.suffix}")


class Published:
    """The copy beside the warehouse's file, read-only, as the warehouse was when the copy was made.

    It appears by a rename: who has the previous one open goes on reading that.
    """

    def __init__(self, warehouse: Path, every: timedelta) -> None:
        self.warehouse = warehouse
        self.every = every
        self.path = published_path(warehouse)

    def renew_if_due(self) -> bool:
        """Renew the copy if it is old enough and the warehouse has changed since; the caller holds the lock."""
        if not self.every or not self.warehouse.exists():
            return False
        if self.path.exists():
            made = self.path.stat().st_mtime
            if time.time() - made < self.every.total_seconds() or made > self.warehouse.stat().st_mtime:
                return False
        return self.renew()

    def renew(self) -> bool:
        """Copy the warehouse's file; False while another program has it open, whose changes may be under way."""
        partial = self.path.with_name(f".{self.path.name}.under-way")
        log = self.warehouse.with_name(self.warehouse.name + ".wal")
        with self.warehouse.open("rb") as source:
            try:
                fcntl.lockf(source, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if log.exists():
                return False
            try:
                with partial.open("wb") as target:
                    shutil.copyfileobj(source, target, 4 * 1024 * 1024)
                partial.chmod(0o444)
                partial.replace(self.path)
            except OSError as error:
                partial.unlink(missing_ok=True)  # it would keep the room that others need
                raise WorldUnavailable(
                    f"{self.path}, the warehouse's read-only copy, could not be renewed: "
                    f"{problem_of(error) or error.strerror}. The warehouse itself is whole; the next load tries again."
                ) from error
        return True
