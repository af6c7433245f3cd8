"""A zip that must not be opened is refused before anything is read of it, and says why."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from movie_platform.engine import records
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import InputRefused
from movie_platform.pipelines.movies_dataset.archive import Limits, open_archive
from movie_platform.pipelines.movies_dataset.build import build_dataset
from movie_platform.progress import LogProgress
from movie_platform.samples.movies_dataset import write_dataset

NAME = "project-data/the-movies-dataset.zip"


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
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


def test_an_encrypted_member_is_refused() -> None:
    content = bytearray(zipped({"movies_metadata.csv": b"id,title\n1,a\n"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    assert refusal(bytes(content)).rule == "not encrypted"


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
