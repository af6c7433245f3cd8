"""A day of purchases and reviews by hand: each review scored by the packaged model, both sides summed and joined.

No second classifier, no check of a record, no account, no stages, no load: what the platform's run is measured against.
"""

import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv

from movie_platform.pipelines.user_behavior.classifiers import points
from movie_platform.pipelines.user_behavior.sentiment.model import POSITIVE

SQL = """
COPY (
    WITH spent AS (
        SELECT customer_id, sum(quantity * unit_price) AS amount_spent FROM {table}
        WHERE invoice_date >= DATE '{day}' AND invoice_date < DATE '{day}' + 1 GROUP BY ALL
    ),
    judged AS (
        SELECT try_cast(cid AS INT) AS cid, sum(positive::INT) AS review_score, count(*) AS review_count
        FROM reviews GROUP BY ALL
    )
    SELECT * FROM spent JOIN judged ON customer_id = cid ORDER BY customer_id
) TO '{out}'
"""


def main(file: str, warehouse: str, day: str, out: str) -> None:
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda row: "skip")
    text = pyarrow.csv.ConvertOptions(column_types={"cid": pa.string(), "review_str": pa.string()}, check_utf8=False)
    rows = pyarrow.csv.read_csv(file, parse_options=parse, convert_options=text)
    texts = [str(cell.as_buffer() or b"", "utf-8", "replace") for cell in rows["review_str"]]
    positive = [score >= POSITIVE for score in points("model", texts)]
    reviews = pa.table({"cid": rows["cid"], "positive": positive})
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.register("reviews", reviews)
        connection.execute(SQL.format(table="retail.user_purchase", day=day, out=out))


if __name__ == "__main__":
    main(*(str(Path(argument)) for argument in sys.argv[1:5]))
