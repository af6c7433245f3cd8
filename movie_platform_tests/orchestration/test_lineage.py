"""What runs made is said to an OpenLineage server, every run once, and no run waits for it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from movie_platform.definitions import build_defs
from movie_platform.errors import SettingsError
from movie_platform.orchestration.lineage import NAME
from movie_platform.orchestration.liveness import NOT_NOW
from movie_platform.orchestration.runs import run_partitions
from movie_platform.pipelines.imdb_feed.windows import LENGTH, shift
from movie_platform.pipelines.movies_dataset.tables import TABLES
from movie_platform.settings import default_settings, load_settings
from movie_platform_tests.pipelines.imdb_feed.platform import Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver
from movie_platform_tests.pipelines.movies_dataset import zips

BAD = shift(W, LENGTH)
DAY = "2026-01-01"
Event = dict[str, Any]


class Traced(Platform):
    """A platform whose lineage goes somewhere; its sensor is ticked by hand."""

    cursor: str | None = None

    def tick_lineage(self) -> str:
        repository = self.definitions.get_repository_def()
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor, repository_def=repository) as context:
            tick = repository.get_sensor_def(NAME).evaluate_tick(context)
        self.cursor = tick.cursor
        return tick.skip_message or ""


def by_asset(lines: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in lines:
        found.setdefault(event["job"]["name"], []).append(event)
    return found


def columns_of(event: Event) -> dict[str, set[tuple[str, str]]]:
    """By column of the output those of the inputs that it is made of."""
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    return {name: {(of["name"], of["field"]) for of in field["inputFields"]} for name, field in fields.items()}


def test_what_runs_made_is_written_with_inputs_columns_and_where_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "lineage.jsonl"
    platform = Traced(tmp_path, lineage=file.as_uri())
    deliver(platform.raw, W)
    assert platform.run(W).succeeded
    assert platform.tick_lineage() == "Begins with the next run."
    assert not file.exists()

    deliver(platform.raw, BAD, {"nothing.csv": b""})
    assert not platform.run(W, BAD).succeeded
    zipped = zips.zip_of(tmp_path / "a.zip", {"movies_metadata.csv": [zips.movie(1)]})
    platform.raw.upload(f"project-data/{DAY}/the-movies-dataset.zip", zipped)
    tables = [table.name for table in TABLES]
    assert run_partitions(platform.definitions, tables, [DAY], platform.instance).succeeded
    assert platform.tick_lineage() == "2 runs were sent."
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert platform.tick_lineage() == "0 runs were sent."
    assert len(file.read_text().splitlines()) == len(lines)

    found = by_asset(lines)
    assert {"imdb_archive", "imdb_clean", "imdb_movies", "movies_master", "movies_aggregated"} <= found.keys()
    for events in found.values():
        assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
        assert len({event["run"]["runId"] for event in events}) == 1
        assert events[0]["eventTime"] <= events[1]["eventTime"]
    clean = found["imdb_clean"][1]
    assert [of["name"] for of in clean["inputs"]] == ["imdb_archive"]
    assert [of["name"] for of in found["imdb_archive"][1]["inputs"]] == ["imdb_raw_triplet"]
    assert clean["run"]["facets"]["processing_engine"]["name"] == "dagster"
    assert UUID(clean["run"]["facets"]["parent"]["run"]["runId"])
    assert clean["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2026-01-01T00:00:00+00:00"
    assert clean["run"]["facets"]["nominalTime"]["nominalEndTime"] == "2026-01-01T00:10:00+00:00"
    schema = found["imdb_movies"][1]["outputs"][0]["facets"]["schema"]["fields"]
    assert {"movie_id", "title"} <= {column["name"] for column in schema}
    master = found["movies_master"][1]
    assert master["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert columns_of(master)["title"] == {("the_movies_dataset", "movies_metadata.csv: title")}
    assert {asset for of in columns_of(found["movies_aggregated"][1]).values() for asset, _ in of} == {"movies_master"}


def test_what_a_failed_run_did_not_make_fails_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "lineage.jsonl"
    platform = Traced(tmp_path, lineage=file.as_uri(), lineage_namespace="staging")
    platform.tick_lineage()
    deliver(platform.raw, BAD, {"nothing.csv": b""})
    assert not platform.run(BAD).succeeded
    platform.tick_lineage()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {event["job"]["namespace"] for event in lines} == {"staging"}
    ends = {name: events[-1] for name, events in by_asset(lines).items()}
    assert {event["eventType"] for event in ends.values()} == {"FAIL"}
    assert "three_files" in ends["imdb_archive"]["run"]["facets"]["errorMessage"]["message"]


@contextmanager
def server(answers: Iterator[int]) -> Iterator[tuple[str, list[tuple[str, str, Event]]]]:
    """The address of one that answers so, and what it accepted: path, authorization and event."""
    accepted: list[tuple[str, str, Event]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = next(answers)
            if status == 201:
                accepted.append((self.path, self.headers.get("Authorization", ""), body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}/openapi/openlineage", accepted
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def test_a_server_that_is_away_holds_back_no_run_and_gets_everything_later(tmp_path: Path) -> None:
    answers = iter([201, 503, *[201] * 100])
    with server(answers) as (address, accepted):
        platform = Traced(tmp_path, lineage=address, lineage_key="a token")
        platform.tick_lineage()
        deliver(platform.raw, W)
        assert platform.run(W).succeeded
        before = platform.cursor
        assert platform.tick_lineage().startswith(f"{NOT_NOW}{address} did not take the lineage of")
        assert platform.cursor == before
        assert platform.tick_lineage() == "1 runs were sent."
    assert {(path, key) for path, key, _ in accepted} == {("/openapi/openlineage/api/v1/lineage", "Bearer a token")}
    events = [(of["run"]["runId"], of["eventType"]) for _, _, of in accepted]
    assert len(events) == len(set(events)) + 1, "what was taken before the server went away comes once more, the same"
    assert len(set(events)) == 6


def test_lineage_is_off_unless_it_is_asked_for() -> None:
    assert NAME not in {sensor.name for sensor in build_defs(default_settings()).sensors or ()}


@pytest.mark.parametrize("address", ["marquez:5000", "https://me:secret@marquez", "file:relative", "s3://bucket/key"])
def test_an_address_that_is_none_stops_the_start(address: str) -> None:
    with pytest.raises(SettingsError, match="MOVIE_PLATFORM_LINEAGE"):
        load_settings(lineage=address)
