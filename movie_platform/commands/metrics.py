"""The platform's numbers for whoever watches it: Prometheus, a textfile of its node exporter, CloudWatch."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click

from movie_platform.commands.terminal import err, safe
from movie_platform.errors import PlatformError, SettingsError
from movie_platform.setting_values import duration
from movie_platform.settings import Settings, load_settings

if TYPE_CHECKING:
    from movie_platform.orchestration.liveness import Work

EVERY = timedelta(minutes=5)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _every(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    try:
        return duration(value) if value else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--out", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write them to this file.")
@click.option("--serve", "port", type=click.IntRange(0, 65_535), metavar="PORT", help="Serve them until interrupted.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on.")
@click.option("--cloudwatch", metavar="NAMESPACE", help="Send those that alarms look at to CloudWatch.")
@click.option("--every", callback=_every, help="Go on, and collect them anew after so long; --serve does after 5m.")
def metrics(file: Path | None, port: int | None, host: str, cloudwatch: str | None, every: timedelta | None) -> None:
    """Print what the platform measures of itself, as Prometheus reads it.

    It is collected from the lake's records and Dagster's database while loads run, and never waits for the warehouse.
    """
    from movie_platform.lake import open_store
    from movie_platform.monitoring.cloudwatch import send
    from movie_platform.monitoring.metrics import collect, exposition

    settings = load_settings()
    lake = open_store(settings.lake_uri, settings.s3_waits)
    once = port is None and every is None

    def work() -> "Work":
        return _work(settings)

    def collected() -> str:
        found = collect(settings, lake, datetime.now(UTC), work)
        text = exposition(found)
        if cloudwatch:
            _delivered(lambda: send(cloudwatch, found, settings.aws_waits), once=once)
        if file:
            _delivered(lambda: write_whole(file, text), once=once)
        return text

    if once:
        text = collected()
        if not (file or cloudwatch):
            click.echo(text, nl=False)
        return
    pause = (every or EVERY).total_seconds()
    repeat(collected, pause, port, host, threading.Event())


def repeat(collected: Callable[[], str], pause: float, port: int | None, host: str, ends: threading.Event) -> None:
    """Collect until `ends` is set, and serve what was collected last: no request waits for a collection."""
    latest = [collected()]
    with _served(latest, host, port):
        while not ends.wait(pause):
            latest[0] = collected()


def write_whole(file: Path, text: str) -> None:
    """Replace the file at once: who reads it finds all of the old text or all of the new."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False) as made:
            made.write(text)
        part = Path(made.name)
        part.chmod(0o644)  # the node exporter is another user
        part.replace(file)
    except OSError as error:
        raise PlatformError(f"{file} cannot be written: {error.strerror}. Name another file with --out.") from error


def _delivered(deliver: Callable[[], None], *, once: bool) -> None:
    """Where numbers are collected again and again, one delivery that fails is no reason to end."""
    try:
        deliver()
    except PlatformError as error:
        if once:
            raise
        err.print(safe(str(error)))


def _work(settings: Settings) -> "Work":
    from movie_platform.orchestration.liveness import work_of
    from movie_platform.orchestration.pipeline_jobs import job_name
    from movie_platform.orchestration.runs import instance
    from movie_platform.pipelines import PIPELINES, source_of
    from movie_platform.report.definitions import JOB

    sources = [source_of(pipeline) for pipeline in PIPELINES]
    jobs = [name for source in sources for name in (job_name(source), f"{source.name}_reconciliation")]
    with instance(settings.dagster_home) as dagster:
        return work_of(dagster, [*jobs, JOB])


@contextmanager
def _served(latest: list[str], host: str, port: int | None) -> Iterator[None]:
    if port is None:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_there = self.path.split("?")[0] in ("/", "/metrics")
            body = (latest[0] if is_there else "The metrics are at /metrics.\n").encode()
            self.send_response(200 if is_there else 404)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """A line for each scrape helps nobody."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise SettingsError(f"{host}:{port} cannot be served on: {error.strerror}. Name another --serve.") from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    err.print(safe(f"metrics are at http://{host}:{server.server_address[1]}/metrics"))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
