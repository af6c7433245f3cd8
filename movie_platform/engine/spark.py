"""Spark, for data that is too large for one machine: in this process, on a standalone cluster, or on EMR.

What a cluster's machines exchange with the driver beside Spark's own traffic goes through the work store: the records
of a source, cut into Parquet parts, and the parts that are written. It is a folder that all of them reach, on a local
master a temporary one, else the lake.
"""

import inspect
import itertools
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.formats.pyarrow import PyArrowSchema, PyArrowType

from movie_platform.addresses import holds_secret
from movie_platform.csv_files.columns import CsvFile, RecordColumn
from movie_platform.csv_files.records import read_records
from movie_platform.engine.protocol import Format, LiteralReader
from movie_platform.engine.relation import Relation, Rows, expression_of
from movie_platform.engine.spark_worker import Part, literals_as_json, read_part, write_part
from movie_platform.errors import SettingsError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.lake.parquet import ArrowSink
from movie_platform.secrets_manager import REFERENCE, secret_text
from movie_platform.settings import defaults_for_programs, java_found
from movie_platform.waits import Waits

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import DataFrame, SparkSession

PART_BYTES = 4 * 2**20
"""Records of a source go to the cluster in parts of this size in memory: many, so that each worker gets some."""

JAVA_MISSING = (
    "Spark needs Java 17 and none was found: install openjdk-17-jre-headless (apt) or java-17 (brew, yum), "
    "or point JAVA_HOME at one"
)

CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "32",
    # A dead worker is noticed in seconds, and its tasks run elsewhere.
    "spark.network.timeout": "60s",
    "spark.executor.heartbeatInterval": "5s",
    "spark.task.maxFailures": "4",
    "spark.ui.showConsoleProgress": "false",
}


PYTHON_WORKS = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
}
"""For work of which Java moves bytes only: compiling itself quickly, and no further, halves its processor time."""

_numbers = itertools.count(1)
"""Engines of one process share a session, and a view's name is the session's."""


class SparkEngine:
    """Bulk transforms on a Spark session. What executors must import comes to them by the session's own means.

    `work` is a place that driver and executors reach; without one they share this machine's disk.
    """

    name = "spark"

    def __init__(self, session: "SparkSession", *, work: str | None = None, waits: Waits | None = None) -> None:
        self.waits = waits or Waits()
        self._folder = None if work else tempfile.TemporaryDirectory(prefix="movie-platform-spark-")
        base = work or Path(self._folder.name).as_uri()  # type: ignore[union-attr]
        self._work = open_store(f"{base}/{uuid.uuid4().hex}", self.waits)
        self._session = session
        self._staged: dict[str, DataFrame] = {}
        self._counts: dict[str, int] = {}
        self._written: dict[Path, list[str]] = {}
        """Keys of what was written, where executors cannot read this machine's disk."""

    @cached_property
    def _ibis(self) -> Any:
        # Rules are judged without it, and Spark takes a second to make its SQL ready.
        return ibis.pyspark.connect(self._session)

    @property
    def spark_context(self) -> "SparkContext":
        """The session's, for what no transform can say."""
        return self._session.sparkContext

    @property
    def work(self) -> ObjectStore:
        """The work store; what is in it is removed when the engine is closed."""
        return self._work

    @property
    def shares_disk(self) -> bool:
        """Whether the workers read and write this machine's disk."""
        return self._folder is not None

    def new_prefix(self, what: str) -> str:
        """A prefix of the work store that nobody else has."""
        return f"{what}-{next(_numbers)}/"

    def records(self, name: str, file: CsvFile, columns: Sequence[RecordColumn]) -> Relation:
        prefix = f"records-{next(_numbers)}/"
        reader = read_records(file, columns)
        keys: list[str] = []
        count = 0
        for batches in _parts(reader):
            keys.append(f"{prefix}{len(keys):05}.parquet")
            part = pa.Table.from_batches(batches, reader.schema)
            with self._work.writer(keys[-1]) as out:
                pq.write_table(part, ArrowSink(out.write), compression="snappy")
            count += part.num_rows
        self._counts[name] = count
        return self._handed_out(name, self._read(keys, reader.schema))

    def record_count(self, records: Relation) -> int:
        return self._counts[records.name]

    def literal(self, kind: pa.DataType) -> LiteralReader:
        from ibis.backends.pyspark.datatypes import PySparkType

        def read(texts: pd.Series) -> pd.Series:
            return literals_as_json(texts, kind=kind)

        type_ = PyArrowType.to_ibis(kind)
        as_json = self._function("literals", read, dt.string)
        from_json = _spark_function("from_json", (dt.string, dt.string), type_)
        wanted = PySparkType.from_ibis(type_).simpleString()
        return lambda text: from_json(as_json(text), wanted)

    def parquet(self, name: str, paths: Sequence[Path]) -> Relation:
        if self._folder is not None:
            return self._handed_out(name, self._session.read.parquet(*[path.as_uri() for path in paths]))
        keys = [key for path in paths for key in self._written.get(path) or self._uploaded(path)]
        with self._work.open(keys[0]) as first:
            schema = pq.read_schema(first)
        return self._handed_out(name, self._read(keys, schema))

    def _uploaded(self, path: Path) -> list[str]:
        """Workers do not see this machine's disk: its files go to the work store first."""
        prefix = f"uploaded-{next(_numbers)}/"
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            self._work.upload(prefix + file.name, file)
        return [prefix + file.name for file in files]

    def numbers(self, function: Callable[[Sequence[str]], Sequence[int]], text: ir.StringValue) -> ir.IntegerValue:
        def answer(texts: pd.Series) -> pd.Series:
            return pd.Series(function(texts.tolist()), texts.index, "int64")

        return self._function("numbers", answer, dt.int64)(text)

    def stage(self, name: str, rows: Rows) -> Relation:
        from pyspark import StorageLevel

        frame = self._frame(expression_of(rows)).persist(StorageLevel.MEMORY_AND_DISK)
        frame.count()
        if name in self._staged:
            self._staged.pop(name).unpersist()
        self._staged[name] = frame
        return self._handed_out(name, frame)

    def to_arrow(self, rows: Rows) -> pa.Table:
        table = expression_of(rows)
        return self._frame(table).toArrow().cast(PyArrowSchema.from_ibis(table.schema()))

    def write(self, rows: Rows, path: Path, kind: Format, schema: pa.Schema) -> int:
        table = expression_of(rows)
        types = {field.name: PyArrowType.to_ibis(field.type) for field in schema}
        frame = self._frame(table.select(**{name: table[name].cast(type_) for name, type_ in types.items()}))
        prefix = f"written-{next(_numbers)}/"
        part = partial(write_part, store=self._work.uri, waits=self.waits, prefix=prefix, kind=kind, schema=schema)
        written = sorted(Part(*row) for row in frame.mapInArrow(part, Part.SPARK_SCHEMA).collect())
        if not written:
            nothing = schema.empty_table().to_batches() or [pa.RecordBatch.from_pylist([], schema)]
            list(part(iter(nothing), number=0, even_if_empty=True))
            written = [Part(0, 0)]
        path.mkdir(parents=True)
        keys = [entry.key(prefix, kind) for entry in written]
        for number, key in enumerate(keys):
            target = path / f"part-{number:05}.{kind}"
            if self._folder is not None:
                shutil.move(str(self._work.local_path(key)), target)
            else:
                with self._work.open(key) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out, 8 * 2**20)
                self._written[path] = keys
        return sum(entry.rows for entry in written)

    def side_by_side(self, steps: Sequence[Callable[[], None]]) -> Iterator[None]:
        """One after the other: a step's jobs have all executors for themselves."""
        for step in steps:
            yield step()

    def close(self) -> None:
        """Removes what was staged. The session is the one who made it's to stop."""
        for frame in self._staged.values():
            frame.unpersist()
        self._work.delete([info.key for info in self._work.objects()])
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _function(self, name: str, function: Callable[[pd.Series], pd.Series], answer: dt.DataType) -> Any:
        """A function of a text on the workers. Spark hears of it at once, and Ibis takes it for one of Spark's own."""
        from ibis.backends.pyspark.datatypes import PySparkType
        from pyspark.sql.pandas.functions import pandas_udf

        name = f"{name}_{next(_numbers)}"
        self._session.udf.register(name, pandas_udf(function, PySparkType.from_ibis(answer)))  # type: ignore[call-overload]
        return _spark_function(name, (dt.string,), answer)

    def _read(self, keys: Sequence[str], schema: pa.Schema) -> "DataFrame":
        from pyspark.sql.pandas.types import from_arrow_schema

        if self._work.local_path(keys[0]) is not None:
            return self._session.read.parquet(*[self._work.uri_of(key) for key in keys])
        # Spark itself knows no S3 unless jars are added; its workers reach the store as everybody here does.
        listed = self._session.createDataFrame([(key,) for key in keys], "key string").repartition(len(keys))
        return listed.mapInArrow(partial(read_part, store=self._work.uri, waits=self.waits), from_arrow_schema(schema))

    def _frame(self, table: ir.Table) -> "DataFrame":
        # Making a view is Ibis' way to make frames that an expression holds known to Spark.
        name = f"expression_{next(_numbers)}"
        self._ibis.create_view(name, table)
        return self._session.table(name)

    def _handed_out(self, name: str, frame: "DataFrame") -> Relation:
        view = f"table_{next(_numbers)}"
        frame.createOrReplaceTempView(view)
        return Relation(name, lambda: self._ibis.table(view))


def start_session(
    name: str, *, master: str | None = None, configuration: Mapping[str, str] | None = None
) -> "SparkSession":
    """A session on a master, its workers with this interpreter and package; None takes what spark-submit has set.

    No value that looks like a secret, or that `secret:<name>` stands for, is an argument of the program that starts.
    Spark's own UI listens on loopback where the master is on this machine, unless `spark.driver.bindAddress` is set;
    with workers elsewhere there is none unless `spark.ui.enabled` asks for it.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    settings = {**CONFIGURATION, **(configuration or {})}
    variables: dict[str, str] = {}
    if master is not None:
        if not java_found():
            raise SettingsError(JAVA_MISSING)
        settings["spark.executorEnv.PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        settings.setdefault("spark.python.daemon.module", "movie_platform.engine.spark_daemon")
        settings["spark.master"] = master
        variables = _listening(settings, master)
    secrets = {name for name, value in settings.items() if value.startswith(REFERENCE) or holds_secret(name, value)}
    public = SparkConf(loadDefaults=False).setAll([pair for pair in settings.items() if pair[0] not in secrets])
    with defaults_for_programs(**variables):
        SparkContext._ensure_initialized(conf=public)  # starts Java; what a session's builder holds would be arguments
    builder = SparkSession.builder.appName(name)
    for key, value in settings.items():
        is_reference = value.startswith(REFERENCE)
        builder = builder.config(key, secret_text(value.removeprefix(REFERENCE), key) if is_reference else value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    if master is not None:
        session.sparkContext.pythonExec = sys.executable  # workers would look for a python3 of their own
    return session


def _listening(settings: dict[str, str], master: str) -> dict[str, str]:
    """Fills in where the driver listens; the variables are for Java, which takes the UI's address from nowhere else."""
    if not (master.startswith("local") or urlsplit(master).hostname in {"127.0.0.1", "localhost"}):
        settings.setdefault("spark.ui.enabled", "false")
        return {}
    settings.setdefault("spark.driver.host", "127.0.0.1")
    if "spark.driver.bindAddress" in settings:
        return {}
    settings["spark.driver.bindAddress"] = "127.0.0.1"
    return {"SPARK_LOCAL_IP": "127.0.0.1"}


def _spark_function(name: str, arguments: tuple[dt.DataType, ...], answer: dt.DataType) -> Any:
    def declared(*_: Any) -> Any:
        """Ibis takes a function's names from here, and its types from the signature."""

    names = [inspect.Parameter(f"argument_{n}", inspect.Parameter.POSITIONAL_ONLY) for n in range(len(arguments))]
    declared.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]
    return ibis.udf.scalar.builtin(declared, name=name, signature=(arguments, answer))


def _parts(reader: pa.RecordBatchReader) -> Iterator[list[pa.RecordBatch]]:
    """The records in parts, at least one, so that a file without records is a table without rows."""
    waiting: list[pa.RecordBatch] = []
    size = parts = 0
    for batch in reader:
        waiting.append(batch)
        size += batch.nbytes
        if size >= PART_BYTES:
            yield waiting
            waiting, size, parts = [], 0, parts + 1
    if waiting or not parts:
        yield waiting
