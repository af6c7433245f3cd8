"""Settings: documented, validated, and reported in one message that never shows a secret."""

import re
import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from movie_platform.errors import SettingsError
from movie_platform.setting_values import PROJECT_ROOT
from movie_platform.settings import Settings, default_settings, load_settings, variable
from movie_platform.variables import edits

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


@pytest.mark.parametrize("name", ["RAW_URII", "RAWURI", "raw_uro", "FEED_STRAT", "NOTIFY_RULE"])
def test_a_variable_that_is_nearly_a_setting_is_refused_with_the_one_that_is_meant(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", "x")
    meant = {"FEED_STRAT": "FEED_START", "NOTIFY_RULE": "NOTIFY_RULES"}.get(name, "RAW_URI")
    with pytest.raises(
        SettingsError, match=f"MOVIE_PLATFORM_{name} is no setting; did you mean MOVIE_PLATFORM_{meant}"
    ):
        load_settings()


def test_another_unknown_variable_is_a_warning_once_and_those_of_kubernetes_are_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (
        "COLOUR_OF_THE_MOON",
        "SERVICE_HOST",
        "PORT_80_TCP_ADDR",
        "FEED_URI_SERVICE_PORT",
        "WAREHOUSE_PORT",
        "CODE_SERVER",
        "NOTIFY_URL_OPS",
    ):
        monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", "x")
    load_settings()
    load_settings()
    assert [record.getMessage() for record in caplog.records] == [
        "MOVIE_PLATFORM_COLOUR_OF_THE_MOON is no setting and changes nothing"
    ]


@pytest.mark.parametrize(("one", "other", "distance"), [("", "ab", 2), ("abc", "abc", 0), ("kitten", "sitting", 3)])
def test_letters_between_two_words(one: str, other: str, distance: int) -> None:
    assert edits(one, other) == edits(other, one) == distance


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
        ("FEED_START", "0d", "90d"),
        ("FEED_START", "10000d", "9999d"),
        ("FEED_GRACE", "soon", "a number of seconds"),
        ("ENGINE", "hadoop", "duckdb, spark"),
        ("NOTIFY", "mail:me", "sns:<topic arn>"),
        ("DATASET_START", "yesterday", "date"),
        ("PURCHASES_DATE_SHIFT", "36h", "whole days"),
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
        ("WAREHOUSE", "redshift://me@cluster/db?api_key=hunter2"),
        ("WAREHOUSE", "redshift://me:hunter2/x@cluster/db"),
        ("WAREHOUSE", "redshift://me:1234/hunter2@cluster/db"),
        ("WAREHOUSE", "redshift://me:1234#hunter2@cluster/db"),
        ("WAREHOUSE", "redshift://me:1234?hunter2@cluster/db"),
        ("WAREHOUSE", "redshift://me:[hunter2@cluster/db"),
        ("WAREHOUSE", "redshift://me:hunter2"),
        ("WAREHOUSE", "redshift://cluster:99999/hunter2@x"),
        ("WAREHOUSE", "duckdb://me:hunter2@x/file"),
        ("RAW_URI", "s3://KEY:hunter2@bucket"),
        ("LAKE_URI", "s3://KEY:hunter2/x@bucket"),
        ("LAKE_URI", "s3://KEY:12/hunter2@bucket"),
        ("LAKE_URI", "KEY:hunter2@bucket"),
        ("FEED_URI", "s3://hunter2@bucket"),
        ("FEED_URI", "s3://bucket/x?secret_access_key=hunter2"),
        ("DATASET_URI", "file://me:hunter2@host/folder"),
        ("REVIEW_CLASSIFIER", "model:s3://KEY:hunter2@bucket/weights.npz"),
        ("UI_URI", "http://me:hunter2@host"),
        ("UI_URI", "https://host/dagster?token=hunter2"),
        ("ENGINE", "spark:spark://me:hunter2@host:7077"),
        ("NOTIFY", "https://hooks.example/services/T0/hunter2"),
        ("PURCHASES", "postgresql://me:hunter2/x@host/db"),
        ("PURCHASES", "postgresql://me@host/db?sslmode=require&Password=hunter2"),
        ("PURCHASES", "postgresql://me@host/db?sslmode=require&sslpassword=hunter2"),
    ],
)
def test_a_password_in_an_address_is_refused_wherever_it_stands_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", address)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"MOVIE_PLATFORM_{name}=")
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown


def test_a_password_in_an_address_has_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIE_PLATFORM_WAREHOUSE", "redshift://me:hunter2@cluster/db")
    with pytest.raises(SettingsError, match="a password does not belong in the address: set WAREHOUSE_PASSWORD"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAREHOUSE", "["),
        ("WAREHOUSE", "redshift://["),
        ("RAW_URI", "s3://["),
        ("UI_URI", "http://[::1"),
        ("FEED_GRACE", "9" * 400),
        ("FEED_LOOKBACK", "40000d"),
        ("WAREHOUSE", "redshift://cluster:" + "9" * 5000),
        ("FEED_MAX_BYTES", "9" * 5000),
        ("DATASET_START", "9" * 400),
        ("QUALITY_RULESET", "\x1b[2J\u202e\n" * 100),
    ],
)
def test_no_value_ends_in_anything_but_a_short_message(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (
            "WAREHOUSE",
            "redshift://me%40corp@cluster.example.amazonaws.com:5439/db?sslmode=verify-full&region=eu-west-1",
        ),
        ("WAREHOUSE", "snowflake://me@xy12345/db?warehouse=small&role=loader"),
        ("PURCHASES", "postgresql://me@one:5432,two:5432/db?target_session_attrs=primary"),
        ("PURCHASES", "postgresql:///db?host=/var/run/postgresql"),
        ("PURCHASES", "postgresql://me@[::1]:5432/db"),
        ("RAW_URI", "s3://bucket/of=us/2026@home"),
        ("UI_URI", "https://host:8443/dagster"),
        ("ENGINE", "spark:spark://one:7077,two:7077"),
    ],
)
def test_addresses_without_a_password_are_taken_as_they_are(
    name: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MOVIE_PLATFORM_{name}", address)
    assert getattr(load_settings(), name.lower()) == address


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


def test_the_readme_documents_every_variable_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z0-9_<>]+)` \|[^|]*\| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert dict(rows) == {variable(name): field.description for name, field in Settings.model_fields.items()}
