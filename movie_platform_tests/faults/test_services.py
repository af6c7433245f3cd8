"""What becomes of warehouses and AWS's control services that are reached and do not answer, or never to the end."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import dagster as dg
import pytest
from botocore.exceptions import ReadTimeoutError

from movie_platform.deliveries.announcements import Queue
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import ObjectStore, open_store
from movie_platform.monitoring import cloudwatch
from movie_platform.monitoring.metrics import Sample
from movie_platform.notify import open_channel
from movie_platform.orchestration import bulk
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIES
from movie_platform.secrets_manager import secret_text
from movie_platform.settings import Settings, load_settings
from movie_platform.warehouse import Warehouse, open_warehouse
from movie_platform.warehouse.catalog import Catalog
from movie_platform.warehouse.secrets import from_secrets_manager
from movie_platform_tests.faults.proxy import Fault, Proxy, address_of, proxied
from movie_platform_tests.faults.test_s3 import MARGIN, within
from movie_platform_tests.orchestration.bulk_runs import run_on
from movie_platform_tests.warehouse.redshift_stand_in import RedshiftStandIn, redshift_stand_in

SHORT = {"aws_connect": "0.3", "aws_answer": "0.1", "warehouse_connect": "0.5", "warehouse_statement": "0.5"}
EACH = 0.4
"""Seconds that one call to a service of AWS may take by these settings."""
TOPIC, BUS = "arn:aws:sns:us-east-1:123456789012:none", "events:none"
ROLE = "arn:aws:iam::123456789012:role/spark"

CALLS: dict[str, tuple[float, str, Callable[[Settings, ObjectStore], object]]] = {
    "Glue": (
        2 * EACH,
        "the Glue catalog's database movies could not be reached",
        lambda settings, lake: Catalog("movies", lake, settings.aws_waits).register_folder(IMDB_MOVIES, "clean_files/"),
    ),
    "SNS": (EACH, f"sns:{TOPIC} could not", lambda s, _: open_channel(f"sns:{TOPIC}", waits=s.aws_waits).examine()),
    "EventBridge": (EACH, f"{BUS} could not be reached", lambda s, _: open_channel(BUS, waits=s.aws_waits).examine()),
    "CloudWatch": (
        EACH,
        "CloudWatch's namespace movies could not be reached",
        lambda settings, _: cloudwatch.send("movies", [Sample("overdue", 1.0, {})], settings.aws_waits),
    ),
    "SQS": (EACH, "/movies could not be reached", lambda s, _: Queue("http://127.0.0.1/movies", s.aws_waits).examine()),
    "Secrets Manager": (
        EACH,
        "the secret mine, which MOVIE_PLATFORM_NOTIFY_URL_OPS names, could not be read",
        lambda settings, _: secret_text("mine", "MOVIE_PLATFORM_NOTIFY_URL_OPS", settings.aws_waits),
    ),
    "Secrets Manager for the warehouse": (
        EACH,
        "the warehouse's secret mine could not be read",
        lambda settings, _: from_secrets_manager("mine", settings.aws_waits),
    ),
}
"""Within how many seconds a call to a service that does not answer has ended, what it says, and the call."""


@pytest.fixture
def services(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxied(address_of(aws)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", proxy.address)
        yield proxy


FAULTS: tuple[Fault, ...] = ("hang before the first byte", "hang on connect", "hang in the answer")


@pytest.mark.parametrize("fault", [FAULTS[0], *(pytest.param(fault, marks=pytest.mark.soak) for fault in FAULTS[1:])])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_to_a_service_that_does_not_answer_ends_and_is_named(call: str, fault: Fault, services: Proxy) -> None:
    bound, says, work = CALLS[call]
    lake, settings = open_store("s3://lake"), load_settings(**SHORT)
    services.strike(fault)
    with pytest.raises(WorldUnavailable, match=says):
        within(bound + MARGIN, lambda: work(settings, lake))
    assert services.struck <= 2


def test_a_job_whose_service_did_not_answer_is_no_failed_job() -> None:
    watched = bulk._raising_what_it_said(dg.build_asset_context(), bulk._KeptFileMessages(), "module:job")
    with pytest.raises(WorldUnavailable, match=r"module:job: Read timeout .* The step is tried again"), watched:
        raise ReadTimeoutError(endpoint_url="https://emr")


@pytest.mark.soak
@pytest.mark.parametrize(
    ("engine", "hangs", "requests"),
    [
        ("emr", "AddJobFlowSteps", 1),  # a second request might start a second step
        ("emr", "DescribeStep", 4),
        ("emr-serverless", "/jobruns", 2),
    ],
)
def test_a_job_whose_emr_does_not_answer_ends_as_unavailable(
    engine: str, hangs: str, requests: int, services: Proxy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait in ("WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", "DEFAULT_SLEEP_INTERVAL"):  # for messages; none come
        monkeypatch.setattr(f"dagster._core.pipes.utils.{wait}", 0.02)
    monkeypatch.setattr(bulk, "POLLED", 2)
    instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    cluster = boto3.client("emr").run_job_flow(
        Name="spark", ReleaseLabel="emr-7.9.0", Instances=instances, JobFlowRole="x", ServiceRole="y"
    )["JobFlowId"]
    application = boto3.client("emr-serverless").create_application(
        name="spark", releaseLabel="emr-7.9.0", type="SPARK"
    )["applicationId"]
    named = f"spark:{engine}:{cluster if engine == 'emr' else application}"
    settings = load_settings(lake_uri=f"{bucket}/lake", engine=named, spark_role=ROLE, **SHORT)
    services.strike("hang before the first byte", matching=lambda head: hangs.encode() in head)
    with pytest.raises(WorldUnavailable, match=r"module:job: Read timeout .* The step is tried again"):
        within(6 * EACH + MARGIN, lambda: run_on(bulk.bulk_of(settings), "module:job", {}))
    assert services.struck == requests


LOGGED_IN = 600
"""Bytes that come through before the fault: enough to log in and to set the session up."""

REDSHIFT: dict[tuple[Fault, int], str] = {
    ("hang on connect", 0): "no connection to 127.0.0.1:{port}/dev: nobody was logged in within 0.5 s",
    ("hang before the first byte", 0): "no connection to 127.0.0.1:{port}/dev: nobody was logged in within 0.5 s",
    ("hang in the answer", LOGGED_IN): "a query: no whole answer came within 1 s (MOVIE_PLATFORM_WAREHOUSE_STATEMENT",
    ("drip", LOGGED_IN): "a query: no whole answer came within 1 s (MOVIE_PLATFORM_WAREHOUSE_STATEMENT",
    ("cut in the answer", LOGGED_IN): "a query: the connection broke: ",
    ("reset in the answer", LOGGED_IN): "a query: the connection broke: ",
}
"""What reading from Redshift says under each fault, after so many bytes of its answers."""
LONG_ANSWER = "SELECT repeat('x', 1000) || n AS text FROM generate_series(1, 100) AS n"


@pytest.fixture
def redshift(postgres: str) -> Iterator[RedshiftStandIn]:
    with redshift_stand_in(postgres) as stand_in:
        yield stand_in


def rows_of(warehouse: Warehouse) -> int:
    with warehouse.connect("a query") as connection:
        connection.begin()
        try:
            found = len(connection.fetch(LONG_ANSWER))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return found


@pytest.mark.parametrize(
    "case", [case if case[0].startswith("cut") else pytest.param(case, marks=pytest.mark.soak) for case in REDSHIFT]
)
def test_redshift_under_a_fault_ends_within_its_bound_and_says_which(
    case: tuple[Fault, int], redshift: RedshiftStandIn
) -> None:
    with proxied(("127.0.0.1", redshift.port), http=False) as proxy:
        address = f"redshift://{redshift.user}@127.0.0.1:{proxy.port}/dev?sslmode=disable"
        warehouse = open_warehouse(load_settings(warehouse=address, warehouse_password=redshift.password, **SHORT))
        proxy.strike(case[0], after=case[1])
        with pytest.raises(WorldUnavailable) as caught:
            within(2 + MARGIN, lambda: rows_of(warehouse))
        assert REDSHIFT[case].format(port=proxy.port) in str(caught.value)
        proxy.heal()
        patient = {"warehouse_connect": "30", "warehouse_statement": "30"}
        warehouse = open_warehouse(load_settings(warehouse=address, warehouse_password=redshift.password, **patient))
        assert rows_of(warehouse) == 100


LOGIN = {
    "data": {"token": "t", "masterToken": "m", "sessionId": 1, "parameters": [], "sessionInfo": {}},
    "success": True,
}


class Account(BaseHTTPRequestHandler):
    """Snowflake as far as logging in goes; what else is asked gets no whole answer."""

    hangs_at = ""
    """The path of the first request that does, and how."""
    how = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(LOGIN).encode()
        if self.path.startswith("/session/v1/login-request") and self.hangs_at != "login":
            self._answer(body, body)
        elif self.how == "half":
            self._answer(body, body[:20])
            self.server.over.wait(60)  # type: ignore[attr-defined]
        elif self.how == "drip":
            self._answer(body, b"")
            while not self.server.over.wait(0.1):  # type: ignore[attr-defined]
                self.wfile.write(b" ")
        else:
            self.server.over.wait(60)  # type: ignore[attr-defined]

    def _answer(self, whole: bytes, sent: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def account(hangs_at: str, how: str) -> Iterator[int]:
    handler = type("Handler", (Account,), {"hangs_at": hangs_at, "how": how})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.over = True, threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()


@pytest.mark.parametrize(
    ("hangs_at", "says"),
    {
        "login": "no connection to Snowflake account account: nobody was logged in within 0.5 s",
        "query": "Snowflake account account, a query: no whole answer came within 1 s (MOVIE_PLATFORM_WAREHOUSE_STATE",
    }.items(),
)
@pytest.mark.parametrize("how", ["nothing", *(pytest.param(how, marks=pytest.mark.soak) for how in ("half", "drip"))])
def test_snowflake_that_does_not_answer_ends_within_its_bound_and_says_so(how: str, hangs_at: str, says: str) -> None:
    with account(hangs_at, how) as port:
        address = f"snowflake://me@account/movies?host=127.0.0.1&port={port}&protocol=http"
        warehouse = open_warehouse(load_settings(warehouse=address, warehouse_password="x", **SHORT))
        with pytest.raises(WorldUnavailable) as caught:
            within(2 + MARGIN, lambda: warehouse.query("SELECT 1"))
    assert says in str(caught.value)
