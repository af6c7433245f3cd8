"""What is Snowflake's own: how to log in, what it is told, and that nothing secret ever leaves."""

import logging
import traceback

import pytest
import sqlglot
from pydantic import SecretStr
from sqlglot import exp

from movie_platform.errors import SettingsError, WorldUnavailable
from movie_platform.lake import ObjectStore
from movie_platform.settings import Settings, load_settings
from movie_platform.table import Table
from movie_platform.warehouse import open_warehouse
from movie_platform.warehouse.dialect import Sql
from movie_platform.warehouse.snowflake import SnowflakeWarehouse
from movie_platform.warehouse.snowflake.connection import Login, SnowflakeConnection
from movie_platform.warehouse.snowflake.dialect import SNOWFLAKE
from movie_platform.warehouse.snowflake.warehouse import copy_statement, external_name
from movie_platform_tests.warehouse.conftest import WINDOWS, Loader, movie
from movie_platform_tests.warehouse.test_contract import FIRST, METRIC
from movie_platform_tests.warehouse.test_values import KINDS, NESTED


@pytest.mark.parametrize("table", [KINDS, NESTED, WINDOWS], ids=lambda table: table.name)
def test_ddl_is_snowflakes_own(table: Table) -> None:
    tree = sqlglot.parse_one(SNOWFLAKE.create_table(table), read="snowflake")
    assert isinstance(tree, exp.Create)
    kinds = {column.name: column.kind.sql("snowflake") for column in tree.find_all(exp.ColumnDef) if column.kind}
    assert kinds.keys() == {name.upper() for name in table.column_names}
    if table is NESTED:
        assert kinds["GENRES"] == kinds["CAST"] == kinds["TAGS"] == "VARIANT"


def test_copy_reads_from_a_stage_over_the_lake_by_name() -> None:
    stage = Sql(f"@{external_name('lake.public.de_bkt')}/stage/loads/1/")
    sql = copy_statement(METRIC, Sql('"STAGED_ROWS"'), stage)
    assert 'FROM @"LAKE"."PUBLIC"."DE_BKT"/stage/loads/1/)' in sql
    assert '$1:"customerid"::NUMBER(10, 0)' in sql
    assert "ABORT_STATEMENT" in sql
    copy = sqlglot.parse_one(sql, read="snowflake")
    assert isinstance(copy, exp.Copy)
    assert not any(word in sql for word in ("CREDENTIALS", "AWS_"))


class Recorded:
    """A connection that keeps what it is told: fakesnow cannot read a stage on S3."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, sql: str, parameters: object = ()) -> None:
        self.statements.append(sql)


def test_with_a_stage_over_the_lake_parts_are_written_there_and_removed_again(lake: ObjectStore) -> None:
    from movie_platform.warehouse import PartitionLoad
    from movie_platform.warehouse.loads import Provenance, Request
    from movie_platform.warehouse.staging import Staging

    settings = load_settings(warehouse="snowflake://me@account/movies", snowflake_stage="de_bkt")
    warehouse = open_warehouse(settings)
    assert isinstance(warehouse, SnowflakeWarehouse)
    source = Loader(warehouse, lake).put(METRIC, "1", [{"customerid": 1, "review_count": 1}])
    load = PartitionLoad("", "1", (source,))
    connection = Recorded()
    staging = Staging(Request("table", METRIC, (load,), Provenance("code")), (load,), lake)
    with warehouse.stage(connection, staging, Sql('"STAGED_ROWS"')):  # type: ignore[arg-type]
        (key,) = [info.key for info in lake.objects("stage/")]
        folder = key.rpartition("/")[0]
        (copy,) = connection.statements
        assert f'FROM @"DE_BKT"/{folder}/)' in copy
    assert list(lake.objects("stage/")) == []


def test_people_need_not_quote_names(snowflake_loader: Loader) -> None:
    snowflake_loader.window(FIRST, "1", [movie(1)])
    assert isinstance(snowflake_loader.warehouse, SnowflakeWarehouse)
    with snowflake_loader.warehouse.connect("a person") as connection:
        assert connection.fetch("SELECT movie_id, title FROM main.imdb_movies") == [(1, "Up")]


def test_rows_are_merged_by_key_and_the_newest_version_wins(
    snowflake: Settings, lake: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a transaction, which fakesnow's MERGE cannot be in.
    for name in ("begin", "commit", "rollback"):
        monkeypatch.setattr(SnowflakeConnection, name, lambda self: None)
    loader = Loader(open_warehouse(snowflake), lake)
    loader.upsert(METRIC, "2", [{"customerid": 1, "review_count": 20}])
    loader.upsert(METRIC, "1", [{"customerid": 1, "review_count": 10}, {"customerid": 2, "review_count": 10}])
    loader.upsert(METRIC, "3", [{"customerid": 2, "review_count": 30}])
    assert {row["customerid"]: row["review_count"] for row in loader.rows(METRIC)} == {1: 20, 2: 30}


def test_an_address_names_account_database_and_options() -> None:
    arguments = Login("snowflake://me@org-account/movies?warehouse=loads&role=loader", SecretStr("x")).arguments()
    assert arguments == {
        "account": "org-account",
        "user": "me",
        "password": "x",
        "database": "MOVIES",
        "schema": "MAIN",
        "warehouse": "loads",
        "role": "loader",
    }
    with pytest.raises(SettingsError, match="names no database"):
        Login("snowflake://me@account").arguments()
    with pytest.raises(SettingsError, match=r"no option \['wharehouse'\]"):
        Login("snowflake://me@account/movies?wharehouse=x").arguments()


def test_no_secret_is_in_any_statement_log_or_error(
    snowflake_loader: Loader, lake: ObjectStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    statements: list[str] = []
    run = SnowflakeConnection._run
    monkeypatch.setattr(
        SnowflakeConnection,
        "_run",
        lambda self, sql, given, taken: (statements.append(f"{sql} {given}"), run(self, sql, given, taken))[1],
    )
    snowflake_loader.window(FIRST, "1", [movie(1)])
    shown = [*statements, caplog.text, repr(vars(snowflake_loader.warehouse))]
    assert any("COPY" in statement for statement in statements)
    assert not [text for text in shown if "s3cret-Passw0rd" in text]


def test_an_unreachable_account_is_the_worlds_fault_and_keeps_the_password() -> None:
    import snowflake.connector

    address, password = "snowflake://me@account/movies", SecretStr("".join(["hunt", "er2"]))

    def refuse(**arguments: object) -> None:
        raise snowflake.connector.errors.DatabaseError(f"cannot log in with {arguments['password']}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snowflake.connector, "connect", refuse)
        with pytest.raises(WorldUnavailable, match=r"account account: .*cannot log in with \(hidden\)") as caught:
            SnowflakeWarehouse(Login(address, password)).ledger()
    assert password.get_secret_value() not in "".join(traceback.format_exception(caught.value))
