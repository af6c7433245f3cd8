"""What a load is, what came of it, and the rule that decides whether it happens. No database in here."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pyarrow as pa

from movie_platform.errors import LoadRefused
from movie_platform.table import Column, Table

WHOLE_TABLE = ""
"""The ledger's partition of a load that replaces a whole table."""

DIGESTS_BYTES = 4000
"""Source digests longer than this are kept as one digest of them all, so that the ledger fits every engine."""


KEPT_SHARE = 0.5
"""A table that is replaced as a whole keeps at least this share of its rows, unless forced."""
FORCE = "movie_platform/force"
"""A run with this tag loads also what is loaded already, and what takes most rows out of a table."""


@dataclass(frozen=True, slots=True)
class Source:
    """One Parquet object in the lake: where it is, a digest that changes with its content, and its rows.

    With an `etag`, the one that the lake has for these bytes, a load commits only if the object still has it when all
    of its rows are read.
    """

    key: str
    digest: str
    rows: int
    etag: str = ""


@dataclass(frozen=True, slots=True)
class PartitionLoad:
    """A partition's content: the rows of its sources. Without sources the partition becomes empty.

    Versions are texts of one form that sort, such as the newest modification time of a delivery.
    """

    partition: str
    version: str
    sources: tuple[Source, ...] = ()

    @property
    def rows(self) -> int:
        return sum(source.rows for source in self.sources)

    @property
    def digests(self) -> str:
        """The content as the ledger remembers it: the same whatever the order or the names of the objects."""
        joined = ",".join(sorted(source.digest for source in self.sources))
        if len(joined.encode()) > DIGESTS_BYTES:
            return f"{len(self.sources)} objects, sha256:{hashlib.sha256(joined.encode()).hexdigest()}"
        return joined


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made the rows: the code, the rules it applied and the run that loads them."""

    code_version: str
    ruleset_digest: str = ""
    run_id: str = ""


@dataclass(frozen=True)
class LatestPartition:
    """A table derived from a partitioned one: for each key, all rows of the highest partition that the key appears in.

    With no key it holds the rows of the highest partition that was loaded. It is recomputed in the transaction of each
    load, for the keys that the load takes out or brings in, so that it always is what the partitions imply.
    """

    table: Table
    key: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Changes with what the table holds: its columns and its key."""
        described = [*(f"{column.name} {column.type}" for column in self.table.columns), "by", *self.key]
        return f"sha256:{hashlib.sha256(', '.join(described).encode()).hexdigest()}"


Outcome = Literal["loaded", "skipped", "refused"]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of one load. `rows` are in the table now by this load, `rows_before` it took out."""

    table: str
    partition: str
    version: str
    outcome: Outcome
    rows: int = 0
    rows_before: int = 0
    reason: str = ""
    refreshed: tuple[str, ...] = ()
    """Materialized views that were brought up to date after it."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A committed load.

    `outcome` is `confirmed` where a newer version brought the same content, and `built` for a derived table that was
    computed as a whole, because it is new or its columns changed.
    """

    load_number: int
    table_name: str
    partition: str
    version: str
    outcome: str
    source_digests: str
    rows: int
    rows_before: int
    code_version: str
    ruleset_digest: str
    run_id: str
    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    outcome: Outcome
    reason: str = ""
    confirm: bool = False
    """The content is the same but its version is newer: the ledger must know, or a version in between could load."""


def decide(load: PartitionLoad, last: LedgerRow | None, provenance: Provenance, *, force: bool) -> Decision:
    """Whether a load happens, given the last committed load of its table and partition."""
    if last is None:
        return Decision("loaded")
    if load.version < last.version:
        return Decision("refused", f"version {last.version} is loaded, and {load.version} is older")
    same = (load.digests, provenance.code_version, provenance.ruleset_digest) == (
        last.source_digests,
        last.code_version,
        last.ruleset_digest,
    )
    if same and not force:
        return Decision(
            "skipped",
            f"load {last.load_number} of {last.ended:%Y-%m-%d %H:%M:%S} UTC brought the same content",
            confirm=load.version > last.version,
        )
    return Decision("loaded")


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a warehouse needs to know of one call: what it replaces, and with which rows."""

    replaces: Literal["partitions", "table", "keys"]
    table: Table
    loads: tuple[PartitionLoad, ...]
    provenance: Provenance
    derived: tuple[LatestPartition, ...] = ()
    force: bool = False
    by_partition: dict[str, PartitionLoad] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_partition", {load.partition: load for load in self.loads})
        if len(self.by_partition) != len(self.loads):
            raise ValueError(f"a load of {self.table.qualified_name} names a partition twice")
        if self.replaces == "partitions" and self.table.partition is None:
            raise ValueError(f"{self.table.qualified_name} describes no partition column to replace by")
        if self.replaces == "keys" and (not self.table.key or any(self.table[c].nullable for c in self.table.key)):
            raise ValueError(f"{self.table.qualified_name} describes no key without nulls to upsert by")
        for derived in self.derived:
            self._check(derived)

    @property
    def partition_column(self) -> Column:
        assert self.table.partition is not None
        return self.table[self.table.partition]

    def partition_values(self, loads: Sequence[PartitionLoad]) -> pa.Array:
        """The partitions' names as values of the partition column."""
        column = self.partition_column
        try:
            return pa.array([load.partition for load in loads], pa.string()).cast(column.type)
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"a partition of {self.table.qualified_name} is no {column.type} for its column {column.name}: {error}"
            ) from None

    def value_of(self, partition: str) -> pa.Scalar:
        """A partition's name as a value of the partition column."""
        return pa.scalar(partition, pa.string()).cast(self.partition_column.type)

    def _check(self, derived: LatestPartition) -> None:
        name = derived.table.qualified_name
        unknown = {*derived.table.column_names, *derived.key} - set(self.table.column_names)
        if unknown:
            raise ValueError(f"{name} derives {sorted(unknown)}, which {self.table.qualified_name} does not have")
        nullable = [column for column in derived.key if self.table[column].nullable]
        if nullable:
            raise ValueError(f"the key of {name} holds {nullable}, which may be null: a null belongs to no key")


def refuse_shrinking(table: Table, rows_before: int, rows: int) -> None:
    """Refuse a load that leaves a table that is replaced as a whole less than its share of rows."""
    if rows < rows_before * KEPT_SHARE:
        raise LoadRefused(
            f"{table.qualified_name} holds {rows_before} rows and this load would leave {rows}, less than half. "
            f"If the source really shrank, run it with --force, or in the UI with the run tag {FORCE}."
        )
