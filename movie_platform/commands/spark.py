"""Data checked on Spark from the terminal: the driver is this process, its workers are where the setting says."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from movie_platform.errors import SettingsError
from movie_platform.lake import ObjectStore, open_store
from movie_platform.quality.errors import DataUnreadable
from movie_platform.settings import load_settings, variable

if TYPE_CHECKING:
    from movie_platform.engine.spark import SparkEngine
    from movie_platform.engine.stored_parquet import StoredParquet


@contextmanager
def spark_engine(name: str) -> "Iterator[SparkEngine]":
    """An engine on the master that the platform's engine setting names, on this machine where it names none.

    Raises SettingsError where there is no Spark here, or where the setting names a cluster of EMR.
    """
    try:
        from movie_platform.engine.spark import PYTHON_WORKS, SparkEngine, start_session
    except ImportError as missing:
        raise SettingsError(
            f"Spark is not installed ({missing}): install the platform with its extra, movie-platform[spark]"
        ) from missing
    settings = load_settings()
    master = settings.engine.removeprefix("spark").removeprefix(":") if settings.engine != "duckdb" else ""
    if master.startswith("emr"):
        raise SettingsError(
            f"{variable('engine')} is {settings.engine!r}, where drivers are started for runs only: run the pipeline, "
            f"or name another master for this command, such as {variable('engine')}=spark:spark://host:7077"
        )
    from movie_platform.engine.shipping import PREFIX

    work = None
    if master and not master.startswith("local"):
        work = open_store(settings.lake_uri, settings.s3_waits).uri_of(f"{PREFIX}work/{uuid.uuid4().hex}")
    session = start_session(
        f"movie-platform {name}",
        master=master or "local[*]",
        configuration={**PYTHON_WORKS, **settings.spark_conf},
    )
    try:
        with SparkEngine(session, work=work, waits=settings.s3_waits) as engine:
            yield engine
    finally:
        session.stop()


def data_for_spark(engine: "SparkEngine", address: str, missing: str = "") -> "StoredParquet":
    """The Parquet or CSV file at a path or an S3 address, or all below it; what workers do not reach goes to them."""
    from movie_platform.engine.spark_quality import csv_parts
    from movie_platform.engine.stored_parquet import StoredParquet
    from movie_platform.quality import RESULT_COLUMNS

    store, keys = _stored(address)
    if not keys:
        raise DataUnreadable(f"{address} does not exist, or has no file in it")
    kinds = {_is_parquet(store, key) for key in keys}
    if len(kinds) > 1:
        raise DataUnreadable(f"{', '.join(keys)} are partly Parquet and partly CSV")
    files = {key: key for key in keys}
    if store.local_path(keys[0]) is not None and not engine.shares_disk:
        prefix = engine.new_prefix("uploaded")
        for key in keys:
            engine.work.upload(prefix + key, Path(str(store.local_path(key))))
        store, files = engine.work, {key: prefix + key for key in keys}
    if kinds == {True}:
        return StoredParquet.of(store, files.values(), engine.waits, leave_out=RESULT_COLUMNS)
    return csv_parts(engine, store, files, [word for word in missing.split(",") if word])


def _stored(address: str) -> tuple[ObjectStore, list[str]]:
    """The store that an address is in, and the keys of the files there, hidden ones left out."""
    waits = load_settings().s3_waits
    if address.lower().startswith("s3://"):
        bucket, _, key = address[5:].partition("/")
        store = open_store(f"s3://{bucket}", waits)
        if key and not key.endswith("/") and store.info(key) is not None:
            return store, [key]
        prefix = f"{key.rstrip('/')}/" if key else ""
    else:
        path = Path(address).resolve()
        if path.is_file():
            return open_store(path.parent.as_uri(), waits), [path.name]
        if not path.is_dir():
            return open_store(Path.cwd().as_uri(), waits), []
        store, prefix = open_store(path.as_uri(), waits), ""
    keys = [info.key for info in store.objects(prefix)]
    return store, [key for key in keys if not key.rpartition("/")[2].startswith(("_", "."))]


def _is_parquet(store: ObjectStore, key: str) -> bool:
    from movie_platform.quality.data import SourceFile

    with store.open(key) as file:
        return SourceFile(key, file.read(4)).is_parquet
