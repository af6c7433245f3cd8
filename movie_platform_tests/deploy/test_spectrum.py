"""The views for Redshift Spectrum name columns that the lake's tables have, and answer the source's own query."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from movie_platform.pipelines.user_behavior.tables import SPECTRUM_PURCHASES, SPECTRUM_REVIEWS

SQL = Path(__file__).parents[2] / "deploy" / "sql" / "spectrum.sql"
BINDING = "WITH NO SCHEMA BINDING"
METRIC = """
SELECT ups.customerid, SUM(ups.Quantity * ups.UnitPrice), COUNT(DISTINCT ups.InvoiceNo)
FROM spectrum.user_purchase_staging ups
JOIN (SELECT DISTINCT cid FROM spectrum.classified_movie_review WHERE positive_review AND insert_date = '2026-01-05') r
ON ups.customerid = r.cid
WHERE ups.insert_date = '2026-01-05'
GROUP BY ups.customerid
"""


def test_the_views_have_the_sources_names_over_columns_of_the_lake() -> None:
    text = SQL.read_text()
    statements = [part.strip() for part in text.split(";") if part.strip()]
    views = [part for part in statements if "VIEW" in part]
    assert all(part.endswith(BINDING) for part in views)  # Redshift refuses any other view of an external table
    parsed = [sqlglot.parse_one(part, read="redshift") for part in statements[1:]]
    assert all(isinstance(statement, exp.Create) for statement in parsed)
    assert "CREATE EXTERNAL SCHEMA IF NOT EXISTS lake FROM DATA CATALOG DATABASE 'movies'" in statements[0]
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA lake; CREATE SCHEMA spectrum")
        bought = {"invoice_number": "5", "quantity": 3, "unit_price": Decimal("2.500"), "customer_id": 7}
        judged = {"cid": 7, "positive_review": True}
        for table, row in ((SPECTRUM_PURCHASES, bought), (SPECTRUM_REVIEWS, judged)):
            nullable = pa.schema([pa.field(column.name, column.type) for column in table.columns])
            external = pa.Table.from_pylist([row], nullable).append_column("insert_date", pa.array(["2026-01-05"]))
            connection.register("rows", external)
            connection.execute(f"CREATE TABLE lake.{table.name} AS FROM rows")
        for view in views:
            connection.execute(view.removesuffix(BINDING))
        assert connection.execute(METRIC).fetchall() == [(7, Decimal("7.500"), 1)]
        # A database folds names that are not quoted, so that their case decides nothing.
        names = [row[0].lower() for row in connection.execute("DESCRIBE spectrum.user_purchase_staging").fetchall()]
    assert names[0] == "invoiceno"
    assert names[6:] == ["customerid", "country", "insert_date"]
