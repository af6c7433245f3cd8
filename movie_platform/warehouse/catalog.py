"""The Glue catalog: tables over the lake's Parquet, so that Athena and Redshift Spectrum can query it in place."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from movie_platform.aws import aws_client
from movie_platform.errors import PlatformError, SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.settings import Settings
from movie_platform.table import Column, Table
from movie_platform.waits import AWS, Waits

T = TypeVar("T")

BATCH = 100
"""Partitions that Glue takes or gives in one call."""

PARQUET: dict[str, Any] = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}


@dataclass(frozen=True)
class Reading:
    """How a table's files are read: Hive's formats and serializer, as Athena knows them."""

    classification: str
    input_format: str
    output_format: str
    serializer: str
    options: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def storage(self) -> dict[str, Any]:
        return {
            "InputFormat": self.input_format,
            "OutputFormat": self.output_format,
            "SerdeInfo": {"SerializationLibrary": self.serializer, "Parameters": dict(self.options)},
        }


_TEXT = "org.apache.hadoop.mapred.TextInputFormat"
_LISTED = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
_AS_TEXT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

CSV = Reading(
    "csv",
    _TEXT,
    _AS_TEXT,
    "org.apache.hadoop.hive.serde2.OpenCSVSerde",
    options={"separatorChar": ",", "quoteChar": '"'},
    properties={"skip.header.line.count": "1"},
)
LISTED_PARQUET = Reading("parquet", _LISTED, _AS_TEXT, PARQUET["SerdeInfo"]["SerializationLibrary"])
"""Parquet files that an object lists, one address a line: for a folder that holds other files too."""
LISTED_JSON = Reading("json", _LISTED, _AS_TEXT, "org.openx.data.jsonserde.JsonSerDe")
"""Files of JSON objects, one a line, that an object lists."""

_TYPES = [
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "tinyint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_int32, "int"),
    (pa.types.is_int64, "bigint"),
    (pa.types.is_float32, "float"),
    (pa.types.is_float64, "double"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
]


def type_name(kind: pa.DataType) -> str:
    """Hive's name of a type."""
    for is_kind, name in _TYPES:
        if is_kind(kind):
            return name
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"array<{type_name(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{type_name(kind.key_type)},{type_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{type_name(field.type)}' for field in kind.fields)}>"
    raise ValueError(f"the Glue catalog has no type for {kind}")


class Catalog:
    """One database of the Glue catalog over a lake on S3. Registering what is registered changes nothing."""

    def __init__(self, database: str, lake: ObjectStore, waits: Waits = AWS) -> None:
        if not lake.uri.startswith("s3://"):
            raise SettingsError(f"the Glue catalog describes S3, and MOVIE_PLATFORM_LAKE_URI is {lake.uri}")
        self.database = database
        self.lake = lake
        self.waits = waits

    def register(self, table: Table, partitions: Mapping[str, str], *, partition_key: str) -> int:
        """Make the table know its partitions: their value and the folder of the lake that holds each.

        Database and table are made on first use, and the table's columns follow its description. The number of
        partitions that were new or had moved.
        """
        glue = self._glue()
        with _reaching(self.database):
            described = self._prepare(glue, table, partition_key, _parent(partitions))
            return sum(
                self._register(glue, table.name, described, batch) for batch in _batches(list(partitions.items()))
            )

    def register_folder(self, table: Table, folder: str) -> None:
        """Make a table without partitions known, over one folder of the lake."""
        with _reaching(self.database):
            self._prepare(self._glue(), table, None, folder)

    def register_files(self, table: Table, location: str, reading: Reading) -> None:
        """Make a table known over files of another format, at an `s3://` address inside the lake or outside."""
        wanted = _described(table, None, location)
        wanted["StorageDescriptor"] |= reading.storage
        wanted["Parameters"] |= {"classification": reading.classification, **reading.properties}
        with _reaching(self.database):
            self._as_wanted(self._glue(), table, wanted)

    def _glue(self) -> Any:
        # A second try is for a throttled or dropped request; a catalog that does not answer is away.
        return aws_client("glue", self.waits, attempts=2)

    def _prepare(self, glue: Any, table: Table, partition_key: str | None, folder: str) -> dict[str, Any]:
        """The table as the catalog has it now, which is as described."""
        return self._as_wanted(glue, table, _described(table, partition_key, self.lake.uri_of(folder)))

    def _as_wanted(self, glue: Any, table: Table, wanted: dict[str, Any]) -> dict[str, Any]:
        missing = glue.exceptions.EntityNotFoundException
        try:
            found = glue.get_table(DatabaseName=self.database, Name=table.name)["Table"]
        except missing:
            # Made before, or just now by another run: then it is there all the same.
            with suppress(glue.exceptions.AlreadyExistsException):
                glue.create_database(DatabaseInput={"Name": self.database, "LocationUri": f"{self.lake.uri}/"})
            try:
                glue.create_table(DatabaseName=self.database, TableInput=wanted)
            except glue.exceptions.AlreadyExistsException:
                return self._as_wanted(glue, table, wanted)
            return wanted
        keys = [key["Name"] for key in found.get("PartitionKeys", [])]
        wanted_keys = [key["Name"] for key in wanted["PartitionKeys"]]
        if keys != wanted_keys:
            raise PlatformError(
                f"{self.database}.{table.name} in the Glue catalog is partitioned by {keys or 'nothing'}, and not by "
                f"{', '.join(wanted_keys) or 'nothing'}. Drop it there: it describes files and holds none."
            )
        if _essence(found) != _essence(wanted):
            glue.update_table(DatabaseName=self.database, TableInput=wanted)
        return wanted

    def _register(self, glue: Any, table: str, described: dict[str, Any], batch: Sequence[tuple[str, str]]) -> int:
        inputs = {
            value: {
                "Values": [value],
                "StorageDescriptor": described["StorageDescriptor"] | {"Location": self.lake.uri_of(folder)},
            }
            for value, folder in batch
        }
        answer = glue.batch_create_partition(
            DatabaseName=self.database,
            TableName=table,
            PartitionInputList=list(inputs.values()),
        )
        problems = answer.get("Errors", [])
        known = []
        for problem in problems:
            (value,) = problem["PartitionValues"]
            if problem["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException":
                detail = problem["ErrorDetail"]
                raise WorldUnavailable(
                    f"{self.database}.{table} did not take partition {value}: {detail['ErrorCode']}, "
                    f"{detail.get('ErrorMessage', '')}"
                )
            known.append(value)
        changed = len(inputs) - len(known)
        for partition in self._known(glue, table, known):
            (value,) = partition["Values"]
            if _essence(partition) != _essence(inputs[value]):
                glue.update_partition(
                    DatabaseName=self.database,
                    TableName=table,
                    PartitionValueList=[value],
                    PartitionInput=inputs[value],
                )
                changed += 1
        return changed

    def _known(self, glue: Any, table: str, values: Sequence[str]) -> Sequence[Any]:
        if not values:
            return []
        answer = glue.batch_get_partition(
            DatabaseName=self.database, TableName=table, PartitionsToGet=[{"Values": [value]} for value in values]
        )
        known: list[Any] = answer["Partitions"]
        return known


def open_catalog(settings: Settings, lake: ObjectStore) -> Catalog | None:
    """The catalog that the settings name, or None where they name none."""
    return Catalog(settings.catalog_database, lake, settings.aws_waits) if settings.catalog_database else None


@contextmanager
def _reaching(database: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise WorldUnavailable(
            f"the Glue catalog's database {database} could not be reached: {error}. Check the region, the network and "
            "the permissions of glue:*Table, glue:*Partition and glue:CreateDatabase."
        ) from error


def _described(table: Table, partition_key: str | None, location: str) -> dict[str, Any]:
    own = [column for column in table.columns if column.name != partition_key]
    keys = [{"Name": partition_key, "Type": "string"}] if partition_key else []
    return {
        "Name": table.name,
        "Description": table.description,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": keys,
        "StorageDescriptor": {"Columns": [_column(column) for column in own], "Location": location, **PARQUET},
    }


def _column(column: Column) -> dict[str, str]:
    described = {"Name": column.name, "Type": type_name(column.type)}
    return described | ({"Comment": column.description[:255]} if column.description else {})


def _essence(entry: Mapping[str, Any]) -> tuple[str, list[tuple[str, str, str]]]:
    """What decides how files are read: where they are and their columns."""
    storage = entry["StorageDescriptor"]
    columns = [(c["Name"], c["Type"], c.get("Comment", "")) for c in storage["Columns"]]
    return storage["Location"].rstrip("/"), columns


def _parent(partitions: Mapping[str, str]) -> str:
    first = next(iter(partitions.values()), "")
    return first.rstrip("/").rpartition("/")[0] + "/" if first else ""


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
