"""External tables over what was delivered, what is bad, and how the rules came out, for Athena and Redshift Spectrum.

`bad-records/` and `rule_outcome/` hold each day in two forms side by side, so their tables go by lists of files, which
lie in `manifests/`.
"""

import pyarrow as pa

from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.archive import FILES
from movie_platform.pipelines.quality_movies.splitting import RAW, RECORD, SOURCE
from movie_platform.pipelines.quality_movies.tables import DELIVERED
from movie_platform.quality.row_results import RESULT_COLUMNS
from movie_platform.table import Column, Table
from movie_platform.warehouse.catalog import CSV, LISTED_JSON, LISTED_PARQUET, Catalog

BAD = Table(
    "quality_movies_bad_records",
    (
        Column(SOURCE, pa.string(), "the delivered file"),
        Column(RECORD, pa.int64(), "the record's number in it, from 1"),
        *DELIVERED.columns,
        Column(RAW, pa.string(), "the text of a record that is no row"),
        *(
            Column(name.lower(), pa.list_(pa.string()), f"the rules that {what}")
            for name, what in zip(RESULT_COLUMNS, ("it passes", "it breaks", "do not judge it"), strict=False)
        ),
        Column(RESULT_COLUMNS[3].lower(), pa.string(), "Passed or Failed"),
    ),
    description="Records of the quality movies that break a rule or cannot be read.",
)
OUTCOMES = Table(
    "quality_movies_rule_outcome",
    (
        Column("date", pa.string(), "the day that was judged"),
        Column("rule", pa.string(), "the rule"),
        Column("outcome", pa.string(), "Passed, Failed or Error"),
        Column("failurereason", pa.string(), "why it did not pass"),
        Column("evaluatedmetrics", pa.map_(pa.string(), pa.float64()), "what was measured"),
        Column("evaluatedrule", pa.string(), "the rule with what it looked back on filled in"),
        Column("labels", pa.map_(pa.string(), pa.string()), "the rule's labels"),
    ),
    description="How each rule came out, one row a day and rule.",
)


_LISTED = (
    (BAD, "bad-records/quality_movies/", ".parquet", LISTED_PARQUET),
    (OUTCOMES, "rule_outcome/", ".jsonl", LISTED_JSON),
)


def register(catalog: Catalog, raw: ObjectStore, lake: ObjectStore) -> None:
    """Make the tables known, and their lists of files complete; repeated, it changes nothing."""
    if raw.uri.startswith("s3://"):
        catalog.register_files(DELIVERED, raw.uri_of(FILES.prefix), CSV)
    for table, prefix, suffix, reading in _LISTED:
        folder = f"manifests/{table.name}/"
        _list_files(lake, prefix, suffix, f"{folder}files.txt")
        catalog.register_files(table, lake.uri_of(folder), reading)


def list_again(lake: ObjectStore) -> None:
    """Make the lists of files that there are complete, after files were taken away."""
    for table, prefix, suffix, _ in _LISTED:
        target = f"manifests/{table.name}/files.txt"
        if lake.info(target):
            _list_files(lake, prefix, suffix, target)


def _list_files(lake: ObjectStore, prefix: str, suffix: str, target: str) -> None:
    """Write the list until it says what is there: another day's run may write at the same time."""
    written = None
    while True:
        keys = [info.key for info in lake.objects(prefix) if info.key.endswith(suffix)]
        text = "".join(f"{lake.uri_of(key)}\n" for key in keys).encode()
        if text == written:
            return
        lake.write(target, text)
        written = text
