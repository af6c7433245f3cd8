"""The environment, read once into `Settings`. Nothing else in the platform reads it."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from movie_platform.addresses import holds_secret, shown_address
from movie_platform.errors import SettingsError
from movie_platform.feed_start import FeedStart, start_of_feed
from movie_platform.secrets_manager import REFERENCE
from movie_platform.setting_values import (
    PROJECT_ROOT,
    Duration,
    Formats,
    StoreUri,
    arrivals_by,
    classifier_name,
    engine_name,
    lineage_address,
    notify_channel,
    purchases_uri,
    relation,
    ruleset_name,
    warehouse_uri,
    web_address,
    whole_days,
)
from movie_platform.variables import PREFIX, misspelled
from movie_platform.waits import Waits

_SHOWN_CHARACTERS = 200
_ADDRESS = "NOTIFY_URL_"


class Settings(BaseSettings):
    """Every setting of the platform; the variable of a field is its name in capitals with the prefix."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    raw_uri: StoreUri = Field(".data/imdb-bkt", description="where the sources deliver; list and read only")
    feed_uri: StoreUri | None = Field(None, description="the IMDB feed's own bucket, where it is not RAW_URI")
    dataset_uri: StoreUri | None = Field(None, description="The Movies Dataset's own bucket")
    quality_uri: StoreUri | None = Field(None, description="the quality movies' own bucket")
    behavior_uri: StoreUri | None = Field(None, description="the movie reviews' own bucket")
    lake_uri: StoreUri = Field(".data/de-bkt", description="where the platform writes archives, Parquet and rejects")
    warehouse: Annotated[str, AfterValidator(warehouse_uri)] = Field(
        "duckdb:///.data/warehouse.duckdb", description="the warehouse: duckdb://, redshift:// or snowflake://"
    )
    warehouse_password: SecretStr | None = Field(
        None, description="the warehouse user's password, where IAM is not used"
    )
    warehouse_secret: str | None = Field(
        None, description="name or ARN of a secret in Secrets Manager that holds the warehouse's username and password"
    )
    warehouse_wait: Duration = Field(
        timedelta(minutes=10), description="how long a load or reader waits for its turn at the warehouse"
    )
    warehouse_connect: Duration = Field(
        timedelta(seconds=30), description="how long a connection to Redshift or Snowflake may take"
    )
    warehouse_statement: Duration = Field(
        timedelta(hours=1), description="how long one statement may take on Redshift or Snowflake"
    )
    warehouse_publish: Duration = Field(
        timedelta(0),
        description="at most how often loads renew the embedded warehouse's read-only copy for other SQL clients; "
        "0 makes none",
    )

    redshift_iam_role: str = Field(
        "default", description="the role with which Redshift reads the lake: an ARN, or default for the cluster's own"
    )
    snowflake_stage: str | None = Field(
        None, description="a Snowflake stage over the lake, to load from there; without it files are PUT into a stage"
    )

    catalog_database: str | None = Field(
        None, description="database of the Glue catalog that lists the lake's tables for Athena and Redshift Spectrum"
    )

    s3_connect: Duration = Field(timedelta(seconds=5), description="how long a connection to S3 may take")
    s3_answer: Duration = Field(
        timedelta(seconds=15), description="how long S3 may send nothing, before an answer or in the middle of it"
    )
    s3_body: Duration = Field(
        timedelta(seconds=60), description="how long one request to S3 and the whole of its answer may take"
    )
    s3_retry: Duration = Field(
        timedelta(seconds=30), description="how long after its first try a request to S3 that failed is made again"
    )
    aws_connect: Duration = Field(
        timedelta(seconds=3),
        description="how long a connection to Glue, SNS, EMR, Secrets Manager or another such service of AWS may take",
    )
    aws_answer: Duration = Field(
        timedelta(seconds=10),
        description="how long such a service may send nothing; Glue is asked twice, a job on EMR up to five times",
    )

    feed_start: Annotated[FeedStart, PlainValidator(start_of_feed)] = Field(
        FeedStart("202601010000"),
        description="first window of the feed, as YYYYMMDDHHMM in UTC; `90d` has the UI's windows begin with the month "
        "of 90 days ago, and keeps the older ones",
    )
    dataset_start: date = Field(date(2026, 1, 1), description="first day of The Movies Dataset's deliveries")
    quality_start: date = Field(date(2026, 1, 1), description="first day of the quality movies' deliveries")
    behavior_start: date = Field(date(2026, 1, 1), description="first day of the user behavior metric")
    feed_due: Duration = Field(
        timedelta(minutes=30),
        description="how long after its beginning a window must be served before the feed is overdue; 0 for no cadence",
    )
    dataset_due: Duration = Field(
        timedelta(0), description="the same for a day of The Movies Dataset, which comes now and then"
    )
    quality_due: Duration = Field(
        timedelta(hours=25),
        description="the same for a day of the quality movies: 8h for 08:00 UTC of the day, 25h for 01:00 of the next",
    )
    behavior_due: Duration = Field(timedelta(hours=26), description="the same for a day with movie reviews")
    dataset_max_bytes: int = Field(
        20_000_000_000, gt=0, description="bytes that a file of the data set's zip may have when unpacked"
    )
    dataset_max_ratio: float = Field(
        200.0, gt=1, description="how many times its packed size a file of the data set's zip may have"
    )
    dataset_formats: Formats = Field(
        ("parquet",),
        description="formats of The Movies Dataset's tables in the lake: parquet, and also csv or json",
    )
    feed_max_bytes: int = Field(
        100_000_000, gt=0, description="bytes that a file of the feed may have; a larger one is refused and never read"
    )
    feed_grace: Duration = Field(
        timedelta(seconds=61), description="how long after a window's first file its others are waited for"
    )
    feed_lookback: Duration = Field(
        timedelta(hours=24), description="how far behind the newest window late and corrected deliveries are looked for"
    )
    sensor_interval: Duration = Field(timedelta(seconds=30), description="seconds between two looks at the raw side")
    arrivals: Annotated[str, AfterValidator(arrivals_by)] = Field(
        "poll", description="what makes sensors look at once: poll (nothing does), or sqs:<queue that S3 announces to>"
    )
    sensor_wait: Duration = Field(
        timedelta(seconds=20), description="how long a sensor's tick waits for stores before it ends with `Not now`"
    )

    lineage: Annotated[str, AfterValidator(lineage_address)] | None = Field(
        None, description="where OpenLineage events go: the address of Marquez or DataHub, or file:///absolute/file"
    )
    lineage_key: SecretStr | None = Field(None, description="the key or token that this address asks for")
    lineage_namespace: str = Field("movie-platform", description="the namespace of jobs and data sets in these events")

    dagster_home: Annotated[Path, AfterValidator(lambda path: PROJECT_ROOT / path)] = Field(
        Path(".data/dagster"),
        validation_alias=AliasChoices("DAGSTER_HOME", "dagster_home"),
        description="where Dagster keeps runs and events",
    )

    stage_formats: Formats = Field(
        ("parquet",), description="formats of user behavior's stages and metric in the lake, as DATASET_FORMATS"
    )
    purchases: Annotated[str, AfterValidator(purchases_uri)] = Field(
        "warehouse", description="where purchases come from: postgresql://..., or sample ones in the embedded warehouse"
    )
    purchases_password: SecretStr | None = Field(None, description="the password of the purchases' database")
    purchases_table: Annotated[str, AfterValidator(relation)] = Field(
        "retail.user_purchase", description="the purchases' table or view"
    )
    purchases_connect: Duration = Field(
        timedelta(seconds=15), description="how long a connection to the purchases' database may take"
    )
    purchases_read: Duration = Field(
        timedelta(minutes=30), description="how long the purchases' database may take for one reading, and a statement"
    )
    purchases_silence: Duration = Field(
        timedelta(seconds=60), description="how long the purchases' database may say nothing before it counts as away"
    )
    purchases_date_shift: Annotated[Duration, AfterValidator(whole_days)] = Field(
        timedelta(0), description="how many days later than the shop's dates its purchases count, as 5934d"
    )
    review_classifier: Annotated[str, AfterValidator(classifier_name)] = Field(
        "model",
        description="which classifier counts: model, token, lexicon, model:<address of your own weights>, or "
        "package.module:Class of your own",
    )

    quality_ruleset: Annotated[str, AfterValidator(ruleset_name)] = Field(
        "rating",
        description="the rules for the quality movies: rating (rated above 8.5, no nulls), recommended (42), "
        "recommended+rating (both), or your own .dqdl file",
    )
    quality_nulls: Literal["documented", "legacy"] = Field(
        "documented", description="what a null does to a rule: documented (fails most), or legacy (passes)"
    )

    engine: Annotated[str, AfterValidator(engine_name)] = Field("duckdb", description="where bulk transforms run")
    spark_conf: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="more of Spark's own settings, as name=value separated by semicolons; secret:<name of a secret> "
        "stands for a value that Secrets Manager holds",
    )
    spark_role: str | None = Field(None, description="the role that EMR Serverless runs a job as")
    spark_archive: str | None = Field(
        None, description="a packed Python environment on S3 with the platform's dependencies, for EMR"
    )
    notify_urls: dict[str, SecretStr] = Field(
        {}, description="address of the channel apprise:<name>, or secret:<name of a secret that holds it>"
    )
    notify: Annotated[tuple[str, ...], NoDecode] = Field(("log",), description="who hears of runs and checks")
    notify_rules: Annotated[Path, AfterValidator(lambda path: PROJECT_ROOT / path)] | None = Field(
        None, description="a file that says which channel hears what; without it every channel hears everything"
    )
    ui_uri: Annotated[str, AfterValidator(web_address)] = Field(
        "http://localhost:3000", description="where people open the UI; notices link to it"
    )

    @field_validator("raw_uri", "lake_uri", mode="before")
    @classmethod
    def _not_blank(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ValueError("it is blank; unset it to use the default")
        return value

    @field_validator(
        "s3_connect",
        "s3_answer",
        "s3_body",
        "s3_retry",
        "aws_connect",
        "aws_answer",
        "sensor_wait",
        "purchases_connect",
        "purchases_read",
        "warehouse_connect",
        "warehouse_statement",
    )
    @classmethod
    def _a_wait_is_not_nothing(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("allowed is a time above zero")
        return value

    @field_validator("spark_conf", mode="before")
    @classmethod
    def _split_conf(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(";") if part.strip()]
        if any(not separator or not name.startswith("spark.") for name, separator, _ in pairs):
            raise ValueError("allowed is spark.name=value, several separated by semicolons")
        return {name.strip(): setting.strip() for name, _, setting in pairs}

    @field_validator("spark_conf")
    @classmethod
    def _no_secret_in_a_job_of_emr(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        """EMR shows a job's arguments to whoever may look at the job, and the configuration is among them."""
        if str(info.data.get("engine", "")).startswith("spark:emr"):
            shown = [
                name for name, text in value.items() if holds_secret(name, text) and not text.startswith(REFERENCE)
            ]
            if shown:
                raise ValueError(
                    f"EMR would show {', '.join(shown)} among the job's arguments: write {REFERENCE}<name of a secret> "
                    "for the value, which the driver reads from Secrets Manager, or set it on the cluster"
                )
        return value

    @field_validator("notify", mode="before")
    @classmethod
    def _split_notify(cls, value: Any) -> Any:
        parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        return tuple(notify_channel(part) for part in parts)

    @field_validator("notify")
    @classmethod
    def _addresses_are_there(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names = [part.removeprefix("apprise:") for part in value if part.startswith("apprise:")]
        missing = [name for name in names if address_key(name) not in info.data.get("notify_urls", {})]
        if missing:
            wanted = ", ".join(f"{PREFIX}{_ADDRESS}{address_key(name)}" for name in missing)
            raise ValueError(f"set {wanted} to the channel's address, or to secret:<name of a secret that holds it>")
        return value

    @model_validator(mode="before")
    @classmethod
    def _defaults_are_validated(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in ("raw_uri", "lake_uri"):
            values.setdefault(name, cls.model_fields[name].default)
        prefix = PREFIX + _ADDRESS
        addresses = {name.removeprefix(prefix): text for name, text in os.environ.items() if name.startswith(prefix)}
        values.setdefault("notify_urls", addresses)
        return values

    def source_uri(self, source: str) -> str:
        """The store that a source delivers into."""
        uri: str | None = getattr(self, f"{source}_uri", None)
        return uri or self.raw_uri

    @property
    def s3_waits(self) -> Waits:
        """How long S3 may take."""
        waits = (self.s3_connect, self.s3_answer, self.s3_body, self.s3_retry)
        return Waits(*(wait.total_seconds() for wait in waits))

    @property
    def aws_waits(self) -> Waits:
        """How long AWS's control services may take."""
        return Waits(self.aws_connect.total_seconds(), self.aws_answer.total_seconds())

    @property
    def platform_name(self) -> str:
        """What distinguishes this platform from another one on the same lake: a digest of its warehouse's address."""
        return hashlib.blake2b(self.warehouse.encode(), digest_size=6).hexdigest()


@contextmanager
def defaults_for_programs(**variables: str) -> Iterator[None]:
    """Programs that are started meanwhile find these variables, unless the environment has others."""
    added = {name: text for name, text in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def java_found() -> bool:
    """Whether there is a Java for Spark to start, the way Spark looks for it."""
    return "JAVA_HOME" in os.environ or shutil.which("java") is not None


def address_key(channel: str) -> str:
    """How the variable of an apprise channel's address ends, which is its key in `notify_urls`."""
    return channel.upper().replace("-", "_")


def variable(field_name: str) -> str:
    """The environment variable of a setting; Dagster's home has the name that Dagster gave it."""
    names = {"dagster_home": "DAGSTER_HOME", "notify_urls": f"{PREFIX}{_ADDRESS}<NAME>"}
    return names.get(field_name, PREFIX + field_name.upper())


def default_settings() -> Settings:
    """The settings as they are where nobody set anything, whatever the environment says."""
    return load_settings(**{name: field.default for name, field in Settings.model_fields.items()})


def _shown(name: str, value: Any) -> str:
    is_channel = name == "notify" and "://" in str(value)
    if "password" in name or "secret" in name or name in {"spark_conf", "notify_urls"} or is_channel:
        return "(hidden)"
    shown = shown_address(value) if isinstance(value, str) else repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; a `SettingsError` names each wrong variable, its value and what is allowed."""
    names = {variable(name) for name in Settings.model_fields}
    # Whoever gives every setting asks nothing of the environment.
    lines = [] if overrides.keys() >= Settings.model_fields.keys() else misspelled(os.environ, names, _ADDRESS)
    settings = None
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else "settings"
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{variable(name)}={_shown(name, problem.get('input'))}: {message}")
    if settings is None or lines:
        raise SettingsError("\n".join(lines))
    return settings
