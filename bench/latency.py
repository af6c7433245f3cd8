"""From the last file's landing to rows that can be queried: a real daemon, a sensor that looks every ten seconds.

With `--announced` the raw side is a bucket on moto's server, which announces in a queue what lands there.
Plays the client for twenty windows, one after the other, at moments that do not keep step with the sensor.
"""

import argparse
import json
import logging
import math
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from movie_platform.lake import open_store
from movie_platform.orchestration.runs import LOCAL_INSTANCE
from movie_platform.pipelines.imdb_feed.tables import IMDB_MOVIE_WINDOWS
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift, span
from movie_platform.samples.imdb_feed import FeedClient, deliver
from movie_platform.setting_values import PROJECT_ROOT
from movie_platform.settings import load_settings
from movie_platform.warehouse import open_warehouse

INTERVAL = 10
AT_MOST = 20.0
AT_MOST_ANNOUNCED = 6.0
READY_WITHIN, LOADED_WITHIN = 120.0, 120.0


def environment(folder: Path, start: str) -> dict[str, str]:
    return {
        "MOVIE_PLATFORM_RAW_URI": (folder / "raw").as_uri(),
        "MOVIE_PLATFORM_LAKE_URI": (folder / "lake").as_uri(),
        "MOVIE_PLATFORM_WAREHOUSE": f"duckdb:///{folder}/warehouse.duckdb",
        "MOVIE_PLATFORM_FEED_START": start,
        "MOVIE_PLATFORM_SENSOR_INTERVAL": str(INTERVAL),
        "DAGSTER_HOME": str(folder / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }


def announcing_bucket() -> dict[str, str]:
    """A bucket on moto's server, served by this process, and the queue that it announces to, as settings."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    os.environ.update(aws)
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    s3.create_bucket(Bucket="raw")
    queue = sqs.create_queue(QueueName="arrivals")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    announcing = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="raw", NotificationConfiguration=announcing)
    return {**aws, "MOVIE_PLATFORM_RAW_URI": "s3://raw", "MOVIE_PLATFORM_ARRIVALS": f"sqs:{queue}"}


def services(folder: Path) -> subprocess.Popen[bytes]:
    """A code server and a daemon, two processes as in production: a daemon that starts the server itself replaces it
    from time to time. The process is the first of a group that ends as one."""
    home = folder / "dagster"
    home.mkdir()
    shutil.copyfile(LOCAL_INSTANCE, home / "dagster.yaml")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {port}, location_name: movie_platform}}}}]"
    )
    programs, log = Path(sys.executable).parent, (folder / "daemon.log").open("wb")
    server = [str(programs / "dagster"), "code-server", "start", "--host", "127.0.0.1", "--port", port]
    server += ["--module-name", "movie_platform.definitions"]
    started = subprocess.Popen(server, cwd=PROJECT_ROOT, stdout=log, stderr=log, process_group=0)
    daemon = [str(programs / "dagster-daemon"), "run", "-w", str(workspace)]
    subprocess.Popen(daemon, cwd=PROJECT_ROOT, stdout=log, stderr=log, process_group=started.pid)
    return started


class Loads:
    """When each window's rows were committed, asked of the warehouse without keeping it from the loads for long."""

    def __init__(self) -> None:
        self.warehouse = open_warehouse(load_settings())

    def wait_for(self, window: str, seconds: float) -> datetime:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            rows = self.warehouse.ledger(IMDB_MOVIE_WINDOWS, window)
            if rows:
                return datetime.now(UTC)
            time.sleep(0.25)
        raise TimeoutError(f"{window} was not loaded within {seconds:g} s")


def show_profile(home: Path, landed: dict[str, datetime], queryable: dict[str, datetime]) -> None:
    """The parts' medians, and the slowest window's: until the run is asked for, until its worker executes it, until its
    rows are committed."""
    import dagster as dg

    parts: dict[str, list[float]] = {"asked for": [], "worker started": [], "loaded": []}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for record in instance.get_run_records():
            window = record.dagster_run.tags.get("dagster/partition", "")
            if window in queryable and record.start_time:
                moments = landed[window].timestamp(), record.create_timestamp.timestamp(), record.start_time
                times = (*moments, queryable[window].timestamp())
                for part, (begun, ended) in zip(parts.values(), pairwise(times), strict=True):
                    part.append(ended - begun)
    if parts["loaded"]:
        slowest = max(range(len(parts["loaded"])), key=lambda place: sum(of[place] for of in parts.values()))
        print("median ", {name: round(statistics.median(of), 1) for name, of in parts.items()})
        print("slowest", {name: round(of[slowest], 1) for name, of in parts.items()})


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--windows", type=int, default=20)
    options.add_argument("--at-most", type=float, default=600, metavar="SECONDS", help="then it stops by itself")
    options.add_argument("--announced", action="store_true", help="S3 announces what lands, and ticks wait for it")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the daemon ends also where this program is stopped
    last = key_of(datetime.now(UTC))
    windows = list(span(shift(last, -LENGTH * given.windows), last))
    client, choice = FeedClient(movies_a_window=300), random.Random(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ.update(environment(folder, windows[0]))
        if given.announced:
            os.environ.update(announcing_bucket())
        raw, loads = open_store(os.environ["MOVIE_PLATFORM_RAW_URI"]), Loads()
        process = services(folder)
        landed: dict[str, datetime] = {}
        queryable: dict[str, datetime] = {}
        until = time.monotonic() + given.at_most
        try:
            deliver(raw, windows[0], client.triplet(windows[0]))
            loads.wait_for(windows[0], READY_WITHIN)  # the code server is up; this window is not measured
            for window in windows[1:]:
                if time.monotonic() > until:
                    break
                time.sleep(choice.uniform(0, INTERVAL / 2))
                deliver(raw, window, client.triplet(window))
                landed[window] = datetime.now(UTC)
                queryable[window] = loads.wait_for(window, LOADED_WITHIN)
            show_profile(folder / "dagster", landed, queryable)
        except TimeoutError as error:
            print(error, (folder / "daemon.log").read_text(errors="replace")[-2000:], sep="\n")
            return 1
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
    waited = sorted((queryable[window] - landed[window]).total_seconds() for window in queryable)
    p50, p95 = statistics.median(waited), waited[math.ceil(len(waited) * 0.95) - 1]
    print(json.dumps({"windows": len(waited), "seconds": [round(each, 1) for each in waited]}))
    how, at_most = ("as announced", AT_MOST_ANNOUNCED) if given.announced else (f"every {INTERVAL} s", AT_MOST)
    print(f"p50 {p50:.1f} s, p95 {p95:.1f} s with a sensor that looks {how} (p95 at most {at_most:g} s wanted)")
    return 0 if p95 <= at_most else 1


if __name__ == "__main__":
    sys.exit(main())
