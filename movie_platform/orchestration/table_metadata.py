"""What the UI shows of a table: its columns, what each is made of, where it is, how much it holds."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from movie_platform.table import Table

SCHEMA, LINEAGE = "dagster/column_schema", "dagster/column_lineage"
MadeFrom = Mapping[str, Mapping[str, Iterable[str]]]
"""By asset, and by column of the table that is made from it, the columns there that it is made of."""


def column_schema(table: Table) -> dg.TableSchemaMetadataValue:
    """The table's columns with their types, descriptions and constraints."""
    columns = []
    for column in table.columns:
        constraints = dg.TableColumnConstraints(
            nullable=column.nullable,
            unique=table.key == (column.name,),
            other=[str(check) for check in column.checks],
        )
        description = column.description or None
        columns.append(dg.TableColumn(column.name, type_in_words(column.type), description, constraints))
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def type_in_words(kind: pa.DataType) -> str:
    """The type as Arrow calls it; what is nested as `list of {name: type}`."""
    if pa.types.is_list(kind):
        return f"list of {type_in_words(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{of.name}: {type_in_words(of.type)}" for of in kind) + "}"
    if pa.types.is_map(kind):
        return f"{type_in_words(kind.item_type)} by {type_in_words(kind.key_type)}"
    return str(kind)


def column_lineage(columns: Iterable[str], made_from: MadeFrom) -> dg.TableColumnLineage:
    """From each column to those that it is made of, to none where it comes from no column."""
    return dg.TableColumnLineage(
        {
            name: [
                dg.TableColumnDep(dg.AssetKey(asset), source)
                for asset, sources in made_from.items()
                for source in sources.get(name, ())
            ]
            for name in columns
        }
    )


def answer_schema(rows: pa.Table, says: Mapping[str, str]) -> dg.TableSchema:
    """The columns of a result, as Dagster's library for frames shows them, and what each says."""
    import pandas as pd
    from dagster_pandas.data_frame import create_table_schema_metadata_from_dataframe

    frame = rows.slice(0, 0).to_pandas(types_mapper=pd.ArrowDtype)
    shown = create_table_schema_metadata_from_dataframe(frame).schema.columns
    return dg.TableSchema(
        [dg.TableColumn(of.name, of.type.removesuffix("[pyarrow]"), says.get(of.name)) for of in shown]
    )


def table_metadata(*, rows: int, uri: str, size: int | None = None, part: bool = False) -> dict[str, Any]:
    """The metadata of one materialization; `part` says that the rows are those of one partition."""
    metadata: dict[str, Any] = {
        "dagster/partition_row_count" if part else "dagster/row_count": rows,
        "dagster/uri": uri,
    }
    return metadata if size is None else metadata | in_kilobytes(size)


def in_kilobytes(size: int) -> dict[str, float]:
    """A size with its unit in its name: as a number the UI plots it over the partitions."""
    return {"size (kB)": round(size / 1000, 1)}


def described(table: Table, *, in_warehouse: bool, made_from: MadeFrom | None = None) -> dict[str, Any]:
    """The metadata of the asset itself, the same for every materialization."""
    metadata: dict[str, Any] = {SCHEMA: column_schema(table)}
    if made_from is not None:
        metadata[LINEAGE] = column_lineage(table.column_names, made_from)
    if in_warehouse:
        metadata["dagster/table_name"] = table.qualified_name
    return metadata


def columns_of(context: dg.AssetExecutionContext, asset: dg.AssetKey) -> dict[str, Any]:
    """The asset's columns and what they are made of, for its materialization: lineage tools read them there."""
    known = context.assets_def.specs_by_key[asset].metadata
    return {name: known[name] for name in (SCHEMA, LINEAGE) if name in known}


def form(**facts: Any) -> dict[str, Any]:
    """Facts as the lines of a form: names in words, and no line for what is not there."""
    return {name.replace("_", " "): value for name, value in facts.items() if value not in (None, "", [], (), {})}
