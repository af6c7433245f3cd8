"""What the UI shows of a table: its columns, where it is, how much it holds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from movie_platform.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


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
        columns.append(dg.TableColumn(column.name, str(column.type), description, constraints))
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def answer_schema(rows: "pa.Table", says: Mapping[str, str]) -> dg.TableSchema:
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
    if size is not None:
        metadata["bytes"] = size
    return metadata


def described(table: Table, *, in_warehouse: bool) -> dict[str, Any]:
    """The metadata of the asset itself, the same for every materialization."""
    metadata: dict[str, Any] = {"dagster/column_schema": column_schema(table)}
    if in_warehouse:
        metadata["dagster/table_name"] = table.qualified_name
    return metadata
