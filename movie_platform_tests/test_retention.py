"""What a policy lets go goes, and nothing that a manifest, a receipt or the warehouse's ledger needs."""

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from movie_platform.commands.main import cli
from movie_platform.deliveries import receipts
from movie_platform.deliveries.verification import verified
from movie_platform.errors import PlatformError, SettingsError
from movie_platform.lake import LocalStore, ObjectStore, open_store
from movie_platform.monitoring.rows import ROWS
from movie_platform.orchestration.runs import old_runs
from movie_platform.pipelines.imdb_feed.summaries import KEY as SUMMARIES
from movie_platform.pipelines.imdb_feed.summaries import look_back
from movie_platform.pipelines.quality_movies.cataloguing import BAD
from movie_platform.pipelines.quality_movies.day_records import bad_key, quarantined_days
from movie_platform.pipelines.quality_movies.source import SOURCE as QUALITY
from movie_platform.retention import KINDS, Policy, found, read_policy, take_away
from movie_platform.settings import load_settings
from movie_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from movie_platform_tests.commands.test_storage import SAMPLE, Subjects, command, configure, contents
from movie_platform_tests.deliveries.sources import DAY, SUBJECTS, BoxOffice, Quality, Subject, subject_of
from movie_platform_tests.pipelines.imdb_feed import triplets
from movie_platform_tests.pipelines.movies_dataset import zips
from movie_platform_tests.pipelines.quality_movies.conftest import delivery, movie

LATER = datetime.now(UTC) + timedelta(days=100)
EVERYTHING = Policy(dict.fromkeys(KINDS, timedelta(days=90)))
EXAMPLE = Path(__file__).parents[1] / "deploy" / "retention.toml"


WINDOW = triplets.triplet(movies=[triplets.movie(1), triplets.movie(2, imdb_rating="11"), triplets.movie("x")])
FILES = {
    "imdb_feed": {f"imdb_raw_data/{triplets.W}/{name}": data for name, data in WINDOW.items()},
    "quality_movies": {f"input_data/{DAY}/movies.csv": delivery(movie("good"), movie("bad", "1.0"))},
    "user_behavior": {f"movie_review/{DAY}/movie_review.csv": b"cid,review_str\n1,a good film\nx,no customer\n"},
}


def with_rows_left_out(subjects: Subjects, folder: Path) -> None:
    """A delivery of each source with records that are left out."""
    zipped = zips.zip_of(folder / "a.zip", {"movies_metadata.csv": [zips.movie(1), zips.movie("x")]}).read_bytes()
    files = {**FILES, "movies_dataset": {f"project-data/{DAY}/the-movies-dataset.zip": zipped}}
    for name, subject in subjects.items():
        subject.deliver(3, files=files[name])
        subject.run()


def listed(lake: ObjectStore) -> dict[str, str]:
    return {info.key: info.etag for info in lake.objects()}


def gone(lake: ObjectStore, policy: Policy = EVERYTHING, now: datetime = LATER) -> dict[str, int]:
    """Take away what may go; how many objects of each kind."""
    counts = {}
    for one in found(lake, policy, now):
        assert one.problems == []
        take_away(lake, one)
        counts[one.kind] = len(one.all)
    return counts


def damaged(lake: ObjectStore, subjects: Iterable[Subject]) -> list[str]:
    return [problem for subject in subjects for problem in verified(lake, subject.source).damaged]


def test_what_a_policy_lets_go_goes_and_everything_behaves_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [kind for kind in SUBJECTS if kind is not BoxOffice]
    raw, lake_uri = (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri()
    subjects = {kind.source.name: subject_of(kind, raw, lake_uri, tmp_path) for kind in kinds}
    subjects["imdb_feed"].deliver(1)
    subjects["imdb_feed"].run()
    with_rows_left_out(subjects, tmp_path)
    configure(tmp_path, tmp_path, monkeypatch)
    lake = subjects["imdb_feed"].lake
    lake.write(f"manifests/{BAD.name}/files.txt", f"{lake.uri_of(bad_key(DAY))}\n".encode())
    lake.write("notifications/quality_movies/2026-01-01.json", b"{}")
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    with warehouse.connect("a test") as connection:
        connection.execute(SAMPLE)
    before, status, was = listed(lake), command("status").output, dict(contents(warehouse))
    summary = look_back(lake, timedelta(days=1), keeps=False)
    assert damaged(lake, subjects.values()) == []
    measured = {name: ROWS[name](load_settings(), lake) for name in subjects}
    assert {name: (of.fates["good"], sum(of.broken.values())) for name, of in measured.items()} == {
        "imdb_feed": (3, 2),
        "movies_dataset": (1, 1),
        "quality_movies": (1, 1),
        "user_behavior": (1, 1),
    }

    for one in found(lake, EVERYTHING, LATER):
        assert one.problems == []
        assert (one.kind, len(one.all) > 0) == (one.kind, one.kind != "checks")
    assert listed(lake) == before, "who only asks changes nothing"
    assert set(gone(lake, now=datetime.now(UTC)).values()) == {0}, "nothing is old enough yet"
    counts = gone(lake)
    assert counts["rejects"] >= 6
    assert counts["outcomes"] == 2

    after = listed(lake)
    for prefix in ("rejects/", "bad-records/", "rule_outcome/"):
        assert any(key.startswith(prefix) for key in before)
        assert not any(key.startswith(prefix) for key in after)
    kept = {key for key in before.keys() - after.keys() if not key.startswith(("rejects/", "bad-", "rule_", "notif"))}
    assert {key.rpartition(".")[2] for key in kept} == {"json", "receipt"}
    assert set(gone(lake).values()) == {0}
    assert lake.read(f"manifests/{BAD.name}/files.txt") == b""

    assert damaged(lake, subjects.values()) == []
    assert [subject.owed() for subject in subjects.values()] == [{}] * len(subjects)
    assert command("status").output == status
    lake.delete([SUMMARIES])
    assert look_back(lake, timedelta(days=1)) == summary
    done = command("warehouse", "rebuild")
    assert done.exit_code == 0, done.output
    assert dict(contents(warehouse)) == was

    with pytest.raises(PlatformError, match="a replay cannot know which rows were good"):
        subjects["quality_movies"].process_archive()
    subjects["quality_movies"].run()
    assert quarantined_days(lake) == [DAY], "a day that is made anew has them again"
    assert damaged(lake, subjects.values()) == []


class Interrupted(LocalStore):
    """A store whose process ends after so many changes, in the middle of a list of deletions too."""

    left = 0

    def _count(self) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1

    def write(self, key: str, data: bytes) -> str:
        self._count()
        return super().write(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._count()
            super().delete([key])


def test_wherever_it_is_interrupted_the_same_again_does_the_rest(tmp_path: Path) -> None:
    changes = 0
    while True:
        folder = tmp_path / str(changes)
        subject = subject_of(Quality, (folder / "raw").as_uri(), (folder / "lake").as_uri(), folder)
        subject.deliver(1, files=FILES["quality_movies"])
        subject.process()
        store = Interrupted(subject.lake.uri)
        store.left = changes
        try:
            gone(store)
        except KeyboardInterrupt:
            changes += 1
            assert gone(subject.lake)
        else:
            break
        assert not list(subject.lake.objects("bad-records/"))
        assert QUALITY.owed(subject.raw, subject.lake, None, DAY, datetime.now(UTC)) == {}
        assert damaged(subject.lake, [subject]) == []
        shutil.rmtree(folder)
    assert changes >= 8


def test_what_a_run_wrote_anew_meanwhile_stays_and_what_is_damaged_is_left_to_be_mended(tmp_path: Path) -> None:
    subject = subject_of(Quality, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    with_rows_left_out({"quality_movies": subject}, tmp_path)
    lake, policy = subject.lake, Policy({"rejects": timedelta(days=90)})
    (one,) = found(lake, policy, LATER)
    subject.run()  # as another run does, between the look and the deletion
    take_away(lake, one)
    assert lake.info(bad_key(DAY))
    assert damaged(lake, [subject]) == []
    lake.write(f"rule_outcome/{DAY}.json", b"[]")
    (one,) = found(lake, policy, LATER)
    assert [(of.partition, of.problem) for of in one.problems] == [(DAY, "its products are not those of its receipt")]
    take_away(lake, one)
    assert lake.info(bad_key(DAY))
    assert DAY in subject.owed()


def test_a_receipt_says_what_is_left(tmp_path: Path) -> None:
    subject = subject_of(Quality, (tmp_path / "raw").as_uri(), (tmp_path / "lake").as_uri(), tmp_path)
    with_rows_left_out({"quality_movies": subject}, tmp_path)
    (before,) = receipts.standing(subject.lake, QUALITY.name, DAY).receipts
    gone(subject.lake)
    (after,) = receipts.standing(subject.lake, QUALITY.name, DAY).receipts
    assert (after.sequence, after.fingerprint) == (before.sequence, before.fingerprint)
    assert after.made == receipts.made_in(subject.lake, QUALITY.made)[DAY] != before.made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('archive = "365d"', "manifests name each archived file"),
        ('rejects = "59d"', "at least 60 days"),
        ("rejects = 365", "allowed is text of at least 60 days"),
        ('rejects = "soon"', "allowed is a number of seconds"),
        ('samples = "365d"', "there are rejects, outcomes"),
        ("rejects", "cannot be read as a policy"),
    ],
)
def test_a_policy_that_is_wrong_says_what_is_allowed(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(SettingsError, match=says):
        read_policy(tmp_path / "policy.toml")


def test_runs_that_loaded_nothing_go_but_the_newest_of_each_job() -> None:
    @dg.op
    def work() -> None: ...

    @dg.job
    def reconciliation() -> None:
        work()

    @dg.job
    def loading() -> None:
        work()

    with dg.DagsterInstance.ephemeral() as on:
        ids = [reconciliation.execute_in_process(instance=on).run_id for _ in range(3)]
        loading.execute_in_process(instance=on)
        assert old_runs(on, ["reconciliation"], LATER - timedelta(days=200)) == []
        assert set(old_runs(on, ["reconciliation"], LATER)) == set(ids[:2])
        for one in old_runs(on, ["reconciliation"], LATER):
            on.delete_run(one)
        assert old_runs(on, ["reconciliation"], LATER) == []
        assert on.get_runs_count() == 2


def test_the_command_takes_away_only_when_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, tmp_path, monkeypatch)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    lake = open_store((tmp_path / "lake").as_uri())
    lake.write("notifications/quality_movies/2026-01-01.json", b"{}")
    old = lake.local_path("notifications/quality_movies/2026-01-01.json")
    assert old
    os.utime(old, (0, 0))
    asked, again, done = (
        CliRunner().invoke(cli, ["retention", str(EXAMPLE), *more]) for more in ((), (), ("--delete",))
    )
    assert (asked.exit_code, done.exit_code) == (0, 0), asked.output
    assert asked.output == again.output
    assert "notices" in asked.output
    assert "1970-01-01" in asked.output
    assert "say it again with --delete" in asked.output
    assert "Taken away" in done.output
    assert list(lake.objects()) == []
