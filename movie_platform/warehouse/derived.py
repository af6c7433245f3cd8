"""Tables derived from a partitioned one, kept equal to what its partitions imply in the transaction of each load."""

from collections.abc import Collection

from movie_platform.warehouse.connection import Session
from movie_platform.warehouse.dialect import Sql, filled, statement
from movie_platform.warehouse.ledger import highest_partition, last_loads
from movie_platform.warehouse.loads import WHOLE_TABLE, LatestPartition, Request, refuse_shrinking
from movie_platform.warehouse.staging import affected_keys_table


def note_affected_keys(session: Session, derived: LatestPartition, replacing: dict[str, Sql]) -> None:
    """Before the partitions are replaced: the keys that the load takes out or brings in."""
    d = session.dialect
    affected = d.quote(affected_keys_table(derived))
    session.connection.execute(statement("affected_keys", affected=affected, key=d.quoted(derived.key), **replacing))


def replace_affected_keys(session: Session, request: Request, derived: LatestPartition) -> None:
    """After the partitions are replaced: the rows of the affected keys anew."""
    d = session.dialect
    name, affected = d.name_of(derived.table), d.quote(affected_keys_table(derived))
    delete = filled(
        "DELETE FROM {derived} USING {affected} AS affected WHERE {same_key}",
        derived=name,
        affected=affected,
        same_key=d.same(derived.key, d.quote(derived.table.name), "affected"),
    )
    session.connection.execute(delete)
    latest = statement(
        "insert_latest_of_keys",
        affected=affected,
        same_key_affected=d.same(derived.key, "candidate", "affected"),
        **_parts(session, request, derived),
    )
    session.connection.execute(latest)


def build(session: Session, request: Request, derived: LatestPartition) -> None:
    """The whole derived table anew: it has no key to go by, or has just been made or widened."""
    name, parts = session.dialect.name_of(derived.table), _parts(session, request, derived)
    rows_before = session.count(name)
    session.connection.execute(filled("DELETE FROM {table}", table=name))
    if derived.key:
        session.connection.execute(statement("insert_latest_of_all", **parts))
        return
    session.connection.execute(statement("insert_highest_partition", **parts), [highest_partition(session, request)])
    if not request.force:
        refuse_shrinking(derived.table, rows_before, session.count(name))


def incomplete(session: Session, request: Request, made: Collection[str]) -> list[LatestPartition]:
    """Derived tables that do not hold what earlier loads imply: new ones, and those whose columns changed.

    The ledger says which were built, in the transaction that built them: a load that died after it had made such
    a table leaves it known as incomplete.
    """
    found = []
    for derived in request.derived:
        if derived.key:
            built = last_loads(session, derived.table, WHOLE_TABLE, WHOLE_TABLE).get(WHOLE_TABLE)
            known = built is not None and built.source_digests == derived.digest
            if not known or derived.table.qualified_name in made:
                found.append(derived)
    return found


def _parts(session: Session, request: Request, derived: LatestPartition) -> dict[str, Sql]:
    d = session.dialect
    return {
        "derived": d.name_of(derived.table),
        "target": d.name_of(request.table),
        "partition": d.quote(request.partition_column.name),
        "columns": d.quoted(derived.table.column_names),
        "columns_of_source": d.quoted(derived.table.column_names, of="source"),
        "key_of_candidate": d.quoted(derived.key, of="candidate") if derived.key else Sql(""),
        "same_key_latest": d.same(derived.key, "source", "latest"),
    }
