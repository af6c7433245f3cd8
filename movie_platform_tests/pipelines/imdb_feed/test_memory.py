"""What a refused file takes of memory does not grow with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import refusals
from movie_platform.pipelines.imdb_feed.tables import TYPE_A
from movie_platform_tests.pipelines.imdb_feed.triplets import A, W, deliver, movie, written

PROCESS = """
import resource, sys
from movie_platform.lake import open_store
from movie_platform.pipelines.imdb_feed.processing import process

window, raw, lake, elsewhere = sys.argv[1:]
process(open_store(elsewhere), open_store(lake), "202001010000")  # what is imported is in memory now
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
process(open_store(raw), open_store(lake), window, max_bytes=10**9)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
"""
FAULTS = {
    "a wrong header": (b",titel,", b"", "lacks column 'title'"),
    "too few fields at its end": (b"", b"1,2\n", "has 2 fields where the header names 11"),
    "another encoding at its end": (b"", b"\xff\n", "is not UTF-8: byte 0xff"),
    "a NUL byte at its end": (b"", b"a\0\n", "holds a NUL byte"),
    "an open quote at its end": (b"", b'"a\n', "a quote is opened and never closed"),
}
"""How the header names the title, what stands at the end, and what is said of it."""
FEW = 20_000_000


def cases() -> list[object]:
    sizes = [pytest.param(fault, 180_000_000, marks=pytest.mark.soak) for fault in FAULTS]
    return [("too few fields at its end", 40_000_000), *sizes]


@pytest.mark.parametrize(("fault", "size"), cases())
def test_a_refused_file_takes_as_much_memory_whatever_its_size(
    fault: str, size: int, raw: ObjectStore, lake: ObjectStore, tmp_path: Path
) -> None:
    title, end, says = FAULTS[fault]
    deliver(raw, W)
    lines = written(TYPE_A.columns, [movie(7, description="A long plot. " * 80)]).splitlines(keepends=True)
    path = raw.local_path(f"imdb_raw_data/{W}/{A}")
    assert path
    with path.open("wb") as file:
        file.write(lines[0].replace(b",title,", title or b",title,"))
        while file.tell() < size:
            file.write(lines[1] * 10_000)
        file.write(end)
    ran = subprocess.run(
        [sys.executable, "-c", PROCESS, W, raw.uri, lake.uri, (tmp_path / "elsewhere").as_uri()],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    refusal = refusals.get(lake, W)
    assert refusal is not None
    assert (refusal.transient, says in refusal.reason) == (False, True), refusal.reason
    assert int(ran.stdout) * 1024 < FEW
