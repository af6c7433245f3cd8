"""What every source promises of its deliveries, held alike for all of them, on local disk and on S3."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from movie_platform.deliveries import manifests
from movie_platform.deliveries.verification import verified
from movie_platform.errors import PlatformError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.movies_dataset import build, publication
from movie_platform.pipelines.user_behavior import classification
from movie_platform.waits import Waits
from movie_platform.warehouse.duckdb.lock import Deadline, held
from movie_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from movie_platform_tests.deliveries.sources import BASE, DAY, SUBJECTS, Dataset, Feed, Subject, hook, subject_of


@pytest.fixture(params=SUBJECTS, ids=lambda kind: kind.source.name)
def kind(request: pytest.FixtureRequest) -> type[Subject]:
    return request.param


@pytest.fixture(params=["local", "s3"])
def subject(request: pytest.FixtureRequest, kind: type[Subject], tmp_path: Path) -> Subject:
    """One source on stores of one kind."""
    if request.param == "local":
        return subject_of(kind, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    bucket = request.getfixturevalue("bucket")
    return subject_of(kind, f"{bucket}/raw", f"{bucket}/lake", tmp_path)


@pytest.fixture
def local(kind: type[Subject], tmp_path: Path) -> Subject:
    return subject_of(kind, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)


def assert_everywhere(subject: Subject, content: int) -> None:
    """The content is what archive, products and warehouse hold, and nothing is owed."""
    assert subject.loaded() == content
    assert set(subject.in_lake().values()) == {content}
    assert subject.owed() == {}


def test_a_delivery_ends_in_lake_and_warehouse_and_is_owed_until_then(subject: Subject) -> None:
    assert subject.owed() == {}
    subject.deliver(3)
    assert list(subject.owed()) == [subject.partition]
    subject.process()
    assert list(subject.owed()) == [subject.partition], "it is not loaded yet"
    subject.load()
    assert_everywhere(subject, 3)


def test_a_correction_with_an_older_time_stamp_replaces_the_delivery_everywhere(local: Subject) -> None:
    local.deliver(1, at=BASE - timedelta(hours=1))
    local.run()
    local.deliver(2, at=BASE - timedelta(hours=2))
    local.run()
    assert_everywhere(local, 2)


def test_content_that_comes_back_takes_a_sequence_of_its_own(subject: Subject) -> None:
    for content in (1, 2, 1):
        subject.deliver(content)
        subject.run()
        assert_everywhere(subject, content)
    archive = subject.source.archive or subject.source.name
    assert manifests.latest_sequence(subject.lake, archive, subject.partition) == 3


def test_the_same_content_written_again_is_no_other_delivery(subject: Subject) -> None:
    subject.deliver(1)
    subject.run()
    ledger = len(subject.warehouse.ledger())
    subject.deliver(1, at=BASE)
    subject.settle()
    subject.run()
    assert_everywhere(subject, 1)
    archive = subject.source.archive or subject.source.name
    assert manifests.latest_sequence(subject.lake, archive, subject.partition) == 1
    assert len(subject.warehouse.ledger()) == ledger


def test_files_that_disappear_change_nothing(subject: Subject) -> None:
    subject.deliver(1)
    subject.run()
    subject.withdraw()
    assert subject.owed() == {}
    subject.run_and_survive()
    assert_everywhere(subject, 1)


def test_one_of_several_files_that_disappears_changes_nothing(subject: Subject) -> None:
    subject.deliver(1)
    subject.run()
    gone = sorted(subject.files(1))[-1]
    subject.raw.delete([gone])
    assert subject.owed() == {}
    subject.run_and_survive()
    assert_everywhere(subject, 1)


def test_a_broken_delivery_of_a_good_one_leaves_it_served_and_is_not_tried_over_and_over(subject: Subject) -> None:
    subject.deliver(1)
    subject.run()
    subject.deliver(0, files=subject.broken())
    assert list(subject.owed()) == [subject.partition]
    subject.run_and_survive()
    assert subject.loaded() == 1
    assert subject.owed() == {}
    subject.deliver(2)
    subject.settle()
    assert_everywhere(subject, 2)


def test_a_busy_warehouse_leaves_the_load_owed_until_it_is_there_again(kind: type[Subject], tmp_path: Path) -> None:
    subject = subject_of(kind, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    subject.deliver(1)
    lock = tmp_path / "warehouse.duckdb.lock"
    with held(lock, "a long load", Deadline.after(timedelta(seconds=1))):
        subject.run_and_survive()
        with pytest.raises(WorldUnavailable):
            subject.owed()
    assert list(subject.owed()) == [subject.partition]
    subject.settle()
    assert_everywhere(subject, 1)


def test_what_one_platform_owes_its_warehouse_is_not_forgotten_when_another_one_has_loaded(
    local: Subject, tmp_path: Path
) -> None:
    other = DuckDBWarehouse(tmp_path / "other.duckdb", wait=timedelta(seconds=0.3))
    local.deliver(1)
    local.run()
    mine, local.warehouse = local.warehouse, other
    assert list(local.owed()) == [local.partition]
    local.settle()
    assert_everywhere(local, 1)
    local.warehouse = mine
    assert_everywhere(local, 1)


def test_keys_that_are_no_delivery_are_named_with_their_reason(subject: Subject) -> None:
    for key in subject.names:
        subject.raw.write(key, b"x")
    start = "202601010000" if subject.source.partition == "window" else DAY
    listing = subject.source.shape.listing(subject.raw, start, BASE + timedelta(days=400))
    assert listing.rejected == len(subject.names)
    assert all(reason for reason in listing.rejected_keys.values())
    assert {key for name in subject.names for key in listing.rejected_keys if name.startswith(key)} == set(
        listing.rejected_keys
    )
    assert subject.owed() == {}


def test_of_many_keys_that_are_no_delivery_a_bounded_number_is_named(local: Subject) -> None:
    for number in range(150):
        local.raw.write(f"{local.source.prefix}x{number:03}/a.gz", b"x")
    start = "202601010000" if local.source.partition == "window" else DAY
    listing = local.source.shape.listing(local.raw, start, BASE)
    assert listing.rejected == 150
    assert len(listing.rejected_keys) == 100


def test_a_lake_that_was_emptied_is_filled_again_and_passes_the_ledger(local: Subject, tmp_path: Path) -> None:
    for content in (1, 2, 3):
        local.deliver(content)
        local.run()
    shutil.rmtree(tmp_path / "lake")
    local.deliver(4)
    local.settle()
    assert_everywhere(local, 4)


def test_a_warehouse_that_is_made_anew_is_loaded_from_the_lake_alone(local: Subject, tmp_path: Path) -> None:
    for content in (1, 2):
        local.deliver(content)
        local.run()
    shutil.rmtree(tmp_path / "raw")
    local.warehouse = DuckDBWarehouse(tmp_path / "anew.duckdb")
    assert local.source.load_all(local.warehouse, local.lake, "made anew") == 1
    assert local.loaded() == 2
    assert local.owed() == {}


def test_what_is_archived_is_compared_with_its_manifest(local: Subject) -> None:
    local.deliver(1)
    local.run()
    assert verified(local.lake, local.source).damaged == []
    folders = [folder for _, folder in local.source.archives if folder]
    archived = [info.key for folder in folders for info in local.lake.objects(folder)]
    assert bool(archived) == bool(folders)  # the data set's zip stays where it was delivered
    for key in archived:
        local.lake.write(key, b"?" + local.lake.read(key)[1:])
        found = verified(local.lake, local.source).damaged
        assert any(key.rpartition("/")[2] in problem for problem in found)


def test_a_lake_that_was_restored_from_an_earlier_copy_ends_as_delivered(local: Subject, tmp_path: Path) -> None:
    local.deliver(1)
    local.run()
    shutil.copytree(tmp_path / "lake", tmp_path / "copy")
    for content in (2, 3):
        local.deliver(content)
        local.run()
    shutil.rmtree(tmp_path / "lake")
    shutil.copytree(tmp_path / "copy", tmp_path / "lake")
    local.settle()
    assert_everywhere(local, 3)


def hooked(subject: Subject, before_change: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Subject:
    """The same source whose changes of the lake are announced, also where a job opens the lake by its address."""
    lake = hook(subject.lake, before_change)

    def open_hooked(uri: str, _waits: Waits) -> ObjectStore:
        return lake if uri == lake.uri else subject.raw

    monkeypatch.setattr(publication, "open_store", open_hooked)
    monkeypatch.setattr(classification, "open_store", open_hooked)
    return type(subject)(subject.raw, lake, subject.warehouse)


class Killed(BaseException):
    """The process ends here."""


def changes_of_a_correction(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that a run of a correction changes, in order."""
    changed: list[str] = []
    with monkeypatch.context() as patch:
        subject.deliver(1)
        subject.run()
        subject.deliver(2)
        hooked(subject, changed.append, patch).run()
    return changed


def places(changes: Sequence[str]) -> list[int]:
    """Every change, but of the data set's nine answers, which are written alike, the first and the last."""

    def is_amid_answers(position: int) -> bool:
        return all("/answers/" in key for key in changes[max(position - 1, 0) : position + 2])

    return [position for position in range(len(changes)) if not is_amid_answers(position)]


def test_a_run_that_is_killed_before_any_change_of_the_lake_mixes_nothing_and_is_made_up_for(
    kind: type[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh(name: str) -> Subject:
        folder = tmp_path / name
        folder.mkdir()
        return subject_of(kind, (folder / "raw").as_uri(), (folder / "lake").as_uri(), folder)

    changes = changes_of_a_correction(fresh("counted"), monkeypatch)
    assert len(changes) >= 3
    for position in places(changes):
        subject = fresh(f"killed-{position}")
        subject.deliver(1)
        subject.run()
        subject.deliver(2)
        left = iter([None] * position)

        def kill(_key: str, left: object = left) -> None:
            try:
                next(left)  # type: ignore[call-overload]
            except StopIteration:
                raise Killed from None

        with monkeypatch.context() as patch, pytest.raises(Killed):
            hooked(subject, kill, patch).run()
        # What a run of everything behind the archive makes of what the killed one left is one of both, or refused.
        with suppress(PlatformError, AttributeError):
            subject.process_archive()
            subject.load()
        assert subject.loaded() in {1, 2}, changes[position]
        subject.settle()
        assert_everywhere(subject, 2)


def test_a_run_that_another_one_overtakes_before_any_change_of_the_lake_never_puts_the_older_delivery_back(
    kind: type[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh(name: str) -> Subject:
        folder = tmp_path / name
        folder.mkdir()
        return subject_of(kind, (folder / "raw").as_uri(), (folder / "lake").as_uri(), folder)

    changes = changes_of_a_correction(fresh("counted"), monkeypatch)
    for position in places(changes):
        slow = fresh(f"overtaken-{position}")
        fast = type(slow)(slow.raw, slow.lake, slow.warehouse)
        slow.deliver(1)
        slow.run()
        slow.deliver(2)
        count = 0

        def overtake(_key: str, position: int = position, fast: Subject = fast) -> None:
            nonlocal count
            count += 1
            if count == position + 1:
                fast.deliver(3)
                fast.run()

        with monkeypatch.context() as patch:
            trouble = hooked(slow, overtake, patch).run_and_survive()
        assert fast.loaded() == 3, changes[position]
        assert trouble or set(fast.in_lake().values()) == {3}, "the slower run ended well: it left what is delivered"
        fast.settle()
        assert_everywhere(fast, 3)


def test_files_that_are_replaced_while_they_are_read_are_never_mixed(tmp_path: Path) -> None:
    subject = subject_of(Feed, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    subject.deliver(1)
    read, opened = subject.raw.read_with_info, 0

    def replaced_meanwhile(key: str) -> object:
        nonlocal opened
        opened += 1
        found = read(key)
        if opened == 2:
            subject.deliver(2)
        return found

    subject.raw.read_with_info = replaced_meanwhile  # type: ignore[method-assign, assignment]
    subject.run()
    assert_everywhere(subject, 2)


def test_a_zip_that_is_replaced_while_it_is_built_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(Dataset, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    subject.deliver(1)
    real, built = build.build_dataset, 0

    def replaced_meanwhile(*arguments: object, **options: object) -> object:
        nonlocal built
        built += 1
        report = real(*arguments, **options)  # type: ignore[arg-type]
        if built == 1:
            subject.deliver(2)
        return report

    monkeypatch.setattr(build, "build_dataset", replaced_meanwhile)
    subject.run()
    assert built == 2
    assert_everywhere(subject, 2)
