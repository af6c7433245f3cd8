"""State that version 0.1.0 wrote is read by this one: cursors, markers, day records, Parquet metadata and the ledger.

`state/before_0_2.tar.xz` holds what 0.1.0 left on S3, where etags do not change with a copy: three windows, one of them
refused, two days of quality movies, a data set and a day of user behavior, the sensors' cursors and the warehouse.
"""

import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from movie_platform.definitions import build_defs
from movie_platform.deliveries import manifests
from movie_platform.deliveries.source import Source
from movie_platform.lake import open_store
from movie_platform.pipelines import PIPELINES, source_of
from movie_platform.pipelines.imdb_feed import processing, refusals
from movie_platform.pipelines.imdb_feed.status import feed_status
from movie_platform.pipelines.quality_movies.day_records import record_of
from movie_platform.settings import Settings, load_settings
from movie_platform.warehouse import open_warehouse
from movie_platform_tests.deliveries.sources import OnePurchase
from movie_platform_tests.pipelines.imdb_feed.triplets import movie, triplet

STATE = Path(__file__).parent / "state" / "before_0_2.tar.xz"
REFUSED = "202601010020"
SENSORS = {"user_behavior": "movie_review_arrivals"}


@pytest.fixture
def state(bucket: str, tmp_path: Path) -> tuple[Settings, dict[str, str]]:
    """A platform over a copy of what 0.1.0 left, and its cursors."""
    with tarfile.open(STATE) as archive:
        archive.extractall(tmp_path / "state", filter="data")
    for side in ("raw", "lake"):
        store = open_store(f"{bucket}/{side}")
        for path in sorted((tmp_path / "state" / side).rglob("*")):
            if path.is_file():
                store.write(path.relative_to(tmp_path / "state" / side).as_posix(), path.read_bytes())
    exported = tmp_path / "state" / "warehouse"
    script = exported / "load.sql"
    script.write_text(script.read_text().replace("FROM '", f"FROM '{exported}/"))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(f"IMPORT DATABASE '{exported}'")
    settings = load_settings(
        raw_uri=f"{bucket}/raw",
        lake_uri=f"{bucket}/lake",
        warehouse=f"duckdb:///{tmp_path}/warehouse.duckdb",
        warehouse_wait="0.5",
        dagster_home=tmp_path / "dagster",
    )
    return settings, json.loads((tmp_path / "state" / "cursors.json").read_text())


def sources() -> list[Source]:
    return [source_of(pipeline) for pipeline in PIPELINES]


def tick(settings: Settings, source: Source, cursor: str) -> Any:
    definitions = build_defs(settings, resources={"purchase_source": OnePurchase()})
    repository = definitions.get_repository_def()
    with dg.build_sensor_context(
        instance=dg.DagsterInstance.ephemeral(),
        cursor=cursor,
        repository_def=repository,
        resources={
            f"raw_{source.command}": open_store(settings.source_uri(source.command)),
            "lake": open_store(settings.lake_uri),
        },
    ) as context:
        name = SENSORS.get(source.name, f"{source.name}_arrivals")
        return repository.get_sensor_def(name).evaluate_tick(context)


def test_nothing_is_owed_and_nothing_is_asked_for_again(state: tuple[Settings, dict[str, str]]) -> None:
    settings, cursors = state
    lake, warehouse = open_store(settings.lake_uri), open_warehouse(settings)
    now = datetime(2026, 2, 1, tzinfo=UTC)
    for source in sources():
        raw = open_store(settings.source_uri(source.command))
        for cursor in (cursors[source.name], ""):
            asked = [request.run_key for request in tick(settings, source, cursor).run_requests or []]
            assert [key for key in asked if REFUSED not in key] == [], source.name
        assert source.owed(raw, lake, warehouse, source.start(settings), now) == {}
        assert source.owed(raw, lake, warehouse, source.start(settings), now) == {}, "and so it stays"


def test_windows_refusals_and_days_are_read_as_they_were_left(state: tuple[Settings, dict[str, str]]) -> None:
    settings, _ = state
    raw, lake = open_store(settings.raw_uri), open_store(settings.lake_uri)
    found = feed_status(raw, lake, settings.feed_start, datetime(2026, 2, 1, tzinfo=UTC))
    assert found.processed == ("202601010000", "202601010010")
    assert [refusal.window for refusal in found.refused] == [REFUSED]
    refusal = refusals.get(lake, REFUSED)
    assert refusal is not None
    assert not refusal.transient
    assert "type_C.csv is missing" in refusal.reason
    made = processing.provenance_of(lake, "202601010000")
    assert made is not None
    assert made.sequence == 0
    record = record_of(lake, "2026-01-01")
    assert record is not None
    assert record.is_loaded
    assert record.is_conserved


def test_a_correction_replaces_what_the_earlier_version_loaded(state: tuple[Settings, dict[str, str]]) -> None:
    from movie_platform.pipelines.imdb_feed.loading import load

    settings, _ = state
    raw, lake, warehouse = open_store(settings.raw_uri), open_store(settings.lake_uri), open_warehouse(settings)
    window = "202601010000"
    for name, data in triplet(window, movies=[movie(1, title="Corrected")]).items():
        raw.write(f"imdb_raw_data/{window}/{name}", data)
    outcome = processing.process(raw, lake, window)
    assert outcome.provenance is not None
    assert outcome.provenance.version == manifests.version_of(1)
    loads = load(warehouse, lake, [outcome.provenance], run_id="new")
    assert [result.outcome for result in loads.results] == ["loaded"]
    titles = warehouse.query(f"SELECT title FROM imdb_movie_windows WHERE \"window\" = '{window}'").to_pylist()
    assert titles == [{"title": "Corrected"}]


def test_a_window_is_cleaned_again_from_an_archive_without_a_manifest(state: tuple[Settings, dict[str, str]]) -> None:
    settings, _ = state
    lake = open_store(settings.lake_uri)
    before = processing.provenance_of(lake, "202601010010")
    outcome = processing.clean_again(lake, "202601010010")
    assert outcome.refusal is None
    assert outcome.provenance is not None
    assert before is not None
    assert (outcome.provenance.version, outcome.provenance.digest) == (before.version, before.digest)


def test_a_torn_archive_without_a_manifest_is_refused(state: tuple[Settings, dict[str, str]]) -> None:
    settings, _ = state
    lake = open_store(settings.lake_uri)
    window = "202601010010"
    lake.write(f"archive/{window}/{window}_type_A.csv", triplet(window, movies=[movie(7)])[f"{window}_type_A.csv"])
    outcome = processing.clean_again(lake, window)
    assert outcome.refusal is not None
    assert "no manifest" in outcome.refusal.reason


def test_a_clock_that_is_set_back_does_not_matter_to_what_was_loaded_before(
    state: tuple[Settings, dict[str, str]],
) -> None:
    """The ledger's time stamps of 0.1.0 sort before every sequence."""
    settings, _ = state
    rows = open_warehouse(settings).ledger()
    assert rows
    future = (datetime.now(UTC) + timedelta(days=3650)).isoformat()
    assert all(row.version < manifests.version_of(1) for row in rows if row.version)
    assert future < manifests.version_of(1)
