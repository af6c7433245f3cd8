"""The rule types of DQDL: what each takes, and whether it judges rows or the whole data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Scope = Literal["row", "dataset"]
Need = Literal["required", "optional", "none"]
Parameters = Literal[
    "none", "columns", "pattern", "sql", "metric", "reference", "reference columns", "aggregates", "file"
]


@dataclass(frozen=True)
class RuleType:
    """The shape of one rule type."""

    name: str
    takes: Parameters
    least: int
    most: int
    condition: Need
    scope: Scope
    threshold: bool = False
    where: bool = True
    options: tuple[str, ...] = ()
    """The names that may stand behind `with`, beside the threshold."""

    def column_names(self, parameters: Sequence[str]) -> tuple[str, ...]:
        """The columns of the judged data set that these parameters name."""
        match self.takes:
            case "columns":
                return tuple(parameters)
            case "metric":
                return tuple(parameters[1:]) if parameters and parameters[0].lower() != "customsql" else ()
            case "reference columns":
                return tuple(name.strip() for name in parameters[0].split(",")) if parameters else ()
            case _:
                return ()


_MANY = 64
IGNORE_CASE = "ignoreCase"
FORMAT = "format"
RECENT_FILES, URI_REGEX, HASH_ALGORITHM = "recentFiles", "uriRegex", "hashAlgorithm"
TIME_ZONE = "timeZone"
_OF_FILES = (RECENT_FILES, URI_REGEX)
_OF_CONTENT = (*_OF_FILES, HASH_ALGORITHM)
_OF_TIMES = (*_OF_FILES, TIME_ZONE)


def _types() -> dict[str, RuleType]:
    row: Scope = "row"
    all_rows: Scope = "dataset"
    listed = [
        RuleType("RowCount", "none", 0, 0, "required", all_rows),
        RuleType("ColumnCount", "none", 0, 0, "required", all_rows, where=False),
        RuleType("IsComplete", "columns", 1, 1, "none", row),
        RuleType("Completeness", "columns", 1, 1, "required", row),
        RuleType("IsUnique", "columns", 1, _MANY, "none", row),
        RuleType("Uniqueness", "columns", 1, _MANY, "required", row),
        RuleType("IsPrimaryKey", "columns", 1, _MANY, "none", row),
        RuleType("UniqueValueRatio", "columns", 1, _MANY, "required", all_rows),
        RuleType("DistinctValuesCount", "columns", 1, _MANY, "required", all_rows),
        RuleType("ColumnValues", "columns", 1, 1, "required", row, threshold=True, options=(IGNORE_CASE,)),
        RuleType("ColumnLength", "columns", 1, 1, "required", row, threshold=True),
        RuleType("ColumnDataType", "columns", 1, 1, "required", row, threshold=True, options=(FORMAT,)),
        RuleType("ColumnExists", "columns", 1, 1, "none", all_rows, where=False),
        RuleType("ColumnNamesMatchPattern", "pattern", 1, 1, "none", all_rows, where=False),
        RuleType("Mean", "columns", 1, 1, "required", all_rows),
        RuleType("Sum", "columns", 1, 1, "required", all_rows),
        RuleType("StandardDeviation", "columns", 1, 1, "required", all_rows),
        RuleType("Variance", "columns", 1, 1, "required", all_rows),
        RuleType("Entropy", "columns", 1, 1, "required", all_rows),
        RuleType("ColumnCorrelation", "columns", 2, 2, "required", all_rows),
        RuleType("CustomSql", "sql", 1, 1, "optional", all_rows, threshold=True, where=False),
        RuleType("DataFreshness", "columns", 1, 1, "required", row, threshold=True),
        RuleType("ReferentialIntegrity", "reference columns", 2, 2, "optional", row),
        RuleType("RowCountMatch", "reference", 1, 1, "optional", all_rows, where=False),
        RuleType("AggregateMatch", "aggregates", 2, 2, "optional", all_rows, where=False),
        RuleType("DatasetMatch", "reference", 2, 3, "optional", row, where=False),
        RuleType("SchemaMatch", "reference", 1, 1, "optional", all_rows, where=False),
        RuleType("DetectAnomalies", "metric", 1, _MANY, "none", all_rows, where=False),
        RuleType("FileFreshness", "file", 0, 1, "required", all_rows, True, where=False, options=_OF_TIMES),
        RuleType("FileMatch", "file", 0, 2, "optional", all_rows, where=False, options=_OF_CONTENT),
        RuleType("FileSize", "file", 0, 1, "required", all_rows, True, where=False, options=_OF_FILES),
        RuleType("FileUniqueness", "file", 0, 1, "optional", all_rows, where=False, options=_OF_CONTENT),
    ]
    return {rule_type.name: rule_type for rule_type in listed}


RULE_TYPES = _types()

ANALYZERS_ONLY = ("AllStatistics", "Distribution")
"""What can be measured and not judged."""

NOT_BY_ROW = ("Completeness", "Uniqueness", "StandardDeviation", "ReferentialIntegrity", "DatasetMatch")
"""A composite rule with one of these is judged as a whole, also where composite rules are judged row by row."""

NOT_NUMBERS = ("ColumnValues", "ColumnDataType", "DataFreshness", "FileFreshness", "FileMatch", "FileSize")
"""The rule types whose condition is not about one number, or one for each row."""

YES_OR_NO = ("IsComplete", "IsUnique", "IsPrimaryKey", "ColumnExists", "ColumnNamesMatchPattern", "DetectAnomalies")
"""The rule types that measure nothing."""

DATA_TYPES = ("BOOLEAN", "DATE", "TIMESTAMP", "INTEGER", "LONG", "DOUBLE", "FLOAT", "DECIMAL", "STRING")
"""What ColumnDataType can ask for, as Glue spells it."""

DATE_FORMATS = tuple(
    separator.join(parts)
    for separator in "-/"
    for parts in (
        ("dd", "MM", "yyyy"),
        ("MM", "dd", "yyyy"),
        ("yyyy", "MM", "dd"),
        ("MM", "yyyy"),
        ("yyyy", "MM"),
        ("dd", "MM"),
        ("MM", "dd"),
    )
)
"""The spellings of a date that ColumnDataType can be asked for; what a short one leaves out does not matter."""
