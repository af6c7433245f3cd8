"""Commands about the platform as a whole: where it stands, whether it is set up right, and a demonstration."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import click

from movie_platform.commands.terminal import out, safe, table
from movie_platform.errors import PlatformError
from movie_platform.lake import open_store
from movie_platform.notify import open_channel, read_routes
from movie_platform.pipelines.imdb_feed.status import feed_status
from movie_platform.settings import Settings, default_settings, load_settings, variable

PROBE = "doctor/probe"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show which windows of the feed are processed, waiting or refused, and why. Opens no warehouse."""
    settings = load_settings()
    raw, lake = open_store(settings.source_uri("feed")), open_store(settings.lake_uri)
    found = feed_status(raw, lake, settings.feed_start, datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        return
    latest = f", the latest {found.processed[-1]}" if found.processed else ""
    out.print(safe(f"processed: {len(found.processed)} windows{latest}"))
    out.print(safe(f"waiting:   {len(found.waiting)} windows {' '.join(found.waiting[:10])}"))
    out.print(safe(f"refused:   {len(found.refused)} windows"))
    if found.refused:
        rows = [(r.window, r.attempts, r.first_seen, r.serves or "nothing", r.reason) for r in found.refused]
        out.print(table("Refused windows", ("window", "attempts", "first seen", "serves", "reason"), rows))
    if found.strange:
        out.print(table("Folders that are no window", ("folder", "reason"), found.strange.items()))


@click.command()
def doctor() -> None:
    """Check that everything the settings name can be reached and used, and say what to fix."""
    settings = load_settings()
    rows, fine = [("settings", "ok", "")], True
    for name, check in _examinations(settings).items():
        try:
            rows.append((name, "ok", check()))
        except PlatformError as error:
            fine = False
            rows.append((name, "FAILED", str(error)))
    out.print(table("movie-platform doctor", ("part", "state", "what to know"), rows))
    if not fine:
        raise SystemExit(1)


def _examinations(settings: Settings) -> dict[str, Callable[[], str]]:
    def raw_side(uri: str) -> Callable[[], str]:
        def examine() -> str:
            store = open_store(uri)
            first = next(iter(store.objects()), None)
            if first is None:
                return f"{uri} can be listed and is empty: `movie-platform simulate feed` delivers samples"
            store.read(first.key)
            return f"{uri} can be listed and read"

        return examine

    def lake() -> str:
        store = open_store(settings.lake_uri)
        store.write(PROBE, b"probe")
        if store.read(PROBE) != b"probe" or not list(store.objects("doctor/")):
            raise PlatformError(f"{settings.lake_uri} does not give back what was written: set {variable('lake_uri')}")
        store.delete([PROBE])
        return f"{settings.lake_uri} can be listed, read, written and deleted from"

    def warehouse() -> str:
        from movie_platform.warehouse import open_warehouse

        loads = len(open_warehouse(settings).ledger())
        return f"{settings.warehouse} answers; {loads} loads committed so far"

    def channel(setting: str) -> Callable[[], str]:
        return lambda: open_channel(setting, settings.notify_urls).examine()

    def rules() -> str:
        count = len(read_routes(settings.notify_rules, settings.notify).rules)
        return f"{count} rules say who hears what" if count else "every channel hears everything"

    sources = {settings.source_uri(source) for source in ("feed", "dataset", "quality", "behavior")}
    return {
        **{f"raw side {uri}": raw_side(uri) for uri in sorted(sources)},
        "lake": lake,
        "warehouse": warehouse,
        **{f"notifier {setting}": channel(setting) for setting in settings.notify},
        "who hears what": rules,
    }


@click.command()
def demo() -> None:
    """Deliver samples of every source to .data/, run every pipeline on them, and show what came of it.

    Works on the embedded default, whatever the settings of this machine say.
    """
    from movie_platform.commands.demonstration import demonstrate

    if not demonstrate(default_settings()):
        raise SystemExit(1)
