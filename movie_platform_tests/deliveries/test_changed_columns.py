"""A column that is new, gone, renamed or of another type is named for every source, with what happens to it."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from movie_platform.deliveries import ManifestFile, manifests
from movie_platform.deliveries.columns import DeliveredColumns, Expectation, changed_columns, recorded_columns
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.imdb_feed import processing
from movie_platform.pipelines.imdb_feed.source import SOURCE as FEED
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift
from movie_platform.settings import Settings
from movie_platform_tests.deliveries.sources import (
    DAY,
    SUBJECTS,
    Behavior,
    BoxOffice,
    Dataset,
    Feed,
    Quality,
    Subject,
    subject_of,
)
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver, movie, triplet

Cells = list[list[str]]
"""A header, and the records behind it."""


@dataclass(frozen=True)
class Case:
    """What is changed of a source, and where what cannot be read goes."""

    file: str
    """The delivered file that changes, as messages name it."""
    column: str
    """One of whole numbers, as messages name it."""
    if_new: str
    if_unreadable: str
    takes_new: bool = True


CASES: dict[type[Subject], Case] = {
    Feed: Case("type_A", "metascore", "the window is refused", "bad-records/imdb_feed/", takes_new=False),
    Dataset: Case("movies_metadata.csv", "vote_count", "in the delivered zip alone", "rejects/movies_dataset/"),
    Quality: Case("movies.csv", "meta_score", "archive/quality_movies/", "bad-records/quality_movies/"),
    Behavior: Case("movie_review.csv", "cid", "raw/movie_review/", "rejects/user_behavior/"),
    BoxOffice: Case("movies.csv", "theaters", "archive/box_office/", "bad-records/box_office/"),
}


@pytest.fixture(params=SUBJECTS, ids=lambda kind: kind.source.name)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    return subject_of(request.param, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)


def case_of(subject: Subject) -> Case:
    return CASES[type(subject)]


def changed(subject: Subject, content: int, change: Callable[[Cells], Cells]) -> dict[str, bytes]:
    """The delivery with one of its files changed."""

    def written(name: str, data: bytes) -> bytes:
        if not name.removesuffix(".csv").endswith(case_of(subject).file.removesuffix(".csv")):
            return data
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(change(list(csv.reader(io.StringIO(data.decode())))))
        return text.getvalue().encode()

    def zipped(data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
            for name in before.namelist():
                after.writestr(name, written(name, before.read(name)))
        return out.getvalue()

    files = subject.files(content).items()
    return {key: zipped(data) if key.endswith(".zip") else written(key, data) for key, data in files}


def named(subject: Subject) -> list[str]:
    return [str(of) for of in subject.source.changed_columns(subject.lake, Settings())]


def place_of(cells: Cells, column: str) -> int:
    return [name.casefold() for name in cells[0]].index(column)


def with_cells(cells: Cells, column: str, cell: str) -> Cells:
    place = place_of(cells, column)
    return [cells[0], *([*record[:place], cell, *record[place + 1 :]] for record in cells[1:])]


def test_a_delivery_as_expected_names_nothing_in_whatever_order_its_columns_come(subject: Subject) -> None:
    subject.deliver(1, files=changed(subject, 1, lambda cells: [record[::-1] for record in cells]))
    subject.run()
    assert subject.loaded() == 1
    assert named(subject) == []


def test_a_new_column_is_named_with_where_its_values_stay(subject: Subject) -> None:
    case = case_of(subject)
    subject.deliver(1, files=changed(subject, 1, lambda c: [["budget_eur", *c[0]], *(["5", *of] for of in c[1:])]))
    subject.run_and_survive()
    (sentence,) = named(subject)
    assert f"{case.file} has a new column 'budget_eur' since {subject.partition}: " in sentence
    assert case.if_new in sentence
    assert subject.loaded() == (1 if case.takes_new else None)


def test_a_renamed_column_is_named_with_its_likely_new_name_and_the_delivery_refused(subject: Subject) -> None:
    case = case_of(subject)

    def rename(cells: Cells) -> Cells:
        place = place_of(cells, case.column)
        return [[*cells[0][:place], f"{case.column}x", *cells[0][place + 1 :]], *cells[1:]]

    subject.deliver(1, files=changed(subject, 1, rename))
    refused = subject.run_and_survive() or refusal_of(subject)
    words = f"has no column '{case.column}' (perhaps renamed to '{case.column}x')"
    (sentence,) = named(subject)
    assert f"{case.file} {words} since {subject.partition}: " in sentence
    assert "what was served before stays" in sentence
    assert words in refused
    assert subject.loaded() is None


def refusal_of(subject: Subject) -> str:
    """Of a source whose run goes on with what is not refused: what is recorded of the delivery."""
    for prefix in ("unprocessed/", "evaluations/quality_movies/"):
        for info in subject.lake.objects(prefix):
            return str(json.loads(subject.lake.read(info.key))["reason"])
    return ""


def test_a_column_of_another_type_is_named_with_where_its_records_are(subject: Subject) -> None:
    case = case_of(subject)
    subject.deliver(1, files=changed(subject, 1, lambda cells: with_cells(cells, case.column, "many")))
    subject.run_and_survive()
    (sentence,) = named(subject)
    holds = "something else" if isinstance(subject, Feed) else "text"
    assert f"{case.file} has '{case.column}' as {holds} where integer" in sentence
    assert case.if_unreadable in sentence


WIDE = 9_007_199_254_740_993
"""It fits neither 32 bits nor, exactly, a number of 64."""


@pytest.mark.parametrize(
    ("kind", "column", "kept", "table"),
    [
        (Feed, "metascore", f"clean_files/{W}.parquet", "imdb_movie_windows"),
        (Feed, "gross", "bad-records/imdb_feed/", ""),
        (Dataset, "vote_count", "rejects/movies_dataset/", ""),
        (Quality, "meta_score", "bad-records/quality_movies/", ""),
        (Behavior, "cid", "rejects/user_behavior/", ""),
        (BoxOffice, "theaters", f"stage/box_office/{DAY}.parquet", "box_office"),
    ],
)
def test_a_type_that_widens_loses_nothing(
    kind: type[Subject], column: str, kept: str, table: str, tmp_path: Path
) -> None:
    """The value is in lake and warehouse as it was delivered, or its record with the value among those left out."""
    subject = subject_of(kind, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    subject.deliver(1, files=changed(subject, 1, lambda cells: with_cells(cells, column, str(WIDE))))
    subject.run_and_survive()
    keys = [info.key for info in subject.lake.objects(kept.rpartition("/")[0] + "/") if info.key.endswith(".parquet")]
    rows = [row for key in keys for row in pq.read_table(io.BytesIO(subject.lake.read(key))).to_pylist()]
    if table:
        assert {row[column] for row in rows} == {WIDE}
        assert {row[column] for row in subject.warehouse.query(f"SELECT {column} FROM {table}").to_pylist()} == {WIDE}
    else:
        assert rows
        assert all(str(WIDE) in str(row) for row in rows)


def test_a_column_that_is_as_expected_again_is_named_no_more(tmp_path: Path) -> None:
    subject = subject_of(BoxOffice, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    subject.deliver(1, files=changed(subject, 1, lambda cells: [record[:-1] for record in cells]))
    assert "has no column 'theaters'" in subject.run_and_survive()
    assert len(named(subject)) == 1
    subject.deliver(2)
    subject.run()
    assert named(subject) == []


def test_since_when_is_found_by_halving_and_a_delivery_that_is_not_known_hides_nothing() -> None:
    days = [f"{number:04}" for number in range(1000)]
    asked: list[str] = []

    def read(day: str) -> dict[str, dict[str, str]] | None:
        asked.append(day)
        if day in ("0999", "0800"):  # refused for something else
            return None
        return {"a.csv": {"id": "", **({"extra": ""} if day >= "0700" else {})}}

    expected = Expectation("any", {"": {"id": ""}}, if_new="it stays away", if_unreadable="")
    (found,) = changed_columns(expected, DeliveredColumns(days, read))
    assert str(found) == "a.csv has a new column 'extra' since 0700: it stays away"
    assert len(asked) <= 13
    asked.clear()
    assert changed_columns(replace(expected, files={"": {"id": "", "extra": ""}}), DeliveredColumns(days, read)) == []
    assert len(asked) == 2


def test_manifests_of_earlier_versions_have_no_columns_and_are_read(lake: ObjectStore) -> None:
    files = {"a.csv": ManifestFile("1", "1", 1)}
    expected = Expectation("any", {"": {"id": ""}}, if_new="it stays away", if_unreadable="")
    manifests.publish(lake, "any", "2026-01-01", files, after=None)
    assert b"columns" not in lake.read(manifests.key_of("any", "2026-01-01", 1))
    assert changed_columns(expected, recorded_columns(lake, "any")) == []
    manifests.publish(lake, "any", "2026-01-02", files, after=None, columns={"a.csv": {"id": "text", "b": "text"}})
    (found,) = changed_columns(expected, recorded_columns(lake, "any"))
    assert found.since == "2026-01-02"
    again = manifests.latest(lake, "any", "2026-01-02")
    assert again is not None
    manifests.publish(lake, "any", "2026-01-02", files, after=again)
    renumbered = manifests.latest(lake, "any", "2026-01-02")
    assert renumbered is not None
    assert renumbered.columns == {"a.csv": {"id": "text", "b": "text"}}


def test_the_feed_keeps_nothing_for_a_window_that_is_as_expected(raw: ObjectStore, lake: ObjectStore) -> None:
    deliver(raw, W)
    processing.process(raw, lake, W)
    assert b"columns" not in lake.read(manifests.key_of("imdb_feed", W, 1))
    assert [info.key for info in lake.objects("unprocessed/")] == []


def test_the_feed_names_the_first_of_the_windows_that_are_refused_for_a_column(
    raw: ObjectStore, lake: ObjectStore
) -> None:
    windows = [W]
    while len(windows) < 12:
        windows.append(shift(windows[-1], LENGTH))
    for window in windows[:4]:
        deliver(raw, window)
    for window in windows[4:]:
        files = triplet(window, movies=[movie(1)])
        name = f"{window}_type_A.csv"
        deliver(raw, window, {**files, name: files[name].replace(b"metascore", b"meta_score")})
    deliver(raw, windows[7], {f"{windows[7]}_type_A.csv": b""})
    for window in windows:
        processing.process(raw, lake, window)
    (found,) = FEED.changed_columns(lake, Settings())
    assert str(found).startswith(
        f"type_A has no column 'metascore' (perhaps renamed to 'meta_score') since {windows[4]}: the window is refused"
    )
    deliver(raw, last := shift(windows[-1], LENGTH))
    processing.process(raw, lake, last)
    assert FEED.changed_columns(lake, Settings()) == []
