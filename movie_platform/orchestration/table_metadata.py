"""What the UI shows of a table: its columns, where it is, how much it holds."""

from typing import Any

import dagster as dg
import pandas as pd
from dagster_pandas.data_frame import create_table_schema_metadata_from_dataframe

from movie_platform.table import Table


def column_schema(table: Table) -> dg.TableSchemaMetadataValue:
    """The table's columns with their types, descriptions and constraints."""
    frame = table.arrow_schema.empty_table().to_pandas(types_mapper=pd.ArrowDtype)
    plain = create_table_schema_metadata_from_dataframe(frame).schema
    columns = []
    for shown in plain.columns:
        column = table[shown.name]
        constraints = dg.TableColumnConstraints(
            nullable=column.nullable,
            unique=table.key == (column.name,),
            other=[str(check.error or check.name) for check in column.checks],
        )
        type_ = shown.type.removesuffix("[pyarrow]")
        columns.append(
            dg.TableColumn(shown.name, type_, description=column.description or None, constraints=constraints)
        )
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


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
