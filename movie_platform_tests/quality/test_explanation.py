"""Rules in plain words."""

import pytest

from movie_platform.quality import explain, parse_ruleset
from movie_platform.quality.rule_types import RULE_TYPES

EXAMPLES = {
    "RowCount": "RowCount between 5 and 9",
    "ColumnCount": "ColumnCount = 3",
    "IsComplete": 'IsComplete "a"',
    "Completeness": 'Completeness "a" > 0.9',
    "IsUnique": 'IsUnique "a" "b"',
    "Uniqueness": 'Uniqueness "a" > 0.95',
    "IsPrimaryKey": 'IsPrimaryKey "a"',
    "UniqueValueRatio": 'UniqueValueRatio "a" > 0.5',
    "DistinctValuesCount": 'DistinctValuesCount "a" > avg(last(3)) - 2',
    "ColumnValues": 'ColumnValues "a" in ["x", "y"] with threshold >= 0.9',
    "ColumnLength": 'ColumnLength "a" <= 8',
    "ColumnDataType": 'ColumnDataType "a" = "INTEGER"',
    "ColumnExists": 'ColumnExists "a"',
    "ColumnNamesMatchPattern": 'ColumnNamesMatchPattern "[a-z]+"',
    "Mean": 'Mean "a" > 1',
    "Sum": 'Sum "a" != 1',
    "Variance": 'Variance "a" < 2',
    "StandardDeviation": 'StandardDeviation "a" not between 1 and 2',
    "Entropy": 'Entropy "a" < percentile(last(10), 0.9)',
    "ColumnCorrelation": 'ColumnCorrelation "a" "b" > 0.9',
    "CustomSql": 'CustomSql "select count(*) from primary" > 3',
    "DataFreshness": 'DataFreshness "a" <= 24 hours',
    "ReferentialIntegrity": 'ReferentialIntegrity "a" "other.b" = 1.0',
    "RowCountMatch": 'RowCountMatch "other" >= 0.9',
    "AggregateMatch": 'AggregateMatch "sum(a)" "sum(other.b)" >= 0.9',
    "DatasetMatch": 'DatasetMatch "other" "id"',
    "SchemaMatch": 'SchemaMatch "other"',
    "FileFreshness": 'FileFreshness "s3://bucket/" < 24 hours',
    "FileSize": 'FileSize "s3://bucket/" > 5 MB',
    "FileMatch": 'FileMatch "s3://bucket/a" "s3://bucket/b"',
    "FileUniqueness": 'FileUniqueness "s3://bucket/" > 0.9',
    "DetectAnomalies": 'DetectAnomalies "Mean" "a"',
}


def explained(rule: str) -> str:
    return explain(parse_ruleset(f"Rules = [ {rule} ]")[0])


@pytest.mark.parametrize("rule_type", sorted(RULE_TYPES))
def test_every_rule_type_has_its_own_words(rule_type: str) -> None:
    assert rule_type not in explained(EXAMPLES[rule_type])


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            'ColumnValues "imdb_rating" between 8.5 and 10.3',
            'Every value of "imdb_rating" must be more than 8.5 and less than 10.3. '
            "When it does not hold, the rows that break it are set aside.",
        ),
        (
            'IsComplete "a" where "b > 1" labels = ["action"="block"]',
            'Every row must have a value in "a", counting only the rows where b > 1. '
            "When it does not hold, nothing of the delivery is loaded.",
        ),
        (
            'ColumnDataType "a" = "DATE" with format = "dd-MM-yyyy"',
            'Every value of "a" must be readable as DATE, spelled dd-MM-yyyy. '
            "When it does not hold, the rows that break it are set aside.",
        ),
        (
            'ColumnValues "a" in ["x"] with ignoreCase = "true"',
            'Every value of "a" must be one of "x", whether in upper or in lower case. '
            "When it does not hold, the rows that break it are set aside.",
        ),
        (
            'FileSize "s3://b/" > 5 MB with recentFiles = 3',
            'The size of every file of "s3://b/" must be more than 5 MB, the latest files only, as many as 3. '
            "When it does not hold, this is reported and nothing else happens.",
        ),
        (
            'CustomSql "select id from primary" with threshold > 3',
            "Every row must be among those returned by the query [select id from primary]; this must be so for a "
            "number of rows more than 3. When it does not hold, the rows that break it are set aside.",
        ),
        (
            "RowCount > 0.8 * avg(last(3))",
            "The number of rows must be more than 0.8 times the mean of its last 3 values. "
            "When it does not hold, this is reported and nothing else happens.",
        ),
        (
            'ColumnValues "a" not in [NULL, EMPTY, "x"] with threshold > 0.9',
            'Every value of "a" must not be one of missing, an empty text, "x"; this must be so for a share of rows '
            "more than 0.9. When it does not hold, the rows that break it are set aside.",
        ),
        (
            '(IsComplete "a") or (IsUnique "b")',
            'At least one of: every row must have a value in "a", or every value of "b" must occur once only. '
            "When it does not hold, the rows that break it are set aside.",
        ),
    ],
)
def test_a_rule_reads_as_a_sentence(rule: str, words: str) -> None:
    assert explained(rule) == words
