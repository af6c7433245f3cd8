"""A tick of the feed's sensor over a long history, against one over a short history.

On disk: its time over 300,000 keys and over 300. On S3 (moto's server): its calls and the keys they return, counted on
the wire.
"""

import http.client
import logging
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

from movie_platform.lake import ObjectStore, open_store
from movie_platform.pipelines.imdb_feed.arrivals import Cursor, Schedule, scan
from movie_platform.pipelines.imdb_feed.windows import LENGTH, key_of, shift, span, start_of

AT_MOST = 1.5
KINDS = "ABC"
TICKS = 30
LAST = key_of(datetime(2026, 1, 1, tzinfo=UTC))


def history(windows: int) -> list[str]:
    return list(span(shift(LAST, -LENGTH * (windows - 1)), LAST))


def keys(windows: list[str]) -> list[str]:
    return [f"imdb_raw_data/{window}/{window}_type_{kind}.csv" for window in windows for kind in KINDS]


def on_disk(root: Path, windows: list[str]) -> ObjectStore:
    for window in windows:
        folder = root / "imdb_raw_data" / window
        folder.mkdir(parents=True)
        for kind in KINDS:
            os.close(os.open(folder / f"{window}_type_{kind}.csv", os.O_CREAT | os.O_WRONLY))
    return open_store(root.as_uri())


def settled(raw: ObjectStore, lake: ObjectStore, windows: list[str], now: datetime) -> tuple[Cursor, Schedule]:
    """The cursor of a sensor that has seen everything."""
    schedule = Schedule(windows[0], timedelta(seconds=61), timedelta(hours=24))
    before = Cursor(settled=LAST)
    return scan(raw, lake, before, schedule, now).new_cursor, schedule


def tick_times(raw: ObjectStore, lake: ObjectStore, windows: list[str]) -> list[float]:
    now = start_of(LAST) + timedelta(minutes=5)
    cursor, schedule = settled(raw, lake, windows, now)
    times = []
    for _ in range(TICKS):
        began = time.perf_counter()
        found = scan(raw, lake, Cursor.parse(str(cursor)), schedule, now)
        str(found.new_cursor)
        times.append(time.perf_counter() - began)
        assert found.requests == ()
    return times


class Counting(BaseHTTPRequestHandler):
    """Hands every call on to moto's server, and counts it and the keys in its answer."""

    upstream: str
    calls: ClassVar[Counter[str]] = Counter()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        connection = http.client.HTTPConnection(self.upstream)
        connection.request(self.command, self.path, headers=dict(self.headers))
        answer = connection.getresponse()
        body = answer.read()
        listing = "list-type" in self.path
        self.calls["list calls" if listing else f"{self.command.lower()} calls"] += 1
        self.calls["keys"] += body.count(b"<Key>") if listing else 0
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        connection.close()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """The terminal belongs to the results."""


def calls_on_s3(windows: list[str], bucket: str) -> Counter[str]:
    """The keys are put straight into moto's memory; only the tick goes over HTTP."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in (bucket, f"{bucket}-lake"):
        backend.create_bucket(name, "us-east-1")
    for key in keys(windows):
        backend.put_object(bucket, key, b"")
    raw, lake = open_store(f"s3://{bucket}"), open_store(f"s3://{bucket}-lake")
    now = start_of(LAST) + timedelta(minutes=5)
    cursor, schedule = settled(raw, lake, windows, now)
    Counting.calls.clear()
    found = scan(raw, lake, cursor, schedule, now)
    assert found.requests == ()
    return Counter(Counting.calls)


def served() -> None:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    Counting.upstream = urlsplit("http://{}:{}".format(*moto.get_host_and_port())).netloc
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    Thread(target=proxy.serve_forever, daemon=True).start()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.server_address[1]}",
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
    )


def main() -> int:
    long, short = history(100_000), history(100)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        stores = {name: on_disk(folder / name, windows) for name, windows in (("long", long), ("short", short))}
        lake = open_store((folder / "lake").as_uri())
        times = {name: tick_times(raw, lake, history(100)) for name, raw in stores.items()}
    medians = {name: statistics.median(each) for name, each in times.items()}
    ratio = medians["long"] / medians["short"]
    print(f"on disk: {medians['long'] * 1000:.2f} ms over 300,000 keys, {medians['short'] * 1000:.2f} ms over 300")
    print(f"ratio {ratio:.2f} (at most {AT_MOST} wanted)")

    served()
    # The short history fills the look-back, as the long one does.
    counted = {len(windows): calls_on_s3(windows, f"history-{len(windows)}") for windows in (long, history(145))}
    for windows, calls in counted.items():
        print(f"on S3 over {windows * 3:,} keys: {dict(calls)}")
    same = len({tuple(sorted(calls.items())) for calls in counted.values()}) == 1
    print("the same calls and keys" if same else "OTHER calls and keys")
    return 0 if ratio <= AT_MOST and same else 1


if __name__ == "__main__":
    sys.exit(main())
