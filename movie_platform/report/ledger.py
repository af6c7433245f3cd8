"""The committed loads, as the warehouse's ledger last showed them."""

from movie_platform.report.markup import joined, note, table, tag
from movie_platform.report.section import Section
from movie_platform.report.sources import Inputs

FOLLOWS = "kept up with another table"


def ledger_section(inputs: Inputs) -> Section:
    found = inputs.ledger
    if not found.at:
        return Section("Ledger", joined([note("The ledger is not known yet."), note(found.source)]))
    about = f"As read at {found.at} from {found.source}. {found.total:,} loads are committed."
    if not found.loads:
        return Section("Ledger", note(about))
    summed = [(name, loads, FOLLOWS if rows is None else rows, at) for name, loads, rows, at in found.tables]
    tables = table(("table", "loads", "rows of each partition's last load", "last committed"), summed)
    columns = ("number", "table", "partition", "version", "outcome", "rows", "rows before", "committed")
    loads = [(str(number), *rest) for number, *rest in found.loads]
    newest = tag("details", tag("summary", f"The newest {len(loads)} loads"), table(columns, loads))
    return Section("Ledger", joined([note(about), tables, newest]))
