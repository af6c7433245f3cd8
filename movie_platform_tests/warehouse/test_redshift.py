"""What is Redshift's own: how to log in, what it is told, and that nothing secret ever leaves."""

import json
import logging
import traceback
import uuid
from datetime import timedelta

import boto3
import pyarrow as pa
import pytest
import sqlglot
from pydantic import SecretStr
from sqlglot import exp

from movie_platform.errors import LoadRefused, SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.settings import load_settings
from movie_platform.table import Column, Table
from movie_platform.warehouse import LatestPartition, PartitionLoad, View, open_warehouse, read_views
from movie_platform.warehouse.dialect import Sql
from movie_platform.warehouse.redshift import RedshiftWarehouse
from movie_platform.warehouse.redshift.connection import Login
from movie_platform.warehouse.redshift.dialect import REDSHIFT, room
from movie_platform.warehouse.redshift.warehouse import copy_statement
from movie_platform_tests.warehouse.conftest import WINDOWS, Loader, movie
from movie_platform_tests.warehouse.redshift_stand_in import RedshiftStandIn
from movie_platform_tests.warehouse.test_contract import FIRST, METRIC, SECOND
from movie_platform_tests.warehouse.test_values import KINDS, NESTED

RATING = Table(
    name="imdb_movies_rating",
    schema="movies",
    columns=(
        Column("series_title", pa.string()),
        Column("released_year", pa.string()),
        Column("genre", pa.string()),
        Column("imdb_rating", pa.decimal128(10, 2)),
        Column("meta_score", pa.int32()),
    ),
)
DELIVERIES = RATING.derive(
    "imdb_movies_rating_deliveries",
    last=[Column("delivery_date", pa.date32(), nullable=False)],
    partition="delivery_date",
    sort=("delivery_date",),
)
EARLIER = View.parse(
    """
    CREATE MATERIALIZED VIEW movies.year_aggregated AS
    SELECT released_year, genre, count(*) AS "count" FROM movies.imdb_movies_rating GROUP BY released_year, genre
    """
)
"""As platforms before this one made it."""
(YEAR_AGGREGATED,) = read_views("movie_platform.pipelines.quality_movies")


def parsed(sql: str) -> exp.Expression:
    """Understood by Redshift's grammar: not swallowed as an opaque command, except where it knows no better."""
    tree = sqlglot.parse_one(sql, read="redshift")
    assert not isinstance(tree, exp.Command), sql
    return tree


def test_tables_are_laid_out_as_described() -> None:
    table = METRIC.derive("metric", distribution="customerid", sort=("customerid", "review_count"))
    sql = REDSHIFT.create_table(table)
    assert sql.endswith('DISTSTYLE KEY DISTKEY ("customerid") SORTKEY ("customerid", "review_count")')
    properties = parsed(sql).find(exp.Properties)
    assert properties is not None
    assert {type(p) for p in properties.expressions} == {
        exp.DistStyleProperty,
        exp.DistKeyProperty,
        exp.SortKeyProperty,
    }
    assert REDSHIFT.create_table(METRIC.derive("m", distribution="all")).endswith("DISTSTYLE ALL")


@pytest.mark.parametrize("table", [KINDS, NESTED, WINDOWS, DELIVERIES], ids=lambda table: table.name)
def test_ddl_is_redshifts_own(table: Table) -> None:
    tree = parsed(REDSHIFT.create_table(table))
    kinds = {column.name: column.kind.sql("redshift") for column in tree.find_all(exp.ColumnDef) if column.kind}
    assert kinds.keys() == set(table.column_names)
    if table is NESTED:
        assert kinds["genres"] == kinds["cast"] == kinds["tags"] == "SUPER"
    if table is KINDS:
        assert kinds["instant"] in {"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"}
        assert kinds["amount"] == "DECIMAL(18, 5)"


def test_copy_reads_a_manifest_with_a_role_and_no_credential() -> None:
    role = "arn:aws:iam::123456789012:role/loads"
    sql = copy_statement(NESTED, Sql('"staged_rows"'), "s3://de-bkt/stage/loads/1/manifest", role)
    assert sql == (
        "COPY \"staged_rows\" FROM 's3://de-bkt/stage/loads/1/manifest' "
        f"IAM_ROLE '{role}' FORMAT AS PARQUET MANIFEST SERIALIZETOJSON"
    )
    assert isinstance(sqlglot.parse_one(sql, read="redshift"), exp.Copy)
    assert "IAM_ROLE default" in copy_statement(METRIC, Sql("t"), "s3://b/manifest", "default")


def test_a_name_that_redshift_cannot_hold_is_refused_before_it_is_cut() -> None:
    with pytest.raises(ValueError, match="longer than the 127 bytes"):
        REDSHIFT.quote("é" * 64)


def test_text_columns_grow_in_steps_up_to_redshifts_longest() -> None:
    assert [room(length) for length in (0, 256, 257, 40_000, 65_535)] == [256, 256, 512, 65_535, 65_535]


def lengths(loader: Loader, table: Table) -> dict[str, int]:
    sql = "SELECT column_name, character_maximum_length AS n FROM svv_columns WHERE table_name = ?"
    assert isinstance(loader.warehouse, RedshiftWarehouse)
    with loader.warehouse.connect("looking") as connection:
        return {row["column_name"]: row["n"] for row in connection.fetch_arrow(sql, [table.name]).to_pylist()}


def test_text_columns_widen_to_what_a_load_brings_and_never_shrink(redshift_loader: Loader) -> None:
    redshift_loader.window(FIRST, "1", [movie(1, "short")])
    assert lengths(redshift_loader, WINDOWS)["title"] == 256
    redshift_loader.window(SECOND, "1", [movie(2, "long " * 200)])
    redshift_loader.window(FIRST, "2", [movie(1, "short again")])
    assert lengths(redshift_loader, WINDOWS) | {"rating": None} == {
        "movie_id": None,
        "title": 1024,
        "rating": None,
        "window": 12,
    }


def test_a_text_beyond_redshifts_longest_is_refused_with_its_length(redshift_loader: Loader) -> None:
    with pytest.raises(LoadRefused, match="a text of 65536 bytes does not fit title, which holds 65535"):
        redshift_loader.window(FIRST, "1", [movie(1, "x" * 65_536)])
    assert redshift_loader.warehouse.ledger() == []


def test_a_nul_character_is_refused_by_name(redshift_loader: Loader) -> None:
    with pytest.raises(LoadRefused, match="a text in title holds a NUL character"):
        redshift_loader.window(FIRST, "1", [movie(1, "a\0b")])


def test_what_copy_refuses_is_read_back_from_the_system_tables(redshift_loader: Loader) -> None:
    wide = Table("wide", (Column("id", pa.int64(), nullable=False), Column("amount", pa.decimal128(6, 2))))
    redshift_loader.replace(wide, "1", [{"id": 1, "amount": None}])
    assert isinstance(redshift_loader.warehouse, RedshiftWarehouse)
    source = redshift_loader.put(wide, "2", [{"id": 1, "amount": None}])

    with redshift_loader.warehouse.connect("breaking") as connection:
        connection.execute('CREATE TEMPORARY TABLE "picky" ("id" SMALLINT, "amount" DECIMAL(6, 2))')
        content = redshift_loader.lake.read(source.key)
        rows = pa.BufferReader(content)
        big = pa.parquet.read_table(rows).set_column(0, "id", pa.array([2**40]))
        buffer = pa.BufferOutputStream()
        pa.parquet.write_table(big, buffer)
        data = buffer.getvalue().to_pybytes()
        redshift_loader.lake.write("stage/loads/x/0000.parquet", data)
        entry = {"url": redshift_loader.lake.uri_of("stage/loads/x/0000.parquet"), "mandatory": True}
        entry["meta"] = {"content_length": len(data)}  # type: ignore[assignment]
        redshift_loader.lake.write("stage/loads/x/manifest", json.dumps({"entries": [entry]}).encode())
        manifest = redshift_loader.lake.uri_of("stage/loads/x/manifest")
        with pytest.raises(
            LoadRefused, match=r"main\.wide does not take these rows: id: .*out of range.*0000\.parquet"
        ):
            redshift_loader.warehouse._copy(connection, wide, Sql('"picky"'), manifest)


def test_nothing_stays_in_the_stage(redshift_loader: Loader) -> None:
    redshift_loader.window(FIRST, "1", [movie(1)])
    with pytest.raises(LoadRefused):
        redshift_loader.window(SECOND, "1", [movie(2, "x" * 65_536)])
    assert list(redshift_loader.lake.objects("stage/")) == []


def test_what_a_killed_load_left_in_the_stage_is_removed_by_a_later_one(
    redshift_loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    redshift_loader.lake.write("stage/loads/dead/0000.parquet", b"left behind")
    redshift_loader.window(FIRST, "1", [movie(1)])
    assert [info.key for info in redshift_loader.lake.objects("stage/")] == ["stage/loads/dead/0000.parquet"]
    monkeypatch.setattr("movie_platform.warehouse.restaging.STAGED_FOR", timedelta(0))
    redshift_loader.window(SECOND, "1", [movie(1)])
    assert list(redshift_loader.lake.objects("stage/")) == []


def test_a_lake_on_local_disk_is_refused_with_the_setting_to_change(redshift_loader: Loader, lake: ObjectStore) -> None:
    with pytest.raises(SettingsError, match="loads from S3 only, and MOVIE_PLATFORM_LAKE_URI is file:///"):
        Loader(redshift_loader.warehouse, lake).window(FIRST, "1", [movie(1)])


def test_a_load_waits_its_turn_only_so_long(redshift_loader: Loader) -> None:
    redshift_loader.window(FIRST, "1", [movie(1)])
    warehouse = redshift_loader.warehouse
    assert isinstance(warehouse, RedshiftWarehouse)
    impatient = Loader(RedshiftWarehouse(warehouse.login, wait=timedelta(seconds=0.3)), redshift_loader.lake)
    with warehouse.connect("holding") as connection:
        connection.begin()
        warehouse.lock_loads(connection)
        assert len(impatient.warehouse.ledger(WINDOWS)) == 1
        load = impatient.partition(SECOND, "1", [movie(2)])
        with pytest.raises(WorldUnavailable, match=r"still locked by another load after 0\.3 s"):
            impatient.windows([load])
        connection.rollback()
    assert impatient.windows([load])[0].outcome == "loaded"


SECRET = "s3cret-Passw0rd"


def test_no_secret_is_in_any_statement_log_or_error(
    redshift: RedshiftStandIn, redshift_loader: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    redshift_loader.window(FIRST, "1", [movie(1)])
    assert redshift.password == SECRET
    shown = [*redshift.statements, caplog.text, repr(redshift_loader.warehouse), repr(vars(redshift_loader.warehouse))]
    wrong = Login(redshift.address, SecretStr("an0ther-Secret"))
    with pytest.raises(
        WorldUnavailable, match=r"no connection to 127\.0\.0\.1:\d+/dev: password authentication failed"
    ) as failed:
        RedshiftWarehouse(wrong).query("SELECT 1")
    shown += ["".join(traceback.format_exception(failed.value)), caplog.text]
    shown += [str(row) for row in redshift_loader.warehouse.ledger()]
    credentials = [SECRET, "an0ther-Secret", "aws_secret_access_key", "ACCESS_KEY"]
    assert not [text for text in shown for credential in credentials if credential in text]
    assert any("COPY" in statement for statement in redshift.statements)


def test_an_unreachable_cluster_is_the_worlds_fault_and_named() -> None:
    with pytest.raises(WorldUnavailable, match=r"no connection to 127\.0\.0\.1:1/dev"):
        RedshiftWarehouse(Login("redshift://me@127.0.0.1:1/dev?sslmode=disable", SecretStr("x"))).ledger()


def test_the_password_may_lie_in_secrets_manager(redshift: RedshiftStandIn, bucket: str) -> None:
    content = json.dumps({"username": redshift.user, "password": redshift.password})
    secret = f"warehouse-{uuid.uuid4().hex}"  # moto's server serves every test of the worker
    boto3.client("secretsmanager").create_secret(Name=secret, SecretString=content)
    settings = load_settings(warehouse=redshift.address, warehouse_secret=secret)
    assert open_warehouse(settings).query("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    with pytest.raises(WorldUnavailable, match="secret missing could not be read"):
        open_warehouse(load_settings(warehouse=redshift.address, warehouse_secret="missing")).ledger()
    boto3.client("secretsmanager").create_secret(Name="odd", SecretString='{"key": "hunter2"}')
    with pytest.raises(SettingsError, match="no JSON with username and password") as caught:
        open_warehouse(load_settings(warehouse=redshift.address, warehouse_secret="odd")).ledger()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (
            "redshift://loader@movies.abc.eu-west-1.redshift.amazonaws.com:5439/dev",
            {"iam": True, "cluster_identifier": "movies", "db_user": "loader"},
        ),
        (
            "redshift://123.eu-west-1.redshift-serverless.amazonaws.com/dev",
            {"iam": True, "is_serverless": True, "serverless_work_group": "123"},
        ),
        (
            "redshift://warehouse.internal/dev?workgroup=movies&region=eu-west-1",
            {"iam": True, "is_serverless": True, "serverless_work_group": "movies", "region": "eu-west-1"},
        ),
    ],
)
def test_without_a_password_iam_logs_in(address: str, expected: dict) -> None:
    arguments = Login(address).arguments()
    assert expected.items() <= arguments.items()
    assert arguments["ssl"] is True
    assert arguments["port"] == 5439
    assert "password" not in arguments


def test_the_rating_table_is_the_newest_delivery_and_its_aggregate_follows(
    redshift_loader: Loader, redshift: RedshiftStandIn
) -> None:
    warehouse = redshift_loader.warehouse

    def deliver(day: str, *years: str) -> None:
        rows = [
            {"series_title": y, "released_year": y, "genre": "Drama", "imdb_rating": None, "meta_score": 1}
            for y in years
        ]
        source = redshift_loader.put(DELIVERIES, day, rows, without=["delivery_date"])
        warehouse.replace_partitions(
            DELIVERIES,
            [PartitionLoad(day, day, (source,))],
            lake=redshift_loader.lake,
            provenance=redshift_loader.provenance,
            derived=[LatestPartition(RATING)],
        )

    def aggregate() -> list[dict]:
        return warehouse.query("SELECT * FROM movies.year_aggregated ORDER BY 1").to_pylist()

    deliver("2026-01-02", "1994", "1994", "PG")
    warehouse.create_views([EARLIER])
    assert warehouse.create_views([YEAR_AGGREGATED]) == ["movies.year_aggregated"]
    assert aggregate() == [
        {"year": "1994", "genre": "Drama", "total_movies": 2},
        {"year": "PG", "genre": "Drama", "total_movies": 1},
    ]
    deliver("2026-01-01", "1888")
    deliver("2026-01-03", "2001", "2001", "2001")
    assert len(aggregate()) == 2
    sent_before = len(redshift.statements)
    warehouse.create_views([YEAR_AGGREGATED])
    sent = redshift.statements[sent_before:]
    assert [sql for sql in sent if "MATERIALIZED" in sql] == ['REFRESH MATERIALIZED VIEW "movies"."year_aggregated"']
    assert aggregate() == [{"year": "2001", "genre": "Drama", "total_movies": 3}]
    with pytest.raises(LoadRefused, match=r"movies\.imdb_movies_rating holds 3 rows and this load would leave 1"):
        deliver("2026-01-04", "2002")
