"""What the language has, how AWS documents it, how it is here, and cases with the documented result.

`python -m movie_platform_tests.quality.conformance` prints the table that docs/dqdl.md holds.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa

from movie_platform.quality import InMemoryHistory, StoredFile
from movie_platform_tests.quality.conformance_cases import CASES, ERROR, FAILED, PASSED, REFUSED

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
FRAME = pa.table(
    {
        "id": [1, 2, 3, 4],
        "v": pa.array([1.0, 2.0, 3.0, None]),
        "w": [2.0, 4.0, 6.0, 8.0],
        "text": ["a", "B", "", None],
        "day": ["2026-06-14", "2026-06-15", "2026-06-01", None],
        "spelled": ["14-06-2026", "15-06-2026", "31-02-2026", None],
        "clock": ["9:30 AM", "10:05 AM", "9:45 PM", None],
        "same": [5, 5, 5, 5],
    }
)
OTHER = pa.table({"key": [1, 2, 3, 4], "v": pa.array([1.0, 2.0, 9.0, None]), "name": ["x", "y", "z", "q"]})
REFERENCES = {"other": OTHER, "copy": FRAME}
HISTORY = {
    "Dataset.*.RowCount": (2.0, 4.0, 6.0),
    "Dataset.*.ColumnCount": (20.0, 20.0, 21.0, 20.0, 20.0),
    "Column.id.Completeness": (1.0,) * 5,
}
_CONTENTS = {
    "s3://files/x.csv": (b"0123456789", 1),
    "s3://files/y.csv": (b"aaaa", 30),
    "s3://copies/x.csv": (b"0123456789", 2),
}
FILES = [
    StoredFile(name, len(content), NOW - timedelta(hours=hours), partial(io.BytesIO, content))
    for name, (content, hours) in _CONTENTS.items()
]
SAME = "the same"


@dataclass(frozen=True)
class Feature:
    """One feature: what AWS documents, what it is here, and rules with what comes out on FRAME."""

    name: str
    aws: str
    ours: str
    cases: tuple[tuple[str, str], ...]


def _f(name: str, aws: str, ours: str, *cases: tuple[str, str]) -> Feature:
    return Feature(name, aws, ours, cases)


RULES = (
    _f("RowCount", "number of rows", SAME, ("RowCount = 4", PASSED), ('RowCount = 2 where "id > 2"', PASSED)),
    _f("ColumnCount", "number of columns", SAME, ("ColumnCount = 8", PASSED), ("ColumnCount < 8", FAILED)),
    _f(
        "IsComplete",
        "no null",
        "the same; a blank text is a value",
        ('IsComplete "id"', PASSED),
        ('IsComplete "v"', FAILED),
    ),
    _f("Completeness", "share of values that are not null", SAME, ('Completeness "v" = 0.75', PASSED)),
    _f(
        "IsUnique",
        "every value once",
        "the same; several columns are allowed",
        ('IsUnique "id"', PASSED),
        ('IsUnique "same"', FAILED),
    ),
    _f(
        "Uniqueness",
        "share of rows whose value occurs once",
        "of the rows that have a value, counted exactly",
        ('Uniqueness "same" = 0', PASSED),
    ),
    _f(
        "IsPrimaryKey", "unique and complete", SAME, ('IsPrimaryKey "id" "text"', FAILED), ('IsPrimaryKey "id"', PASSED)
    ),
    _f("UniqueValueRatio", "unique, of distinct values", SAME, ('UniqueValueRatio "same" = 0', PASSED)),
    _f(
        "DistinctValuesCount",
        "number of distinct values",
        "counted exactly",
        ('DistinctValuesCount "id" = 4', PASSED),
    ),
    _f(
        "ColumnValues",
        "each value against a condition",
        "the same; a threshold with every condition",
        ('ColumnValues "id" between 0 and 5', PASSED),
        ('ColumnValues "v" > 0', FAILED),
    ),
    _f("ColumnLength", "length of each value", "a null has length 0", ('ColumnLength "text" <= 1', PASSED)),
    _f(
        "ColumnDataType",
        "each value can be cast; = and !=",
        "also in and not in, STRING, DECIMAL; a null can",
        ('ColumnDataType "w" = "LONG"', PASSED),
        ('ColumnDataType "text" = "DATE"', FAILED),
        ('ColumnDataType "id" = "COLOUR"', REFUSED),
    ),
    _f("ColumnExists", "the column is there", SAME, ('ColumnExists "id"', PASSED), ('ColumnExists "nothing"', FAILED)),
    _f("ColumnNamesMatchPattern", "every name fits the pattern", SAME, ('ColumnNamesMatchPattern "[a-z]+"', PASSED)),
    _f("Mean", "mean, nulls left out", "exact sums", ('Mean "v" = 2', PASSED), ('Mean "text" > 1', ERROR)),
    _f("Sum", "sum, nulls left out", "exact, rounded once", ('Sum "v" = 6', PASSED)),
    _f("StandardDeviation", "standard deviation", "of the population", ('StandardDeviation "same" = 0', PASSED)),
    _f("Variance", "variance (grammar)", "of the population", ('Variance "same" = 0', PASSED)),
    _f("Entropy", "entropy, natural logarithm", SAME, ('Entropy "same" = 0', PASSED)),
    _f(
        "ColumnCorrelation",
        "Pearson's correlation",
        "Error where a column does not vary",
        ('ColumnCorrelation "v" "w" > 0.999', PASSED),
        ('ColumnCorrelation "v" "same" > 0', ERROR),
    ),
    _f(
        "CustomSql with a condition",
        "one number",
        "the same; Spark's dialect is read, DuckDB runs it",
        ('CustomSql "select max(id) from primary" = 4', PASSED),
        ('CustomSql "select id from primary" = 4', ERROR),
    ),
    _f(
        "CustomSql without one",
        "the rows that come back pass",
        "the whole statement is bound; rows of other tables are refused",
        ('CustomSql "select * from primary where id > 1"', FAILED),
        ('CustomSql "select nothing from primary"', ERROR),
    ),
    _f(
        "DataFreshness",
        "age of each value",
        "an age equals 3 days while it is at least 3 and less than 4 days",
        ('DataFreshness "day" < 20 days where "day is not null"', PASSED),
        ('DataFreshness "day" > 3', REFUSED),
    ),
    _f(
        "ReferentialIntegrity",
        "share of keys found in the reference",
        "the same; the rows without a counterpart are marked",
        ('ReferentialIntegrity "id" "other.{key}" = 1.0', PASSED),
        ('ReferentialIntegrity "id" "nowhere.{key}" = 1.0', ERROR),
    ),
    _f(
        "DatasetMatch",
        "share of rows of primary with an equal row; keys unique and not null",
        "the same; Error for other keys, for columns that only one side has, and for none to compare",
        ('DatasetMatch "other" "id->key" "v" = 0.75', PASSED),
        ('DatasetMatch "copy" "same"', ERROR),
    ),
    _f(
        "SchemaMatch",
        "share of columns with the same name and type; 0 when the numbers of columns differ, and failed",
        "the same share, held against the condition; names without regard to case",
        ('SchemaMatch "copy" = 1.0', PASSED),
        ('SchemaMatch "other" = 1.0', FAILED),
    ),
    _f(
        "RowCountMatch",
        "rows, divided by rows of the reference",
        "Error where the reference has none",
        ('RowCountMatch "other" = 1.0', PASSED),
    ),
    _f(
        "AggregateMatch",
        "one aggregate divided by another",
        "avg, sum, min, max, count",
        ('AggregateMatch "sum(v)" "sum(other.v)" = 0.5', PASSED),
    ),
    _f(
        "DetectAnomalies",
        "a metric against what was learned of its past",
        "robust medians, and weekdays after three weeks; judged from the fifth earlier value",
        ('DetectAnomalies "RowCount"', PASSED),
    ),
    _f(
        "FileFreshness, FileSize, FileMatch, FileUniqueness",
        "files on S3",
        "`quality check`: local disk and S3; a day of the pipeline: below its raw side and its lake; Error elsewhere",
        ('FileFreshness "s3://b/" < 24 hours', ERROR),
        ('FileSize "s3://b/" > 1 MB', ERROR),
        ('FileMatch "s3://b/a" "s3://b/c"', ERROR),
        ('FileUniqueness "s3://b/" > 0.9', ERROR),
    ),
    _f("JobStatus", "state of a Glue job", "refused: there is no job", ('JobStatus = "SUCCEEDED"', REFUSED)),
    _f("a rule type that is not known", "refused", "refused with the nearest names", ('IsCompleet "id"', REFUSED)),
    _f(
        "DuplicateRowCount, InterquartileRange, Kurtosis, Range, Skewness, ZerosCount",
        "in deequ's translator, not in Glue's documentation",
        "refused; CustomSql says the same",
        ('Skewness "v" > 0', REFUSED),
    ),
)

CONDITIONS = (
    _f(
        "= != > >= < <=",
        "yes",
        "also == and <>",
        ("RowCount >= 4", PASSED),
        ("RowCount <> 4", FAILED),
        ("RowCount != 3", PASSED),
        ("RowCount > 3", PASSED),
        ("RowCount < 5", PASSED),
        ("RowCount <= 4", PASSED),
    ),
    _f(
        "between",
        "both ends left out",
        SAME,
        ("RowCount between 4 and 5", FAILED),
        ("RowCount between 3 and 5", PASSED),
    ),
    _f("not between", "both ends included", SAME, ("RowCount not between 4 and 5", PASSED)),
    _f(
        "in, not in",
        "a list",
        "an empty list is refused",
        ('ColumnValues "id" in [1, 2, 3, 4]', PASSED),
        ('ColumnValues "id" not in [9]', PASSED),
        ('ColumnValues "id" in []', REFUSED),
    ),
    _f(
        "matches, not matches",
        "Java's patterns, whole value; an empty text never matches",
        "RE2, in linear time: look-around, back references, \\p{Alpha} and class intersections are refused",
        ('ColumnValues "day" matches "[0-9-]+" where "day is not null"', PASSED),
        ('ColumnValues "text" not matches "z"', FAILED),
        ('ColumnValues "text" matches "(?=a)"', REFUSED),
    ),
    _f(
        "NULL, EMPTY, WHITESPACES_ONLY",
        "keywords of ColumnValues",
        "numbers and dates know NULL only",
        ('ColumnValues "v" = NULL', FAILED),
        ('ColumnValues "text" != EMPTY', FAILED),
        ('ColumnValues "id" = WHITESPACES_ONLY', ERROR),
    ),
    _f(
        "dates: now(), now() - 3 days",
        "yes",
        "ISO dates and times; UTC where no zone is given",
        ('ColumnValues "day" > (now() - 20 days) where "day is not null"', PASSED),
        ('ColumnValues "day" <= now() where "id = 1"', PASSED),
    ),
    _f(
        "times of day",
        '"9:30 AM", "21:30"',
        "the same, with seconds; for <, <=, >, >=, between",
        ('ColumnValues "clock" > "9:29 AM" where "clock is not null"', PASSED),
    ),
    _f(
        "last(k), avg, sum, min, max, std, median, percentile, index, abs",
        "dynamic rules in Glue ETL",
        "no past gives 0.0; fewer values than k give what there is",
        ("RowCount >= last()", FAILED),
        ("RowCount = avg(last(3))", PASSED),
        ("RowCount = average(last(3))", PASSED),
        ("RowCount < sum(last(3))", PASSED),
        ("RowCount > min(last(3))", PASSED),
        ("RowCount < max(last(3))", PASSED),
        ("RowCount > std(last(3))", PASSED),
        ("RowCount = median(last(3))", PASSED),
        ("RowCount >= percentile(last(3), 0.5)", PASSED),
        ("RowCount = index(last(3), 1)", PASSED),
        ("RowCount = abs(-4)", PASSED),
        ("RowCount = multiply(2, 2)", PASSED),
    ),
    _f("+ - * /", "on numbers and dates", SAME, ("RowCount = 2 * 3 - 4 / 2", PASSED), ("RowCount > 1 / 0", ERROR)),
    _f(
        "numbers beyond all bounds",
        "not documented",
        "that rule is Error, the others are judged",
        ("RowCount > last(1e400)", ERROR),
    ),
    _f(
        "with threshold",
        "ColumnValues, ColumnDataType, CustomSql; the share of files for FileFreshness and FileSize",
        "also ColumnLength and DataFreshness; for CustomSql numbers above 1 count rows; can ask the history",
        ('ColumnValues "v" > 1 with threshold >= 0.5', PASSED),
        ('CustomSql "select id from primary where id > 1" with threshold > 2', PASSED),
        ('ColumnValues "v" > 1 with threshold > 90', REFUSED),
    ),
    _f(
        "where",
        "SQL over the row",
        "an empty one, queries and aggregates are refused or Error",
        ('IsComplete "v" where "id < 4"', PASSED),
        ('IsComplete "v" where "count(*) > 1"', ERROR),
        ('IsComplete "v" where ""', REFUSED),
    ),
)

OPTIONS = (
    _f(
        "with ignoreCase",
        "text conditions of ColumnValues",
        SAME,
        ('ColumnValues "text" in ["A", "b", ""] where "text is not null" with ignoreCase = "true"', PASSED),
        ('ColumnValues "id" > 1 with ignoreCase = "true"', REFUSED),
    ),
    _f(
        "with format",
        'ColumnDataType = "DATE": dd-MM-yyyy, MM-yyyy, dd/MM ...',
        "the same formats; a day that its month does not have fails",
        ('ColumnDataType "spelled" = "DATE" with format = "dd-MM-yyyy" where "id < 3"', PASSED),
        ('ColumnDataType "spelled" = "DATE" with format = "dd-MM-yyyy"', FAILED),
    ),
    _f(
        "with recentFiles, uriRegex, hashAlgorithm",
        "rules about files",
        "the same; MD5, SHA-1, SHA-256",
        ('FileUniqueness "s3://b/" > 0.9 with recentFiles = 1', ERROR),
        ('FileMatch "s3://b/" in ["x"] with hashAlgorithm = "CRC"', REFUSED),
        ('FileSize "s3://b/" > 1 B with uriRegex = "("', REFUSED),
    ),
    _f(
        "with timeZone",
        "FileFreshness (grammar): where dates and times of day are meant",
        "the same; a time of day is that of today, in UTC where no zone is given",
        ('FileFreshness "s3://b/" > "9:30 AM" with timeZone = "Europe/Berlin"', ERROR),
        ('FileFreshness "s3://b/" > "9:30 AM" with timeZone = "Berlin"', REFUSED),
    ),
    _f(
        "any other option",
        "ignored; dataFrame and matchFileName of rules about files are in its tests, not in its documentation",
        "refused: a rule that does not do what it says is worse",
        ('RowCount > 1 with bogus = "x"', REFUSED),
    ),
    _f(
        "labels, DefaultLabels",
        "at most 10; a key up to 128 and a value up to 256 characters; no key twice",
        "the same; action and severity say what a broken rule leads to: block, quarantine, warn",
        ('RowCount = 4 labels = ["team"="x"]', PASSED),
        ('RowCount = 4 labels = ["team"="x", "team"="y"]', REFUSED),
    ),
)

TEXT = (
    _f(
        "and, or",
        "each rule in parentheses",
        "parentheses are not needed; and binds tighter",
        ('(IsComplete "id") and (IsComplete "v")', FAILED),
        ('IsComplete "id" or IsComplete "v"', PASSED),
    ),
    _f(
        "composite rules row by row",
        "an option; not with Completeness, Uniqueness, StandardDeviation, ReferentialIntegrity, DatasetMatch",
        "`--composite row`, with the same exceptions",
        ('(Completeness "v" > 0.5) and (IsComplete "id")', PASSED),
    ),
    _f(
        "of, and between parameters; names without quotes",
        "grammar",
        "the same; a name that is a rule type stands in quotes",
        ("Completeness of id = 1.0", PASSED),
        ('ColumnCorrelation of "v" and "w" > 0.9', PASSED),
    ),
    _f(
        "Metadata, DataSources",
        "keys Version; Primary and AdditionalDataSources; others are refused",
        "the same; Sources too. The values are not used: what is judged is given by the caller",
        ("RowCount = 4", PASSED),
    ),
    _f(
        "constants within constants, now() - 1 without a unit, functions with too many values",
        "refused; refused; taken",
        "refused with the place, each of them",
        ('ColumnValues "day" > (now() - 1)', REFUSED),
        ("RowCount > percentile(last(3), 0.5, 1)", REFUSED),
    ),
    _f("comments", "#", "also //", ("RowCount = 4 # four", PASSED)),
    _f(
        "names without quotes that begin with a digit",
        "grammar",
        "in quotes only: 3days would be a name",
        ("IsComplete 2col", REFUSED),
    ),
    _f(
        "numbers",
        "digits, and a point between digits",
        "also 1e3, .5 and numbers in quotes",
        ("RowCount < 1e3", PASSED),
        ("RowCount > .5", PASSED),
    ),
    _f(
        "units of time",
        "minutes, hours, days of whole numbers",
        "also weeks, the singular, and fractions",
        ('DataFreshness "day" > 0.5 day where "id = 1"', PASSED),
    ),
    _f(
        "a rule that gives numbers, compared with anything else",
        "refused",
        "ages, sizes, now() and keywords are refused; a text that is no number is Error",
        ("RowCount > 3 days", REFUSED),
    ),
    _f(
        "comparisons of two data sets without a condition",
        "refused",
        "all must agree",
        ('ReferentialIntegrity "id" "other.{key}"', PASSED),
    ),
    _f(
        "and, or in each other",
        "at most five levels",
        "as many as the reader bears",
        (6 * "RowCount = 5 or (RowCount = 4 and (" + "RowCount = 4" + 12 * ")", PASSED),
    ),
    _f(
        "missing column",
        "rule failed",
        "rule in Error: never passed, never silently failed",
        ('IsComplete "nothing"', ERROR),
    ),
)

ALL = {"Rules": RULES, "Conditions": CONDITIONS, "Options and labels": OPTIONS, "Text": TEXT}


def every_case() -> Iterator[tuple[str, str, str]]:
    """Feature, rule and what comes out."""
    for features in ALL.values():
        for feature in features:
            for rule, result in feature.cases:
                yield feature.name, rule, result
    for rule, result in CASES:
        yield "every rule type", rule, result


def table() -> str:
    """The table of docs/dqdl.md."""
    lines = []
    for title, features in ALL.items():
        lines += [f"### {title}", "", "| feature | AWS | here |", "|---|---|---|"]
        lines += [f"| {' | '.join(_cell(text) for text in (f.name, f.aws, f.ours))} |" for f in features]
        lines.append("")
    return "\n".join(lines)


def past() -> InMemoryHistory:
    """The metrics of earlier evaluations, a day apart, the last of them the newest."""
    history = InMemoryHistory()
    for day in range(max(map(len, HISTORY.values()))):
        at = NOW - timedelta(days=day + 1)
        history.record("primary", at, {name: values[-1 - day] for name, values in HISTORY.items() if day < len(values)})
    return history


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    print(table())
