"""Settings: documented, validated, and told in one message that never shows a secret."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from movie_platform.errors import SettingsError
from movie_platform.settings import PROJECT_ROOT, Settings, default_settings, load_settings, variable

ROOT = Path(__file__).parents[1]


def test_without_any_variable_everything_lies_below_the_project() -> None:
    settings = load_settings()
    assert settings.raw_uri == (PROJECT_ROOT / ".data/imdb-bkt").as_uri()
    assert settings.lake_uri == (PROJECT_ROOT / ".data/de-bkt").as_uri()
    assert settings.warehouse == "duckdb:///.data/warehouse.duckdb"
    assert settings.feed_grace == timedelta(seconds=61)
    assert settings.feed_lookback == timedelta(hours=24)


def test_a_source_has_its_own_bucket_or_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_RAW_URI", "s3://all/")
    monkeypatch.setenv("MOVIE_PLATFORM_DATASET_URI", "s3://datasets/kaggle")
    settings = load_settings()
    assert settings.source_uri("feed") == "s3://all"
    assert settings.source_uri("dataset") == "s3://datasets/kaggle"


def test_relative_folders_start_at_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", "elsewhere/lake")
    assert load_settings().lake_uri == (PROJECT_ROOT / "elsewhere/lake").as_uri()


@pytest.mark.parametrize(
    ("text", "meant"),
    [("61", timedelta(seconds=61)), ("90s", timedelta(seconds=90)), ("2h", timedelta(hours=2)), ("7d", timedelta(7))],
)
def test_durations_are_written_as_people_write_them(
    text: str, meant: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_FEED_LOOKBACK", text)
    assert load_settings().feed_lookback == meant


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("RAW_URI", "ftp://host/x", "s3://bucket"),
        ("LAKE_URI", " ", "unset it"),
        ("WAREHOUSE", "mysql://host/db", "duckdb:///relative/file"),
        ("FEED_START", "202601010005", "full ten minutes"),
        ("FEED_START", "209913400000", "YYYYMMDDHHMM"),
        ("FEED_GRACE", "soon", "a number of seconds"),
        ("ENGINE", "hadoop", "duckdb, spark"),
        ("NOTIFY", "mail:me", "sns:<topic arn>"),
        ("DATASET_START", "yesterday", "date"),
    ],
)
def test_a_wrong_value_names_the_variable_the_value_and_what_is_allowed(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"MOVIE_PLATFORM_{name}={value!r}: ")
    assert allowed in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_wrong_variables_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_ENGINE", "hadoop")
    monkeypatch.setenv("MOVIE_PLATFORM_FEED_GRACE", "soon")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("WAREHOUSE", "redshift://me:hunter2@cluster/db"),
        ("WAREHOUSE", "redshift://me@cluster/db?password=hunter2"),
        ("PURCHASES", "postgresql://me@host/db?sslmode=require&Password=hunter2"),
    ],
)
def test_a_password_in_an_address_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", address)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    assert "a password does not belong in the address" in str(caught.value)


def test_sparks_settings_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_SPARK_CONF", "spark.hadoop.fs.s3a.secret.key=hunter2;hadoop.x=1")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", "redshift://me@cluster/db")
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE_PASSWORD", "hunter2")
    assert "hunter2" not in repr(load_settings())


def test_the_demonstration_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URI", "s3://production")
    monkeypatch.setenv("DAGSTER_HOME", "/somewhere")
    monkeypatch.setenv("MOVIE_PLATFORM_LAKE_URII", "s3://production")
    settings = default_settings()
    assert settings.lake_uri == (PROJECT_ROOT / ".data/de-bkt").as_uri()
    assert settings.dagster_home == PROJECT_ROOT / ".data/dagster"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MOVIE_PLATFORM_RAW_URII", "MOVIE_PLATFORM_RAW_URI"),
        ("MOVIE_PLATFORM_WAREHUOSE", "MOVIE_PLATFORM_WAREHOUSE"),
        ("MOVIEPLATFORM_ENGINE", "MOVIE_PLATFORM_ENGINE"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_stops_the_start(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsError, match=f"^{name} is no setting: did you mean {meant}\\?$"):
        load_settings()


def test_another_unknown_variable_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_COLOUR", "red")
    load_settings()
    assert "MOVIE_PLATFORM_COLOUR is no setting" in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        "MOVIE_PLATFORM_SERVICE_HOST",
        "MOVIE_PLATFORM_SERVICE_PORT_HTTP",
        "MOVIE_PLATFORM_PORT",
        "MOVIE_PLATFORM_PORT_80_TCP_ADDR",
        "MOVIE_PLATFORM_DAGSTER_WEBSERVER_SERVICE_HOST",
        "MOVIE_PLATFORM_UI_PORT",
        "MOVIE_PLATFORM_CODE_SERVER",
        "MOVIE_PLATFORM_NOTIFY_URL_OPS",
    ],
)
def test_what_kubernetes_and_compose_set_is_no_mistake(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.7:80")
    load_settings()
    assert not caplog.records


def test_the_readme_documents_every_variable_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_<>]+)` \|[^|]*\| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert dict(rows) == {variable(name): field.description for name, field in Settings.model_fields.items()}
