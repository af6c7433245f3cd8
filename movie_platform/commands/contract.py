"""Data contracts in the terminal: written for the platform's tables, read back to rules."""

from pathlib import Path

import click

from movie_platform.commands.groups import Commands
from movie_platform.commands.terminal import err, out, safe
from movie_platform.errors import PlatformError
from movie_platform.settings import load_settings


@click.group("contract", cls=Commands, sources={})
def contract() -> None:
    """Tables and rulesets as data contracts (ODCS 3.1), and rulesets out of contracts."""


@contract.command("export")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("contracts"),
    show_default=True,
    help="Where to write them.",
)
def export_contracts(folder: Path) -> None:
    """Write every table and ruleset as a data contract, a file a source.

    Types are those of the warehouse that the settings name; it is not opened.
    """
    from movie_platform.contracts.catalogue import contracts
    from movie_platform.contracts.writing import written
    from movie_platform.warehouse import open_warehouse

    settings = load_settings()
    texts = {
        f"{name}.odcs.yaml": (written(document), len(document["schema"]))
        for name, document in contracts(settings, open_warehouse(settings).dialect.type_name)
    }
    for name, (text, tables) in texts.items():
        _write(folder / name, text)
        out.print(safe(f"{tables} tables written to {folder / name}"))


@contract.command("import")
@click.argument("file", metavar="CONTRACT", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--table", "wanted", metavar="NAME", help="The table whose rules are read, where there are several.")
@click.option(
    "--out",
    "rules_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the ruleset instead of printing it.",
)
def import_contract(file: Path, wanted: str | None, rules_file: Path | None) -> None:
    """Turn a table's part of CONTRACT (ODCS 3, YAML or JSON) into a ruleset.

    What cannot be said in rules is named as comments of the ruleset and on the error output.
    """
    from movie_platform.contracts.importing import read_contract
    from movie_platform.contracts.reading import MOST_BYTES

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as failure:
        raise PlatformError(f"{file} cannot be read: {failure.strerror}") from failure
    tables = {imported.table: imported for imported in read_contract(data)}
    if wanted is None and len(tables) > 1:
        with_rules = ", ".join(name for name, imported in tables.items() if imported.ruleset)
        raise PlatformError(f"{file.name} has {len(tables)} tables; name one with --table. With rules: {with_rules}")
    imported = tables.get(wanted) if wanted is not None else next(iter(tables.values()))
    if imported is None:
        raise PlatformError(f"{file.name} has no table {wanted}; it has {', '.join(tables)}")
    for what in imported.left_out:
        err.print(safe(f"Not a rule: {what}"), style="yellow")
    if not imported.ruleset:
        raise PlatformError(f"the contract of {imported.table} holds nothing that can be said in rules")
    if rules_file is None:
        click.echo(safe(imported.render()).plain, nl=False)
        return
    _write(rules_file, imported.render())
    out.print(safe(f"{len(imported.ruleset)} rules written to {rules_file}"))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as failure:
        raise PlatformError(f"{path} cannot be written: {failure.strerror}") from failure
