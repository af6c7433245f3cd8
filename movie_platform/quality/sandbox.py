"""SQL of rule authors, run where it can read the judged data and nothing else, for a limited time.

Statements are read as Spark's SQL, which rulesets are written in, and run on DuckDB. They are checked twice: by their
shape before they run (one SELECT over the known tables), and by the engine itself, which has no file system, no
network, no extensions, and a configuration that cannot be changed.
"""

import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.presentation import harmless

ROW_NUMBER = "__row_number"
_MEMORY = "1GB"
_DISK = "8GB"


class Sandbox:
    """An engine that sees the registered tables only; each statement ends within `seconds` or is interrupted."""

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        # The engine's own spill files: what it writes when a sort or join outgrows its memory. No statement names them.
        self._spill = tempfile.TemporaryDirectory(prefix="quality-sql-")
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "enable_external_access": "false",
                "python_enable_replacements": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": _MEMORY,
                "temp_directory": self._spill.name,
                "max_temp_directory_size": _DISK,
                "threads": "2",
            },
        )
        self._connection.execute("SET enable_progress_bar = false; SET lock_configuration = true")
        self._tables: dict[str, str] = {}

    def register(self, name: str, data: Any) -> None:
        """Makes an Arrow table or record batch readable under a name; names do not depend on case."""
        known = self._tables.setdefault(name.casefold(), name)
        self._connection.register(known, data)

    def replace(self, name: str, batches: pa.RecordBatchReader) -> None:
        """Copies a stream into a table of the engine, which may spill to disk."""
        self._tables[name.casefold()] = name
        self._connection.register("__incoming", batches)
        self._connection.execute(f"CREATE OR REPLACE TABLE {quoted(name)} AS FROM __incoming")
        self._connection.unregister("__incoming")

    def select(self, sql: str) -> pa.Table:
        """The result of one SELECT of a rule's author."""
        return self._run(translated(sql, set(self._tables)))

    def trusted(self, sql: str) -> pa.Table:
        """The result of a statement of this package's own, in DuckDB's dialect, under the same limits."""
        return self._run(sql)

    def _run(self, sql: str) -> pa.Table:
        with self._time_limit() as late:
            try:
                return self._connection.sql(sql).to_arrow_table()
            except duckdb.InterruptException as failure:
                if late.is_set():
                    raise RuleNotComputable(
                        f"the query took longer than {self.seconds:g} s and was stopped"
                    ) from failure
                raise
            except (duckdb.Error, pa.ArrowException) as failure:
                raise RuleNotComputable(f"the query cannot be run: {_first_line(failure)}") from failure

    @contextmanager
    def _time_limit(self) -> Iterator[threading.Event]:
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._connection.interrupt()

        timer = threading.Timer(self.seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def close(self) -> None:
        """Frees the engine."""
        self._connection.close()
        self._spill.cleanup()


def quoted(identifier: str) -> str:
    """An identifier as SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def passing_rows(sql: str) -> str:
    """The rule author's SELECT over `primary`, giving the numbers of the rows it returns.

    Raises RuleNotComputable when its rows cannot be distinguished: grouped, made distinct, limited or joined
    from sets.
    """
    statements = [statement for statement in _parsed(sql) if statement is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise RuleNotComputable("a CustomSql without a condition is one SELECT that returns the rows that pass")
    statement = statements[0]
    shape = {key for key, value in statement.args.items() if value}
    extra = shape - {"expressions", "from_", "from", "where", "joins", "with_", "with", "kind", "laterals", "order"}
    source = statement.args.get("from_") or statement.args.get("from")
    table = source.this if source is not None else None
    if extra or (statement.find(exp.AggFunc) is not None and _outer_aggregates(statement)):
        what = ", ".join(sorted(extra)) or "an aggregate"
        raise RuleNotComputable(
            f"a CustomSql without a condition returns rows of primary; with {what} it returns others"
        )
    if not isinstance(table, exp.Table) or table.name.casefold() != "primary":
        raise RuleNotComputable("a CustomSql without a condition returns rows of primary: SELECT ... FROM primary ...")
    statement.set("expressions", [exp.column(ROW_NUMBER, table=table.alias_or_name)])
    statement.set("order", None)
    return statement.distinct().sql(dialect="spark")


def _outer_aggregates(statement: exp.Select) -> bool:
    return any(
        aggregate.find_ancestor(exp.Query) is statement and aggregate.find_ancestor(exp.Window) is None
        for projection in statement.expressions
        for aggregate in projection.find_all(exp.AggFunc)
    )


def columns_in(sql: str) -> set[str] | None:
    """The column names, in lower case, that a statement mentions; None when it may mean all of them."""
    names: set[str] = set()
    for statement in _parsed(sql):
        if statement is None:
            continue
        for star in statement.find_all(exp.Star):
            if not isinstance(star.parent, exp.Count):
                return None
        names |= {column.name.casefold() for column in statement.find_all(exp.Column)}
    return names


class Predicate:
    """A `where`: an expression over one row."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._expression = _predicate(text)
        self.columns = tuple(dict.fromkeys(column.name for column in self._expression.find_all(exp.Column)))

    def condition(self, names: Mapping[str, str]) -> str:
        """The predicate in DuckDB's dialect, never null; `names` gives the exact name of each column it mentions."""
        expression = self._expression.copy()
        for column in expression.find_all(exp.Column):
            column.set("this", exp.to_identifier(names[column.name], quoted=True))
            column.set("table", None)
        return f"coalesce(({expression.sql(dialect='duckdb', identify=True)}), false)"

    def statement(self, names: Mapping[str, str]) -> str:
        """The statement that gives, for each row of `batch` in order, whether the predicate is true."""
        return f"SELECT {self.condition(names)} AS keep FROM batch"  # noqa: S608


def translated(sql: str, tables: set[str]) -> str:
    """A rule author's statement in DuckDB's dialect; raises RuleNotComputable unless it only reads known tables."""
    statements = [statement for statement in _parsed(sql) if statement is not None]
    if len(statements) != 1:
        raise RuleNotComputable(f"CustomSql is one SELECT, and this text holds {len(statements)} statements")
    statement = statements[0]
    if not isinstance(statement, exp.Select | exp.SetOperation) or statement.find(exp.Into):
        raise RuleNotComputable(f"CustomSql only reads: one SELECT, not {statement.key.upper()}")
    _only_reads(statement)
    _knows(statement, tables)
    return statement.sql(dialect="duckdb", identify=True)


def _knows(statement: exp.Expr, tables: set[str]) -> None:
    named = {cte.alias_or_name.casefold() for cte in statement.find_all(exp.CTE)}
    for table in statement.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or table.args.get("db"):
            raise RuleNotComputable(f"CustomSql reads tables only, not {table.sql()}")
        if table.name.casefold() not in tables | named:
            known = ", ".join(sorted(tables))
            raise RuleNotComputable(f'there is no data set "{table.name}"; CustomSql can read {known}')
        table.this.set("quoted", True)


def _only_reads(statement: exp.Expr) -> None:
    writes = statement.find(exp.Insert, exp.Delete, exp.Update, exp.Merge, exp.Command, exp.DDL, exp.Copy, exp.Create)
    if writes is not None:
        raise RuleNotComputable(f"CustomSql only reads: {writes.key.upper()} is refused")
    reader = statement.find(exp.ReadCSV, exp.ReadParquet)
    if reader is not None:
        raise RuleNotComputable("CustomSql reads tables only, never files")


def _predicate(text: str) -> exp.Expr:
    # Whatever the text closes or comments out, the shape of the statement below shows it.
    whole = f"SELECT 1 FROM batch WHERE (\n{text}\n)"  # noqa: S608
    statements = [statement for statement in _parsed(whole) if statement is not None]
    plain = len(statements) == 1 and isinstance(statements[0], exp.Select)
    if plain:
        shape = {key for key, value in statements[0].args.items() if value}
        plain = shape <= {"expressions", "from_", "from", "where", "kind"}
    if not plain:
        raise RuleNotComputable(f"where takes a condition on one row, not {text!r}")
    condition: exp.Expr = statements[0].args["where"].this
    forbidden = condition.find(exp.Query, exp.Window, exp.AggFunc)
    if forbidden is not None:
        raise RuleNotComputable(f"where is about one row at a time: {forbidden.sql()} looks at others")
    return condition


def _parsed(sql: str) -> list[exp.Expr | None]:
    try:
        return list(sqlglot.parse(sql, read="spark"))
    except sqlglot.errors.SqlglotError as failure:
        raise RuleNotComputable(f"the SQL cannot be read: {_first_line(failure)}") from failure
    except RecursionError as failure:
        raise RuleNotComputable("the SQL is nested too deeply to be read") from failure


def _first_line(failure: BaseException) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(failure)).strip()
    return harmless(text.splitlines()[0]) if text else type(failure).__name__
