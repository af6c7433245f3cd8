"""A zip that must not be opened is refused before anything is read of it, and says why."""

import io
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from movie_platform.csv_files import records
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import InputRefused, WorldUnavailable
from movie_platform.pipelines.movies_dataset import archive as archive_module
from movie_platform.pipelines.movies_dataset.archive import Limits, open_archive
from movie_platform.pipelines.movies_dataset.build import build_dataset
from movie_platform.progress import LogProgress
from movie_platform.samples.movies_dataset import write_dataset

NAME = "project-data/the-movies-dataset.zip"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def refusal(content: bytes, limits: Limits | None = None) -> InputRefused:
    with (
        pytest.raises(InputRefused) as refused,
        open_archive(io.BytesIO(content), NAME, limits or Limits(), required=("movies_metadata.csv",)),
    ):
        pass
    return refused.value


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        (b"", "readable zip", "truncated or no zip"),
        (b"id,title\n", "readable zip", "truncated or no zip"),
        (zipped({"movies_metadata.csv": b"x" * 5000})[:-30], "readable zip", "truncated or no zip"),
        (zipped({"/etc/passwd": b"x"}), "names within", "'/etc/passwd', a name that leads out of its folder"),
        (zipped({"../movies_metadata.csv": b"x"}), "names within", "leads out of its folder"),
        (zipped({"a/../../b.csv": b"x"}), "names within", "leads out of its folder"),
        (zipped({"C:\\b.csv": b"x"}), "names within", "leads out of its folder"),
        (zipped({"..\\b.csv": b"x"}), "names within", "leads out of its folder"),
        (zipped({"links.csv": b"x"}), "required file", "holds no movies_metadata.csv"),
        (zipped({"movies_metadata.csv": bytes(10**6)}), "ratio", "times its packed size"),
    ],
)
def test_refused(content: bytes, rule: str, words: str) -> None:
    error = refusal(content)
    assert error.rule == rule
    assert words in str(error)
    assert NAME in str(error)


def patched(content: bytes, *changes: tuple[int, bytes]) -> bytes:
    patched = bytearray(content)
    for offset, data in changes:
        patched[offset : offset + len(data)] = data
    return bytes(patched)


SMALL = zipped({"movies_metadata.csv": b"id,title\n1,a\n2,b\n"})
DIRECTORY = SMALL.index(b"PK\x01\x02")


def test_an_encrypted_member_is_refused() -> None:
    assert refusal(patched(SMALL, (6, b"\1"), (DIRECTORY + 8, b"\1"))).rule == "not encrypted"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_is_neither_deflated_nor_stored_is_refused(method: int) -> None:
    error = refusal(zipped({"movies_metadata.csv": b"id,title\n1,a\n"}, method))
    assert error.rule == "packing"
    assert f"movies_metadata.csv in {NAME} is packed by method {method}: deliver it deflated or stored" in str(error)


def test_a_member_of_a_method_that_nobody_knows_is_refused() -> None:
    assert refusal(patched(SMALL, (8, b"\x63\0"), (DIRECTORY + 10, b"\x63\0"))).rule == "packing"


@pytest.mark.parametrize("offset", [len(SMALL), DIRECTORY, 2**32 - 2])
def test_a_member_outside_of_the_zip_is_refused(offset: int) -> None:
    error = refusal(patched(SMALL, (DIRECTORY + 42, offset.to_bytes(4, "little"))))
    assert error.rule == "damaged zip"
    assert f"movies_metadata.csv in {NAME} is damaged: it is outside of the zip" in str(error)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([(0, b"\0")], "Bad magic number"),
        ([(30, b"X")], "differ"),
        ([(7, b"\x08"), (30, b"\xff")], "can't decode byte 0xff"),
        ([(DIRECTORY + 8, b"\x20")], "compressed patched data"),
        ([(49, bytes(8))], "CRC|invalid|Bad"),
        ([(DIRECTORY + 20, b"\5")], "CRC|it ends before its time"),
    ],
)
def test_a_damaged_member_is_refused_by_name(changes: list[tuple[int, bytes]], words: str) -> None:
    with pytest.raises(InputRefused, match=words) as refused:
        read(patched(SMALL, *changes))
    assert refused.value.rule == "damaged zip"
    assert str(refused.value).startswith(f"movies_metadata.csv in {NAME} is damaged: ")


def read(content: bytes) -> bytes:
    with (
        open_archive(io.BytesIO(content), NAME, Limits(), required=("movies_metadata.csv",)) as archive,
        archive.file("movies_metadata.csv").open() as member,
    ):
        return member.read()


@pytest.mark.parametrize("start", [0, DIRECTORY], ids=["anywhere", "in the directory"])
def test_a_zip_damaged_at_random_is_read_or_refused(start: int) -> None:
    whole, random_ = read(SMALL), random.Random(start)
    read_right = 0
    for _ in range(3000):
        places = random_.choices(range(start, len(SMALL)), k=random_.randint(1, 3))
        damaged = patched(
            SMALL, *((place, bytes([random_.choice((0, 255, random_.randrange(256)))])) for place in places)
        )
        try:
            seen = read(damaged)
        except InputRefused as refused:
            assert NAME in str(refused)  # noqa: PT017
        else:
            assert seen == whole
            read_right += 1
    assert 0 < read_right < 3000


def test_the_standard_library_unpacks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no wheel of isal for the processor."""
    whole = read(SMALL)
    monkeypatch.setattr(archive_module, "inflating", zlib)
    assert read(SMALL) == whole
    with pytest.raises(InputRefused, match="is damaged"):
        read(patched(SMALL, (len(SMALL) // 3, b"\xff\xff\xff\xff")))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [1, 1000, 10**7, -1])
def test_a_member_is_read_whole_in_pieces_of_any_size(method: int, size: int) -> None:
    content = b"".join(b"%d,%d\n" % (number, number * number) for number in range(2000))
    with (
        open_archive(io.BytesIO(zipped({"a.csv": content}, method)), NAME, Limits(), required=()) as archive,
        archive.file("a.csv").open() as stream,
    ):
        assert b"".join(iter(lambda: stream.read(size), b"")) == content
        assert stream.read(size) == b""


class Unreachable(io.BytesIO):
    """A store that goes away once the directory of the zip has been read."""

    error: Exception | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        if self.error:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize("error", [WorldUnavailable("the store is away"), OSError(5, "Input/output error")])
def test_a_store_that_fails_is_not_taken_for_a_damaged_zip(error: Exception) -> None:
    store = Unreachable(SMALL)
    with open_archive(store, NAME, Limits(), required=()) as archive:
        store.error = error
        with pytest.raises(type(error)) as raised:
            archive.file("movies_metadata.csv").open()
        assert raised.value is error


def test_a_member_beyond_the_size_limit_is_refused() -> None:
    error = refusal(zipped({"movies_metadata.csv": b"id,title\n"}), Limits(max_bytes=5))
    assert error.rule == "size"
    assert "MOVIE_PLATFORM_DATASET_MAX_BYTES" in str(error)


def test_the_same_name_twice_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("movies_metadata.csv", "a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("movies_metadata.csv", "b")
    assert refusal(out.getvalue()).rule == "distinct names"


def test_of_many_names_the_one_that_stands_twice_is_named() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.csv", b"")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("19999.csv", b"")
    assert "holds '19999.csv' twice" in str(refusal(out.getvalue()))


@pytest.mark.parametrize("damage", ["flipped", "shortened"])
def test_a_member_that_does_not_unpack_is_refused_and_nothing_is_written(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "CHUNK_BYTES", 2**16)
    path = tmp_path / "the-movies-dataset.zip"
    write_dataset(path, scale=0.005)
    _damage[damage](path)
    with DuckDBEngine() as engine, pytest.raises(InputRefused, match=r"is damaged|is truncated"):
        build_dataset(path, tmp_path / "out", engine, progress=LogProgress())
    assert not list((tmp_path / "out").glob("*"))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


_damage: dict[str, Callable[[Path], object]] = {
    "flipped": _flip,
    "shortened": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
}
