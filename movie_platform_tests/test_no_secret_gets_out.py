"""Credentials with a marked text go into every setting that takes one; nothing that a run leaves behind holds them."""

import base64
import json
import logging
import sqlite3
import sys
import traceback
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import dagster as dg
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from movie_platform.commands.main import main
from movie_platform.commands.options import mode
from movie_platform.engine.jobs import JobFailed
from movie_platform.errors import SettingsError
from movie_platform.orchestration import bulk
from movie_platform.orchestration.runs import instance
from movie_platform.settings import load_settings
from movie_platform_tests.hunting import Hunt, opened, password
from movie_platform_tests.notify.receivers import web_server
from movie_platform_tests.orchestration.bulk_runs import run_on
from movie_platform_tests.pipelines.imdb_feed.triplets import W
from movie_platform_tests.warehouse.redshift_stand_in import redshift_stand_in


def in_parquet(text: str) -> bytes:
    buffer = BytesIO()
    pq.write_table(pa.table({"a": ["other", f"x{text}x" * 3]}), buffer, compression="zstd")
    return buffer.getvalue()


def in_zip(text: str) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text * 20)
    return buffer.getvalue()


def in_sqlite(text: str) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE snapshots (body BLOB)")
    connection.execute("INSERT INTO snapshots VALUES (?)", [zlib.compress((text * 20).encode())])
    connection.commit()
    return connection.serialize()


def in_duckdb(text: str, folder: Path) -> bytes:
    with duckdb.connect(str(folder / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE a AS SELECT ? || n AS text FROM range(20000) r(n)", [text])
    return (folder / "a.duckdb").read_bytes()


PLANTED: dict[str, Callable[[str], bytes | str]] = {
    "as JSON": lambda text: json.dumps({"password": text}),
    "percent-encoded": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "backwards": lambda text: text[::-1],
    "as a message of Pipes": lambda text: (
        b"--conf x.DAGSTER_PIPES_CONTEXT=" + base64.b64encode(zlib.compress(json.dumps([text] * 9).encode())) + b" -x"
    ),
    **{
        f"in base64 from its byte {n}": lambda text, n=n: base64.b64encode(b"u" * n + text.encode())  # type: ignore[misc]
        for n in range(3)
    },
    "in Parquet": in_parquet,
    "in a zip": in_zip,
    "in a compressed cell of SQLite": in_sqlite,
}


@pytest.mark.parametrize("how", PLANTED)
def test_the_hunt_finds_a_credential(how: str) -> None:
    hunt = Hunt("planted")
    hunt.search("here", PLANTED[how]("of no interest"))
    assert hunt.found == set()
    hunt.search("here", PLANTED[how](password(hunt.cores["planted"])))
    assert hunt.found == {"planted in here"}


def test_the_hunt_finds_a_credential_in_a_warehouse_file(tmp_path: Path) -> None:
    hunt = Hunt("planted")
    hunt.search("here", in_duckdb(password(hunt.cores["planted"]), tmp_path))
    assert hunt.found == {"planted in here"}


NAMES = ("warehouse", "aws", "token", "lineage", "path", "user", "hook", "spark", "shop")
"""What each marked credential is of; those of the webhook are in three places of its address."""


class Surroundings:
    """A platform whose every credential is marked, run by its own command in this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, caplog: Any, port: int) -> None:
        self.folder, self.hunt = folder, Hunt(*NAMES)
        self._patch, self._capsys, self._caplog = monkeypatch, capsys, caplog
        cores = self.hunt.cores
        self.password = password(cores["warehouse"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", cores["aws"])
        monkeypatch.setenv("AWS_SESSION_TOKEN", cores["token"])
        self.set("WAREHOUSE_PASSWORD", self.password)
        self.set("PURCHASES_PASSWORD", password(cores["shop"]))
        self.set("LINEAGE", f"http://127.0.0.1:{port}/openlineage")
        self.set("LINEAGE_KEY", password(cores["lineage"], ascii_only=True))
        self.set("NOTIFY", "log,apprise:ops")
        hook = f"json://{cores['user']}:{cores['hook']}@127.0.0.1:{port}/{cores['path']}"
        self.set("NOTIFY_URL_OPS", hook)
        self.set("SPARK_CONF", f"spark.hadoop.fs.s3a.secret.key={cores['spark']};spark.ui.enabled=false")
        for source in ("FEED", "DATASET", "QUALITY", "BEHAVIOR"):
            self.set(f"{source}_START", W if source == "FEED" else "2026-01-01")
        monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
        caplog.set_level(logging.INFO)
        logging.getLogger("movie_platform").setLevel(logging.DEBUG)

    def set(self, name: str, value: str) -> None:
        self._patch.setenv(f"MOVIE_PLATFORM_{name}", value)

    def command(self, *arguments: str) -> tuple[int, str]:
        """How the command ended and what it printed, in which, as in the log, no credential is."""
        self._patch.setattr(sys, "argv", ["movie-platform", *arguments])
        mode.set()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = "\n".join(self._capsys.readouterr())
        self.hunt.search(f"output of {' '.join(arguments)}", printed)
        self.hunt.search(f"traceback of {' '.join(arguments)}", "".join(traceback.format_exception(ended.value)))
        self.hunt.search(f"log of {' '.join(arguments)}", self._caplog.text)
        self._caplog.clear()
        return int(ended.value.code or 0), printed


@pytest.fixture
def surroundings(
    tmp_path: Path,
    aws: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Surroundings]:
    with web_server() as receiver:
        made = Surroundings(tmp_path, monkeypatch, capsys, caplog, receiver.port)
        yield made
        # The address is what the receiver is reached by; what was sent there is searched.
        made.hunt.search_all("body of a request", [body for _, body in receiver.received])
    assert made.hunt.found == set()


def search_cloud(hunt: Hunt, bucket: str, topic: str, database: str) -> None:
    """Every object of the bucket, every notice to the topic, every table of the catalog."""
    s3, glue, name = boto3.client("s3"), boto3.client("glue"), bucket.removeprefix("s3://")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for of in page["Contents"]:
            found = s3.get_object(Bucket=name, Key=of["Key"])
            hunt.search(of["Key"], json.dumps([of["Key"], found["Metadata"]]))
            hunt.search(of["Key"], found["Body"].read())
    notices = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications
    assert notices
    hunt.search_all("notice", map(repr, notices))
    for table in glue.get_tables(DatabaseName=database)["TableList"]:
        hunt.search(table["Name"], repr(table))
        hunt.search(table["Name"], repr(glue.get_partitions(DatabaseName=database, TableName=table["Name"])))


def search_database(hunt: Hunt, address: str) -> None:
    """Every table and view of the PostgreSQL behind the Redshift stand-in."""
    with psycopg.connect(address) as connection:
        names = connection.execute(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (name,) in names:
            hunt.search(name, repr(connection.execute(f"SELECT * FROM {name}").fetchall()))


def send_lineage(surroundings: Surroundings) -> None:
    """Two ticks of the sensor: the first begins with the runs after it, so it is given a place before them."""
    from movie_platform.definitions import build_defs

    repository = build_defs().get_repository_def()
    with (
        instance(surroundings.folder / "home") as on,
        dg.build_sensor_context(instance=on, cursor="0", repository_def=repository) as context,
    ):
        tick = repository.get_sensor_def("openlineage").evaluate_tick(context)
    assert "runs were sent" in (tick.skip_message or "")


@pytest.fixture
def cloud(bucket: str, surroundings: Surroundings) -> tuple[str, str, str]:
    """Bucket, topic and catalog of a platform whose raw side and lake are on S3."""
    topic = boto3.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex}")["TopicArn"]
    database = f"catalog_{uuid.uuid4().hex}"
    surroundings.set("RAW_URI", f"{bucket}/raw")
    surroundings.set("LAKE_URI", f"{bucket}/lake")
    surroundings.set("NOTIFY", f"log,apprise:ops,sns:{topic}")
    surroundings.set("CATALOG_DATABASE", database)
    return bucket, topic, database


def test_no_credential_gets_out_of_the_feed(
    surroundings: Surroundings, cloud: tuple[str, str, str], postgres: str
) -> None:
    run, window = surroundings.command, ["--from", W, "--to", W]
    with redshift_stand_in(postgres, surroundings.password) as redshift:
        surroundings.set("WAREHOUSE", redshift.address)
        assert run("simulate", "feed", "--windows", "1", "--start", W, "--movies", "3", "--yes")[0] == 0
        code, printed = run("run", "feed", *window, "--json")
        assert (code, '"succeeded": true' in printed) == (0, True), printed
        for asked in (["status", "--json"], ["metrics"], ["report", "--out", str(surroundings.folder / "report.html")]):
            assert run(*asked)[0] == 0
        assert run("doctor", "--json")[0] == 0
        surroundings.hunt.search_all("statement", redshift.statements)

        redshift.password = "another"
        code, printed = run("run", "feed", *window, "--force", "--json", "--debug")
        assert (code, "password authentication failed" in printed) == (1, True), printed
    for address, ends, says in (
        (redshift.address, 1, "no connection to"),  # its server is gone
        (f"redshift://loader:{surroundings.password}@127.0.0.1/dev", 2, "MOVIE_PLATFORM_WAREHOUSE="),
    ):
        surroundings.set("WAREHOUSE", address)
        code, printed = run("doctor", "--debug")
        assert (code, says in printed) == (ends, True), printed
    surroundings.set("WAREHOUSE", redshift.address)
    send_lineage(surroundings)
    search_database(surroundings.hunt, postgres)
    search_cloud(surroundings.hunt, *cloud)
    surroundings.hunt.search_folder(surroundings.folder)
    assert {"home/history/runs.db", "report.html"} <= set(surroundings.hunt.places)


def test_what_a_job_on_emr_is_started_with_holds_no_credential(
    surroundings: Surroundings, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hunt, client, submitted = surroundings.hunt, bulk.aws_client, list[str]()
    secret = f"spark-{uuid.uuid4().hex}"
    boto3.client("secretsmanager").create_secret(Name=secret, SecretString=password(hunt.cores["spark"]))
    surroundings.set("LAKE_URI", f"{bucket}/lake")
    surroundings.set("SPARK_ROLE", "arn:aws:iam::123456789012:role/spark")

    class Emr:
        """Takes a job, and refuses it where it would start it."""

        def __getattr__(self, name: str) -> Any:
            def call(**request: Any) -> Any:
                submitted.append(json.dumps(request))
                raise RuntimeError(f"no {name} here")

            return call

    for wait in ("WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", "DEFAULT_SLEEP_INTERVAL"):  # for messages; none come
        monkeypatch.setattr(f"dagster._core.pipes.utils.{wait}", 0.02)
    monkeypatch.setattr(
        bulk, "aws_client", lambda name, *given, **more: Emr() if "emr" in name else client(name, *given, **more)
    )
    for engine in ("spark:emr:j-1", "spark:emr-serverless:00f1"):
        surroundings.set("ENGINE", engine)
        with pytest.raises(SettingsError) as caught:  # the credential itself stands in SPARK_CONF
            load_settings()
        hunt.search("refused settings", "".join(traceback.format_exception(caught.value)))
        with monkeypatch.context() as patch:
            patch.setenv("MOVIE_PLATFORM_SPARK_CONF", f"spark.hadoop.fs.s3a.secret.key=secret:{secret}")
            with pytest.raises(JobFailed):
                run_on(bulk.bulk_of(load_settings()), "module:job", {"lake": f"{bucket}/lake"})
    assert len(submitted) == 2
    hunt.search_all("request to EMR", submitted)
    assert all(any(secret in str(inner) for inner in opened(request.encode())) for request in submitted)


@pytest.mark.soak
def test_no_credential_gets_out_of_any_pipeline(
    java: None, surroundings: Surroundings, cloud: tuple[str, str, str], postgres: str
) -> None:
    run, day = surroundings.command, ["--from", "2026-01-01", "--to", "2026-01-01"]
    surroundings.set("ENGINE", "spark:local[1]")
    surroundings.set("WAREHOUSE", f"duckdb:///{surroundings.folder}/warehouse.duckdb")
    with shop(surroundings, postgres) as purchases:
        surroundings.set("PURCHASES", purchases)
        for source, *options in (
            ("feed", "--windows", "1", "--start", W),
            ("dataset", "--date", "2026-01-01", "--scale", "0.001"),
            ("quality", "--days", "1", "--start", "2026-01-01", "--rows", "50", "--defects"),
            ("behavior", "--days", "1", "--start", "2026-01-01", "--purchases", "50", "--reviews", "50"),
        ):
            assert run("simulate", source, *options, "--yes")[0] == 0
            asked = ["--from", W, "--to", W] if source == "feed" else day
            with surroundings.hunt.watching_processes() as seen:
                code, printed = run("run", source, *asked, "--json")
            assert (code, '"succeeded": true' in printed) == (0, True), printed
            assert source == "feed" or any("pyspark" in arguments for arguments in seen)
        page = str(surroundings.folder / "report.html")
        for asked in (["status"], ["answers", "--json"], ["metrics"], ["report", "--out", page]):
            assert run(*asked)[0] == 0
        surroundings.set("PURCHASES_PASSWORD", password(surroundings.hunt.cores["shop"]) + "wrong")
        code, printed = run("run", "behavior", *day, "--force", "--json", "--debug")
        assert (code, "could not be read" in printed) == (1, True), printed
    send_lineage(surroundings)
    search_cloud(surroundings.hunt, *cloud)
    surroundings.hunt.search_folder(surroundings.folder)
    assert {"warehouse.duckdb", "report.html"} <= set(surroundings.hunt.places)


@contextmanager
def shop(surroundings: Surroundings, postgres: str) -> Iterator[str]:
    """The address of the purchases' database, for a user of its own who needs the marked password."""
    user = f"shop_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        (file,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        known = conninfo_to_dict(postgres)
        before = Path(file).read_text()
        secret = sql.Literal(password(surroundings.hunt.cores["shop"]))
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(sql.Identifier(user), secret))
        try:
            Path(file).write_text(f"local all {user} scram-sha-256\nhost all {user} all scram-sha-256\n{before}")
            connection.execute("SELECT pg_reload_conf()")
            where = urlencode({"host": str(known["host"]), "port": str(known.get("port") or 5432)})
            yield f"postgresql://{user}@/{known['dbname']}?{where}"
        finally:
            Path(file).write_text(before)
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(user)))
