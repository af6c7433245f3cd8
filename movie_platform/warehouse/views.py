"""Analytical views: SQL files beside their pipeline, written in DuckDB's dialect, created in every engine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from movie_platform.warehouse.dialect import Dialect

if TYPE_CHECKING:
    from sqlglot import exp

DIALECT = "duckdb"
MAIN = "main"
"""The schema of tables that are named without one."""


@dataclass(frozen=True)
class View:
    """One `CREATE [MATERIALIZED] VIEW schema.name AS SELECT ...`, and the relations that it reads."""

    schema: str
    name: str
    select: str
    materialized: bool = False
    reads: frozenset[str] = frozenset()

    @property
    def qualified_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> list[str]:
        import sqlglot
        from sqlglot import exp

        select = sqlglot.parse_one(self.select, read=DIALECT)
        return [column.alias_or_name for column in select.selects] if isinstance(select, exp.Query) else []

    @classmethod
    def parse(cls, sql: str) -> "View":
        import sqlglot
        from sqlglot import exp

        statements = [s for s in sqlglot.parse(sql, read=DIALECT) if s is not None]
        if len(statements) != 1 or not isinstance(statements[0], exp.Create) or statements[0].kind != "VIEW":
            raise ValueError(f"a view's file holds one CREATE VIEW statement, and this one holds: {sql[:80]!r}")
        create = statements[0]
        target, select = create.this, create.expression
        if not isinstance(target, exp.Table):
            raise ValueError(  # noqa: TRY004 - the file is wrong, not a type
                f"a view takes its column names from its SELECT: {sql[:80]!r}"
            )
        within = {cte.alias for cte in select.find_all(exp.CTE)}
        reads = {
            f"{table.db or MAIN}.{table.name}"
            for table in select.find_all(exp.Table)
            if table.name and (table.db or table.name not in within)
        }
        return cls(
            schema=target.db or MAIN,
            name=target.name,
            select=select.sql(dialect=DIALECT),
            materialized=create.find(exp.MaterializedProperty) is not None,
            reads=frozenset(reads),
        )


def read_views(package: str) -> tuple[View, ...]:
    """The views in the `.sql` files of a package's folder `views`, each after those that it reads."""
    folder = files(package).joinpath("views")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return in_order(View.parse(folder.joinpath(name).read_text("utf-8")) for name in names)


def in_order(views: Iterable[View]) -> tuple[View, ...]:
    """Each view after those that it reads; otherwise as given."""
    waiting = {view.qualified_name: view for view in views}
    ordered: list[View] = []
    while waiting:
        ready = [view for view in waiting.values() if not (view.reads & waiting.keys()) - {view.qualified_name}]
        if not ready:
            raise ValueError(f"these views read each other in a circle: {', '.join(sorted(waiting))}")
        for view in ready:
            ordered.append(view)
            del waiting[view.qualified_name]
    return tuple(ordered)


def translate(sql: str, dialect: Dialect) -> str:
    """A SELECT written in DuckDB's dialect, in the engine's: names quoted its way, tables with their schema."""
    if dialect.name == DIALECT:
        return sql
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read=DIALECT)
    within = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Identifier) and not table.db and table.name not in within:
            table.set("db", exp.to_identifier(MAIN))
    for identifier in list(tree.find_all(exp.Identifier)):
        name = identifier.name
        identifier.set("this", name.upper() if dialect.upper_case else name)
        identifier.set("quoted", True)
    for placeholder in list(tree.find_all(exp.Placeholder)):
        placeholder.replace(exp.Var(this="?"))
    if dialect.name == "redshift":
        _list_within_groups(tree)
    return tree.sql(dialect=dialect.name)


def _list_within_groups(tree: "exp.Expr") -> None:
    """Redshift orders a LISTAGG in a clause behind it, where sqlglot's writer leaves the order among its arguments."""
    from sqlglot import exp

    for listed in list(tree.find_all(exp.GroupConcat)):
        order = listed.this
        if isinstance(order, exp.Order):
            within = exp.WithinGroup(
                this=exp.GroupConcat(this=order.this, separator=listed.args.get("separator")),
                expression=exp.Order(expressions=order.expressions),
            )
            listed.replace(within)


def statements(view: View, dialect: Dialect) -> Sequence[str]:
    """What makes the view in an engine; a materialized one is a plain view where the engine has no other."""
    name = f"{dialect.quote(view.schema)}.{dialect.quote(view.name)}"
    select = translate(view.select, dialect)
    if view.materialized and dialect.materialized_views:
        return (f"DROP MATERIALIZED VIEW IF EXISTS {name}", f"CREATE MATERIALIZED VIEW {name} AS {select}")
    return (f"CREATE OR REPLACE VIEW {name} AS {select} {dialect.view_options}".rstrip(),)
