"""Every source behind one interface, without Dagster: deliver a content, run it, see what lake and warehouse hold.

A content is a small number that can be read back from everything that is made of it.
"""

import io
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from examples.box_office import source as box_office
from movie_platform.deliveries.source import Source
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import PlatformError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed import loading as feed_loading
from movie_platform.pipelines.imdb_feed import processing, refusals
from movie_platform.pipelines.imdb_feed.source import SOURCE as FEED
from movie_platform.pipelines.movies_dataset import loading as dataset_loading
from movie_platform.pipelines.movies_dataset.publication import Publication, publish_delivery, read_publication
from movie_platform.pipelines.movies_dataset.source import SOURCE as DATASET
from movie_platform.pipelines.quality_movies import loading as quality_loading
from movie_platform.pipelines.quality_movies.evaluation import judge_day
from movie_platform.pipelines.quality_movies.source import SOURCE as QUALITY
from movie_platform.pipelines.user_behavior import metric_build, purchases
from movie_platform.pipelines.user_behavior.classification import classify_day
from movie_platform.pipelines.user_behavior.source import SOURCE as BEHAVIOR
from movie_platform.pipelines.user_behavior.source import copy_to_lake
from movie_platform.pipelines.user_behavior.tables import USER_PURCHASE
from movie_platform.progress import LogProgress
from movie_platform.warehouse import Warehouse
from movie_platform.warehouse.duckdb.warehouse import DuckDBWarehouse
from movie_platform_tests.pipelines.imdb_feed.triplets import W, triplet
from movie_platform_tests.pipelines.imdb_feed.triplets import movie as feed_movie
from movie_platform_tests.pipelines.movies_dataset.zips import movie as dataset_movie
from movie_platform_tests.pipelines.movies_dataset.zips import zip_of
from movie_platform_tests.pipelines.quality_movies.conftest import delivery as quality_file
from movie_platform_tests.pipelines.quality_movies.conftest import movie as quality_movie
from movie_platform_tests.pipelines.quality_movies.conftest import rules_of

DAY = "2026-01-01"
BASE = datetime(2026, 1, 1, 6, tzinfo=UTC)


class Subject(ABC):
    """One window or day of a source, on a raw side, a lake and a warehouse."""

    source: Source
    partition = DAY
    names: tuple[str, ...]
    """Keys that are no delivery of this source, whatever they hold."""

    def __init__(self, raw: ObjectStore, lake: ObjectStore, warehouse: Warehouse) -> None:
        self.raw, self.lake, self.warehouse = raw, lake, warehouse

    @abstractmethod
    def files(self, content: int) -> dict[str, bytes]:
        """The raw keys of a delivery with this content."""

    @abstractmethod
    def broken(self) -> dict[str, bytes]:
        """A delivery that is refused for what it is."""

    @abstractmethod
    def process(self) -> None:
        """What the steps of a run make of the raw side, up to the lake."""

    @abstractmethod
    def process_archive(self) -> None:
        """What a run of everything behind the archive makes of it."""

    @abstractmethod
    def load(self) -> None:
        """What the loading step of a run does."""

    @abstractmethod
    def loaded(self) -> int | None:
        """The content that the warehouse serves."""

    @abstractmethod
    def in_lake(self) -> dict[str, int]:
        """The content of each product in the lake, archive included, by what it is."""

    def deliver(self, content: int, *, at: datetime | None = None, files: dict[str, bytes] | None = None) -> None:
        """Put a delivery where the source puts it; `at` dates it, on local disk."""
        for key, data in (self.files(content) if files is None else files).items():
            self.raw.write(key, data)
            if at and (path := self.raw.local_path(key)):
                os.utime(path, (at.timestamp(), at.timestamp()))

    def withdraw(self) -> None:
        self.raw.delete([info.key for info in self.raw.objects(self.source.prefix)])

    def run(self) -> None:
        """As a run of all assets: what it raises is what the run would fail with, or be tried again for."""
        self.process()
        self.load()

    def run_and_survive(self) -> str:
        try:
            self.run()
        except PlatformError as error:
            return str(error)
        return ""

    def owed(self, now: datetime | None = None) -> dict[str, str]:
        start = W if self.source.partition == "window" else DAY
        return self.source.owed(self.raw, self.lake, self.warehouse, start, now or datetime.now(UTC))

    def settle(self) -> None:
        """Run what is owed, as the sensor does after each reconciliation, until nothing is."""
        for _ in range(4):
            if not self.owed():
                return
            self.run_and_survive()
        raise AssertionError(f"still owed: {self.owed()}")


class Feed(Subject):
    source = FEED
    partition = W
    names = ("imdb_raw_data/2026-13-02/a.csv", "imdb_raw_data/readme.txt", "imdb_raw_data/202601010005/x.csv")

    def files(self, content: int) -> dict[str, bytes]:
        made = triplet(movies=[feed_movie(1, title=f"content {content}")])
        return {f"imdb_raw_data/{W}/{name}": data for name, data in made.items()}

    def broken(self) -> dict[str, bytes]:
        return dict.fromkeys(self.files(0), b"\xff\xfe")

    def process(self) -> None:
        self._outcome = processing.process(self.raw, self.lake, W)

    def process_archive(self) -> None:
        self._outcome = processing.clean_again(self.lake, W)

    def load(self) -> None:
        made = self._outcome.provenance or processing.provenance_of(self.lake, W)
        if made is None:
            return
        loads = feed_loading.load(self.warehouse, self.lake, [made], run_id="test")
        for failed, reason in loads.failed:
            processing.refuse(self.lake, failed.window, reason, transient=True)
        refusals.rebuild_log(self.lake)

    def loaded(self) -> int | None:
        return _content_of(self.warehouse, "SELECT DISTINCT title FROM imdb_movie_windows")

    def in_lake(self) -> dict[str, int]:
        keys = {"clean": processing.clean_key(W), "partitioned": processing.partitioned_key(W)}
        found = {what: _title(self.lake, key, "title") for what, key in keys.items() if self.lake.info(key)}
        archived = (
            self.lake.read(f"archive/{W}/{W}_type_A.csv") if self.lake.info(f"archive/{W}/{W}_type_A.csv") else b""
        )
        return {**found, **({"archive": _number(archived.decode())} if archived else {})}


class Quality(Subject):
    source = QUALITY
    names = ("input_data/x.csv.gz", "input_data/2026-13-02/a.csv", f"input_data/{DAY}/deeper/a.csv")

    def files(self, content: int) -> dict[str, bytes]:
        return {f"input_data/{DAY}/movies.csv": quality_file(quality_movie(f"content {content}"))}

    def broken(self) -> dict[str, bytes]:
        return {f"input_data/{DAY}/movies.csv": b""}

    def process(self) -> None:
        judge_day(self.raw, self.lake, DAY, rules_of())

    def process_archive(self) -> None:
        judge_day(self.raw, self.lake, DAY, rules_of(), replay=True)

    def load(self) -> None:
        record = quality_loading.judged(self.lake, DAY)
        if record.is_loaded:
            quality_loading.load_good(self.warehouse, self.lake, record, run_id="test")
        if record.state != "unreadable":
            quality_loading.load_history(self.warehouse, self.lake, record, run_id="test")

    def loaded(self) -> int | None:
        return _content_of(self.warehouse, "SELECT series_title FROM movies.imdb_movies_rating")

    def in_lake(self) -> dict[str, int]:
        key = f"stage/quality_movies/{DAY}.parquet"
        found = {"stage": _title(self.lake, key, "series_title")} if self.lake.info(key) else {}
        archive = f"archive/quality_movies/{DAY}/input_data/{DAY}/movies.csv"
        return {**found, **({"archive": _number(self.lake.read(archive).decode())} if self.lake.info(archive) else {})}


class Dataset(Subject):
    source = DATASET
    names = (
        "project-data/The-Movies-Dataset.zip",
        "project-data/2026-13-02/the-movies-dataset.zip",
        f"project-data/{DAY}/old/the-movies-dataset.zip",
    )

    @cache  # noqa: B019 - a zip holds the time at which it was made
    def files(self, content: int) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            movies = [dataset_movie(1, title=f"content {content}")]
            made = zip_of(Path(folder) / "a.zip", {"movies_metadata.csv": movies})
            return {f"project-data/{DAY}/the-movies-dataset.zip": made.read_bytes()}

    def broken(self) -> dict[str, bytes]:
        return {f"project-data/{DAY}/the-movies-dataset.zip": b"PK\x03\x04 and then nothing"}

    def process(self) -> None:
        with DuckDBEngine() as engine:
            found = publish_delivery(
                engine, LogProgress(), raw=self.raw.uri, lake=self.lake.uri, day=DAY, max_bytes=10**9, max_ratio=200.0
            )
        self._published = Publication.parse(found)

    def process_archive(self) -> None:
        """There is no archive beside the tables: a run of fewer tables makes all of them."""
        self.process()

    def load(self) -> None:
        published = getattr(self, "_published", None) or read_publication(self.lake, DAY)
        if published:
            dataset_loading.load(self.warehouse, self.lake, published, run_id="test")

    def loaded(self) -> int | None:
        return _content_of(self.warehouse, "SELECT title FROM movies_master")

    def in_lake(self) -> dict[str, int]:
        keys = {"master": f"movie_data_output/{DAY}/movies_master.parquet"}
        return {what: _title(self.lake, key, "title") for what, key in keys.items() if self.lake.info(key)}


class Behavior(Subject):
    """The content is the number of reviews of the one customer who also bought something."""

    source = BEHAVIOR
    names = ("movie_review/x.csv.gz", "movie_review/2026-13-02/a.csv", f"movie_review/{DAY}/deeper/a.csv")

    def files(self, content: int) -> dict[str, bytes]:
        reviews = "".join("1,a good film\n" for _ in range(content))
        return {f"movie_review/{DAY}/movie_review.csv": f"cid,review_str\n{reviews}".encode()}

    def broken(self) -> dict[str, bytes]:
        return {f"movie_review/{DAY}/movie_review.csv": b"not,the\ncolumns,expected\n"}

    def process(self) -> None:
        purchases.extract(OnePurchase(), self.lake, date.fromisoformat(DAY), pause=lambda _: None)
        copy_to_lake(self.raw, self.lake, date.fromisoformat(DAY))
        self.process_archive()

    def process_archive(self) -> None:
        with DuckDBEngine() as engine:
            classify_day(engine, LogProgress(), lake=self.lake.uri, day=DAY, classifier="token")
        self._made = metric_build.build(self.lake, date.fromisoformat(DAY))

    def load(self) -> None:
        metric_build.load(self.warehouse, self.lake, self._made, run_id="test")

    def loaded(self) -> int | None:
        with suppress(Exception):
            rows = self.warehouse.query("SELECT review_count FROM user_behavior_metric").to_pylist()
            return rows[0]["review_count"] if rows else None
        return None

    def in_lake(self) -> dict[str, int]:
        found = {}
        archive = f"raw/movie_review/{DAY}/movie_review.csv"
        if self.lake.info(archive):
            found["archive"] = self.lake.read(archive).count(b"good")
        stage = f"stage/movie_review/{DAY}/movie_review.parquet"
        if self.lake.info(stage):
            found["stage"] = pq.read_table(io.BytesIO(self.lake.read(stage))).num_rows
        metric = f"stage/user_behavior_metric/{DAY}/user_behavior_metric.parquet"
        if self.lake.info(metric):
            counts = pq.read_table(io.BytesIO(self.lake.read(metric)))["review_count"].to_pylist()
            found["metric"] = counts[0] if counts else 0
        return found


class BoxOffice(Subject):
    """The example of docs/add-a-source.md, held to the same claims."""

    source = box_office.SOURCE
    names = ("box_office/x.csv.gz", "box_office/2026-13-02/a.csv", f"box_office/{DAY}/deeper/a.csv")

    def files(self, content: int) -> dict[str, bytes]:
        text = f"date,imdb_id,gross,theaters\n{DAY},tt0000001,{content},1\n{DAY},tt0000002,-5,1\n"
        return {f"box_office/{DAY}/movies.csv": text.encode()}

    def broken(self) -> dict[str, bytes]:
        return {f"box_office/{DAY}/movies.csv": b"date,imdb_id\n"}

    def process(self) -> None:
        box_office.process(self.raw, self.lake, DAY)

    def process_archive(self) -> None:
        box_office.process(self.raw, self.lake, DAY)

    def load(self) -> None:
        box_office.load(self.warehouse, self.lake, DAY, run_id="test")

    def loaded(self) -> int | None:
        with suppress(Exception):
            rows = self.warehouse.query("SELECT total_gross FROM box_office_totals").to_pylist()
            return int(rows[0]["total_gross"]) if rows else None
        return None

    def in_lake(self) -> dict[str, int]:
        found = {}
        if self.lake.info(key := box_office.good_key(DAY)):
            found["good"] = pq.read_table(io.BytesIO(self.lake.read(key)))["gross"].to_pylist()[0]
        if self.lake.info(key := f"archive/box_office/{DAY}/movies.csv"):
            found["archive"] = int(self.lake.read(key).split(b"tt0000001,")[1].split(b",")[0])
        return found


class OnePurchase:
    """A shop in which customer 1 bought one thing on the day."""

    name = "one purchase"
    columns: dict[str, dict[str, str]] = {}  # noqa: RUF012 - as the embedded warehouse has before it is read

    def batches(self, day: date | None) -> Iterator[pa.RecordBatch]:
        row = {
            "invoice_number": "1",
            "stock_code": "a",
            "detail": "a thing",
            "quantity": 1,
            "invoice_date": datetime(2026, 1, 1, 12),  # noqa: DTZ001 - the shop's own time
            "unit_price": Decimal("2.500"),
            "customer_id": 1,
            "country": "France",
        }
        yield pa.RecordBatch.from_pylist([row], schema=USER_PURCHASE.arrow_schema)

    def without_date(self) -> int:
        return 0


SUBJECTS: tuple[type[Subject], ...] = (Feed, Dataset, Quality, Behavior, BoxOffice)


def subject_of(kind: type[Subject], raw: str, lake: str, folder: Path) -> Subject:
    warehouse = DuckDBWarehouse(folder / "warehouse.duckdb", wait=timedelta(seconds=0.3))
    return kind(open_store(raw), open_store(lake), warehouse)


def _content_of(warehouse: Warehouse, question: str) -> int | None:
    with suppress(Exception):
        rows = warehouse.query(question).to_pylist()
        (title,) = [next(iter(row.values())) for row in rows]
        return _number(title)
    return None


def _title(lake: ObjectStore, key: str, column: str) -> int:
    (title,) = set(pq.read_table(io.BytesIO(lake.read(key)))[column].to_pylist())
    return _number(title)


def _number(text: str) -> int:
    return int(text.partition("content ")[2].split(",")[0].split("\n")[0].strip('"'))


class Hooked:
    """Mixed into a store: something happens before each of its changes."""

    before_change: Callable[[str], None]

    def write(self, key: str, data: bytes) -> str:
        self.before_change(key)
        return super().write(key, data)  # type: ignore[misc]

    def upload(self, key: str, path: Path) -> str:
        self.before_change(key)
        return super().upload(key, path)  # type: ignore[misc]

    def create(self, key: str, data: bytes) -> bool:
        self.before_change(key)
        return super().create(key, data)  # type: ignore[misc]

    def delete(self, keys: object) -> None:
        names = list(keys)  # type: ignore[call-overload]
        if names:
            self.before_change(names[0])
        super().delete(names)  # type: ignore[misc]


def hook(store: ObjectStore, before_change: Callable[[str], None]) -> ObjectStore:
    """Another store at the same address whose changes are announced."""
    hooked: ObjectStore = type("HookedStore", (Hooked, type(store)), {})(store.uri)
    hooked.before_change = before_change  # type: ignore[attr-defined]
    return hooked
