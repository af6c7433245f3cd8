"""What the text of a setting may be, kind by kind. A `ValueError` says what is allowed."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from movie_platform.addresses import parts_of

PACKAGE_PARENT = Path(__file__).resolve().parent.parent
PROJECT_ROOT = PACKAGE_PARENT if (PACKAGE_PARENT / "workspace.yaml").is_file() else Path.cwd()
"""Where relative paths of settings start: the checkout, or the working directory of an installed package."""

LONGEST = timedelta(days=36_500)
"""A longer duration is a slip, and dates that are counted back by it would stand before the calendar."""


def store_uri(value: str) -> str:
    try:
        parts = parts_of(value, user=False)
    except ValueError as error:
        raise ValueError(f"{error}; keys of S3 come from AWS's own variables, profiles and roles") from None
    if parts.query or parts.fragment:
        raise ValueError("it holds a ? or #, which an address writes as %3F and %23")
    if parts.scheme == "s3" and parts.netloc and ":" not in parts.netloc:
        return value.rstrip("/")
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return value.rstrip("/")
    if not parts.scheme and not parts.netloc and value:
        return (PROJECT_ROOT / value).as_uri()
    raise ValueError("allowed are file:///absolute/folder, a folder relative to the project, or s3://bucket[/prefix]")


def warehouse_uri(value: str) -> str:
    try:
        parts = parts_of(value)
    except ValueError as error:
        raise ValueError(f"{error}: set WAREHOUSE_PASSWORD, or use IAM") from None
    if parts.scheme == "duckdb" and parts.path.strip("/") and not (parts.netloc or parts.query or parts.fragment):
        return value
    if parts.scheme in {"redshift", "snowflake"} and parts.hostname:
        return value
    raise ValueError(
        "allowed are duckdb:///relative/file, duckdb:////absolute/file, redshift://... and snowflake://..."
    )


def notify_channel(value: str) -> str:
    if value == "log" or re.fullmatch(r"sns:arn:[^:]+:sns:[^:]*:[^:]*:.+|events:.+|apprise:[A-Za-z0-9_-]+", value):
        return value
    raise ValueError(
        "allowed are log, sns:<topic arn>, events:<bus> and apprise:<name>; several are separated by commas"
    )


def engine_name(value: str) -> str:
    if value in {"duckdb", "spark"} or re.fullmatch(
        r"spark:(local\[(\d+|\*)\]|spark://[^/@?#]+|emr-serverless:.+|emr:.+)", value
    ):
        return value
    raise ValueError(
        "allowed are duckdb, spark (local[*]), spark:local[N], spark:spark://host:port, "
        "spark:emr-serverless:<application id> and spark:emr:<cluster id>"
    )


def purchases_uri(value: str) -> str:
    try:
        parts = parts_of(value, several_hosts=True)
    except ValueError as error:
        raise ValueError(f"{error}: set PURCHASES_PASSWORD") from None
    if value == "warehouse" or parts.scheme in {"postgresql", "postgres"}:
        return value
    raise ValueError("allowed are warehouse (sample purchases in the embedded one) and postgresql://user@host:port/db")


def classifier_name(value: str) -> str:
    if value.startswith("model:") and not value.endswith((":", "/")):
        folder, _, name = value.removeprefix("model:").rpartition("/")
        return f"model:{store_uri(folder or '.')}/{name}"
    if value in {"model", "token", "lexicon"} or re.fullmatch(r"[\w.]+:\w+", value):
        return value
    raise ValueError("allowed are model, model:<address of weights>, token, lexicon and package.module:Class")


def arrivals_by(value: str) -> str:
    if value == "poll" or re.fullmatch(r"sqs:https?://[^\s/@?#]+/[^\s?#]+", value):
        return value
    raise ValueError(
        "allowed are poll and sqs:<queue url>, as sqs:https://sqs.us-east-1.amazonaws.com/123456789012/name"
    )


def relation(value: str) -> str:
    if re.fullmatch(r"[^.]+\.[^.]+", value):
        return value
    raise ValueError("allowed is schema.table")


def ruleset_name(value: str) -> str:
    if value in {"rating", "recommended", "recommended+rating"} or value.endswith(".dqdl"):
        return value
    raise ValueError("allowed are rating, recommended, recommended+rating, and the path of a .dqdl file")


def web_address(value: str) -> str:
    parts = parts_of(value, user=False)
    if parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment):
        return value.rstrip("/")
    raise ValueError("allowed is http://host[:port] or https://host[:port], with a path where the UI has one")


def lineage_address(value: str) -> str:
    parts = parts_of(value, user=False)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return value
    try:
        return web_address(value)
    except ValueError as error:
        raise ValueError(f"{error}, or file:///absolute/file") from None


def duration(value: Any) -> Any:
    """`61`, `61s`, `30m`, `24h` and `7d`, as people write them."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", value)):
        seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]
        if seconds > LONGEST.total_seconds():
            raise ValueError(f"it is longer than {LONGEST.days} days")
        return timedelta(seconds=seconds)
    if isinstance(value, str):
        raise ValueError("allowed is a number of seconds, or one with a unit: 61s, 30m, 24h, 7d")  # noqa: TRY004
    return value


def whole_days(value: timedelta) -> timedelta:
    if value.seconds or value.microseconds:
        raise ValueError("allowed are whole days: 365d")
    return value


def _formats(value: Any) -> Any:
    found = tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else tuple(value)
    if "parquet" in found and set(found) <= {"parquet", "csv", "json"}:
        return found
    raise ValueError("allowed are parquet, which the warehouse loads, and beside it csv and json, separated by commas")


StoreUri = Annotated[str, AfterValidator(store_uri)]
Formats = Annotated[tuple[Literal["parquet", "csv", "json"], ...], NoDecode, BeforeValidator(_formats)]
Duration = Annotated[timedelta, BeforeValidator(duration)]
