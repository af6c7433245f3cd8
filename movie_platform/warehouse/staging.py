"""What a load reads: its objects in the lake, checked before, while and after their rows go into temporary tables."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet

from movie_platform.errors import LoadRefused, PlatformError, WorldUnavailable
from movie_platform.lake import ObjectInfo, ObjectStore
from movie_platform.table import Column, Table
from movie_platform.warehouse.column_types import type_mismatches
from movie_platform.warehouse.connection import Session
from movie_platform.warehouse.loads import LatestPartition, PartitionLoad, Request, Source

STAGED, LOADING, WINNING = "staged_rows", "loading_partitions", "winning_rows"
"""Temporary tables: the rows that a load brings, its partitions, and the rows of an upsert that no newer row beats."""
HEADS_AT_ONCE = 8


@dataclass(frozen=True)
class Staging:
    """What an engine puts into its temporary table: the rows of these loads, and nothing else."""

    request: Request
    loads: tuple[PartitionLoad, ...]
    lake: ObjectStore
    holds_partition: bool = False
    """Whether the Parquet has the partition column itself: then it must say what the partition's name says."""
    longest: dict[str, int] = field(default_factory=dict)
    """Bytes of the longest text of each column, as an engine that makes room for it found them."""

    @property
    def placed(self) -> list[tuple[str, Source]]:
        return [(load.partition, source) for load in self.loads for source in load.sources]


def affected_keys_table(derived: LatestPartition) -> str:
    """The temporary table of the keys whose rows in a derived table a load may change."""
    return f"affected_{derived.table.name}"


def make_temporary_tables(session: Session, staging: Staging) -> None:
    """All temporary tables of a load, made before its transaction: some engines commit at each CREATE."""
    d, connection, request = session.dialect, session.connection, staging.request
    table = request.table
    temporary = {STAGED: table.columns}
    if request.replaces == "partitions":
        temporary[LOADING] = (request.partition_column,)
    for derived in request.derived:
        if derived.key:
            temporary[affected_keys_table(derived)] = tuple(table[column] for column in derived.key)
    if request.replaces == "keys":
        temporary[WINNING] = table.columns
    for name, columns in temporary.items():
        connection.execute(f"DROP TABLE IF EXISTS {d.quote(name)}")
        connection.execute(f"CREATE TEMPORARY TABLE {d.quote(name)} ({d.columns_ddl(columns, staged=True)})")
    if request.replaces == "partitions":
        values = request.partition_values(staging.loads)
        connection.insert(d.quote(LOADING), pa.table({request.partition_column.name: values}))


def parquet_holds_partition(request: Request, loads: Sequence[PartitionLoad], lake: ObjectStore) -> bool:
    """Whether the Parquet, which must hold the table's columns, also holds the one that the partition's name fills.

    The first object stands for the others: all come from one program, and an engine refuses what differs.
    """
    source = next((source for load in loads for source in load.sources), None)
    if source is None:
        return False
    try:
        with lake.open(source.key) as file:
            schema = pyarrow.parquet.read_schema(file)
    except pa.ArrowInvalid as error:
        raise PlatformError(f"{lake.uri_of(source.key)} is no Parquet: {error}. Make it anew.") from error
    absent = [request.partition_column.name] if request.replaces == "partitions" else []
    problems = type_mismatches(request.table, schema, without=absent)
    if problems:
        raise PlatformError(
            f"{lake.uri_of(source.key)} does not hold the columns of {request.table.qualified_name}: "
            f"{'; '.join(problems)}. The table's description and the program that writes the Parquet must agree."
        )
    return bool(absent) and absent[0] in schema.names


def refuse_replaced_objects(loads: Sequence[PartitionLoad], lake: ObjectStore) -> None:
    """`WorldUnavailable` where an object whose etag its load names is not the one that the lake holds now."""
    named = {source.key: source.etag for load in loads for source in load.sources if source.etag}
    if not named:
        return
    if lake.local_path(next(iter(named))) is not None:
        found: list[ObjectInfo | None] = [lake.info(key) for key in named]
    else:
        with ThreadPoolExecutor(HEADS_AT_ONCE) as pool:
            found = list(pool.map(lake.info, named))
    for (key, etag), info in zip(named.items(), found, strict=True):
        if info is None or info.etag != etag:
            raise WorldUnavailable(
                f"{lake.uri_of(key)} was {'removed' if info is None else 'replaced'} while it was loaded; it is loaded "
                "again by the next run"
            )


def refuse_rows_of_other_partitions(request: Request, count: int) -> None:
    """Refuse rows whose partition column names another partition than the one they are loaded as."""
    if count:
        column = request.partition_column.name
        raise LoadRefused(
            f"{request.table.qualified_name}: {count} rows say another {column} than the partition they "
            "are loaded as. Their object has a wrong name, or the program that wrote it is wrong."
        )


def refuse_long_text(table: Table, column: Column, found: int, longest: int | None = None) -> None:
    """Refuse a text that the table's description, or the engine, has no room for, rather than cut it."""
    allowed = min((length for length in (column.max_bytes, longest) if length is not None), default=None)
    if allowed is not None and found > allowed:
        wider = " Widen the column in the table's description, or reject" if allowed == column.max_bytes else " Reject"
        raise LoadRefused(
            f"{table.qualified_name}: a text of {found} bytes does not fit {column.name}, which holds {allowed}."
            f"{wider} the row before the load."
        )
