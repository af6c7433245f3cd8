"""SQL of rule authors as text: read as Spark's, checked to be one SELECT over known tables, written as DuckDB's."""

import re
from collections.abc import Collection, Mapping

import sqlglot
from sqlglot import exp

from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.presentation import harmless
from movie_platform.sql_names import quoted


def passing_rows(sql: str, tables: set[str], columns: Collection[str], row_number: str) -> str:
    """The rule author's SELECT over `primary`, in DuckDB's dialect, giving the numbers of the rows it returns.

    The whole statement is kept, so that whatever it names must be there. `columns` are those of `primary`, and
    `row_number` is one more of its columns. Raises RuleNotComputable when the rows cannot be distinguished (grouped,
    made distinct, limited or joined from sets), or when they are rows of another table.
    """
    statement = _checked(sql, tables)
    if not isinstance(statement, exp.Select):
        raise RuleNotComputable("a CustomSql without a condition is one SELECT that returns the rows that pass")
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
    _returns_rows_of(table.alias_or_name, statement, {name.casefold() for name in columns})
    number = exp.column(row_number, table=table.alias_or_name, quoted=True)
    numbered = statement.select(exp.alias_(number, f"{row_number}_returned", quoted=True))
    inner = numbered.sql(dialect="duckdb", identify=True)
    return f"SELECT DISTINCT {quoted(f'{row_number}_returned')} FROM ({inner})"  # noqa: S608


def _returns_rows_of(alias: str, statement: exp.Select, columns: Collection[str]) -> None:
    """Raises RuleNotComputable where all that a SELECT gives belongs to a joined table."""
    named = [column for projection in statement.expressions for column in projection.find_all(exp.Column)]
    foreign = [
        column
        for column in named
        if (column.table.casefold() != alias.casefold() if column.table else column.name.casefold() not in columns)
    ]
    if named and len(foreign) == len(named) and statement.args.get("joins"):
        raise RuleNotComputable(
            f"{foreign[0].sql()} belongs to a joined table; a CustomSql without a condition returns rows of primary"
        )


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

    def statement(self, names: Mapping[str, str], table: str) -> str:
        """The statement that gives, for each row of a table in order, whether the predicate is true."""
        return f"SELECT {self.condition(names)} AS keep FROM {quoted(table)}"  # noqa: S608


def translated(sql: str, tables: set[str]) -> str:
    """A rule author's statement in DuckDB's dialect; raises RuleNotComputable unless it only reads known tables."""
    return _checked(sql, tables).sql(dialect="duckdb", identify=True)


def _checked(sql: str, tables: set[str]) -> exp.Expr:
    statements = [statement for statement in _parsed(sql) if statement is not None]
    if len(statements) != 1:
        raise RuleNotComputable(f"CustomSql is one SELECT, and this text holds {len(statements)} statements")
    statement = statements[0]
    if not isinstance(statement, exp.Select | exp.SetOperation) or statement.find(exp.Into):
        raise RuleNotComputable(f"CustomSql only reads: one SELECT, not {statement.key.upper()}")
    _only_reads(statement)
    _knows(statement, tables)
    return statement


def _knows(statement: exp.Expr, tables: set[str]) -> None:
    named = {cte.alias_or_name.casefold() for cte in statement.find_all(exp.CTE)}
    hidden = sorted(named & tables)
    if hidden:
        raise RuleNotComputable(f'WITH {hidden[0]} AS ... hides the data set "{hidden[0]}"; give it another name')
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
