"""A disk that takes nothing more: how its errors are known, whoever meets them, and what to do about each."""

import errno
import os
import re
import sqlite3
from pathlib import Path

FULL, READ_ONLY = "the disk is full; make room on it", "the disk is mounted read-only; mount it for writing"
NEXT = "What is owed is taken up by the next run or within the hour."
_PROBLEMS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "the disk's quota is used up; raise it or make room",
    errno.EROFS: READ_ONLY,
    errno.EFBIG: "no file may be that large there; raise the limit (ulimit -f) or use another disk",
}
_SAID = re.compile(
    r'[\w ]+ Error: (?:Failed to commit: )?(?:Could not|Cannot) \w+ file "(?P<file>[^"\n]+)": '
    rf"(?P<why>{'|'.join(re.escape(os.strerror(number)) for number in _PROBLEMS)})"
)
"""How DuckDB says it, in errors of several classes. Only the beginning of its text counts: data may be quoted in it."""
_SQLITE = {sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_READONLY: READ_ONLY}
_SQLITE_UNKNOWN = {
    sqlite3.SQLITE_IOERR: "the disk fails; look whether it is broken",
    sqlite3.SQLITE_CANTOPEN: "a file cannot be opened or made; look who may write there",
}
"""What SQLite says of a disk that is broken, and also of one that is full or read-only."""
LITTLE = 2**20
"""Bytes; a disk with less room counts as full where something could not be written."""


def problem_of(error: OSError) -> str:
    """Why the disk takes nothing, and what to do; empty where that is not what the error says."""
    return _PROBLEMS.get(error.errno or 0, "")


def problem_of_duckdb(error: Exception) -> tuple[str, str]:
    """The file that DuckDB could not write, and why, as `problem_of`; both empty where that is not what it says."""
    text = str(error)
    if text.startswith("Out of Memory Error") and "'max_temp_directory_size'" in text:
        return "the folder of its temporary files", FULL
    found = (_SAID.search if text.startswith("FATAL Error") else _SAID.match)(text)
    if found is None:
        return "", ""
    return found["file"], next(_PROBLEMS[number] for number in _PROBLEMS if os.strerror(number) == found["why"])


def problem_of_sqlite(error: BaseException, folder: Path) -> str:
    """The same of an error of SQLite in a folder, also where SQLAlchemy or Dagster raised it in one of their own."""
    seen: BaseException | None = error
    while seen is not None:
        inner = getattr(seen, "orig", seen)
        if isinstance(inner, sqlite3.OperationalError):
            code = inner.sqlite_errorcode & 0xFF
            if code in _SQLITE_UNKNOWN:
                return _seen(folder) or _SQLITE_UNKNOWN[code]
            return _SQLITE.get(code, "")
        seen = seen.__cause__ or seen.__context__
    return ""


def _seen(folder: Path) -> str:
    """What can be seen of the disk without writing to it."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return ""
    if found.f_flag & os.ST_RDONLY:
        return READ_ONLY
    return FULL if found.f_bavail * found.f_frsize < LITTLE else ""
