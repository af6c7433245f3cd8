"""From the setting WAREHOUSE to a warehouse."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from movie_platform.errors import SettingsError
from movie_platform.setting_values import PROJECT_ROOT
from movie_platform.settings import Settings
from movie_platform.warehouse.warehouse import Warehouse


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse that the settings name. Nothing is opened before the first load or question."""
    scheme = urlsplit(settings.warehouse).scheme
    connect, statement = settings.warehouse_connect.total_seconds(), settings.warehouse_statement.total_seconds()
    if scheme == "duckdb":
        from movie_platform.warehouse.duckdb import DuckDBWarehouse

        path = duckdb_path(settings.warehouse)
        return DuckDBWarehouse(path, wait=settings.warehouse_wait, publish_every=settings.warehouse_publish)
    if scheme == "redshift":
        from movie_platform.warehouse.redshift import RedshiftWarehouse
        from movie_platform.warehouse.redshift.connection import Login

        login = Login(settings.warehouse, settings.warehouse_password, settings.warehouse_secret, settings.aws_waits)
        return RedshiftWarehouse(
            login,
            iam_role=settings.redshift_iam_role,
            wait=settings.warehouse_wait,
            connect_wait=connect,
            statement_wait=statement,
        )
    if scheme == "snowflake":
        from movie_platform.warehouse.snowflake import SnowflakeWarehouse
        from movie_platform.warehouse.snowflake.connection import Login as SnowflakeLogin

        password, secret = settings.warehouse_password, settings.warehouse_secret
        account = SnowflakeLogin(settings.warehouse, password, secret, settings.aws_waits)
        return SnowflakeWarehouse(
            account,
            stage=settings.snowflake_stage,
            wait=settings.warehouse_wait,
            connect_wait=connect,
            statement_wait=statement,
        )
    raise SettingsError(f"there is no warehouse for {scheme}://")


def duckdb_path(address: str) -> Path:
    """Three slashes: relative to the project's root. Four: absolute."""
    return PROJECT_ROOT / unquote(urlsplit(address).path)[1:]
