"""What became of each day, in the lake: where its objects lie, and the record that says what they were made from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from movie_platform.deliveries import Delivery, Receipt, manifests, receipts
from movie_platform.errors import ObjectMissing
from movie_platform.lake import ObjectStore
from movie_platform.pipelines.quality_movies.archive import NAME
from movie_platform.pipelines.quality_movies.history import history_key
from movie_platform.pipelines.quality_movies.tables import DATASET

CODE_VERSION = "1"
"""Changes when the same delivery and rules would give other rows."""

State = Literal["good", "blocked", "unreadable"]


@dataclass(frozen=True)
class FileFacts:
    """What a delivered file was when the day was judged."""

    etag: str
    modified: str
    sha256: str
    size: int
    records: int = 0


@dataclass(frozen=True)
class GoodVersion:
    """What a load of a version's good rows goes by; its rows stay staged while later versions are blocked."""

    version: str
    digest: str
    rules_digest: str
    code_version: str
    good: int
    good_digest: str


@dataclass(frozen=True)
class DayRecord:
    """A judged day. Written last: a day without one is done again."""

    day: str
    version: str
    """The sequence of its delivery, as the ledger writes it."""
    files: Mapping[str, FileFacts]
    digest: str
    """Of the delivered bytes."""
    ruleset: str
    rules_digest: str
    """Of the rules and of how they take nulls."""
    code_version: str
    state: State
    reason: str = ""
    score: float = 0.0
    rules: int = 0
    passed: int = 0
    rows: int = 0
    good: int = 0
    bad: int = 0
    misfits: int = 0
    """Of the bad rows, those with a value that the table's column does not take."""
    broken: int = 0
    """Of the bad rows, those that could not be read as rows."""
    withheld: int = 0
    """Rows that broke no rule and are not loaded, because the delivery is blocked."""
    good_digest: str = ""
    """Of the good rows."""
    result_id: str = ""
    metrics: int = 0
    released: int = 0
    """Rows that were bad before and are good by a replay."""
    serves: str | None = None
    """The version that the warehouse keeps serving where this one is not loaded."""
    serves_good: int = 0
    missing_columns: tuple[str, ...] = field(default=())
    delivered_at: str = ""
    """When its newest file came, for people to read."""
    good_before: GoodVersion | None = None
    """The version that is staged, where this one is not loaded; records of earlier platforms lack it."""
    observations: tuple[str, ...] = ()
    """What its evaluation observed without judging it."""

    @property
    def is_loaded(self) -> bool:
        return self.state == "good"

    @property
    def loadable(self) -> GoodVersion | None:
        """The version whose good rows belong in the warehouse: this one, or the last good one before it."""
        if not self.is_loaded:
            return self.good_before
        return GoodVersion(self.version, self.digest, self.rules_digest, self.code_version, self.good, self.good_digest)

    def is_made_from(self, delivery: Delivery) -> bool:
        """Whether the day was judged from all of these files, as they are; of those that went away it knows more."""
        made_from = {key: facts.etag for key, facts in self.files.items()}
        return all(made_from.get(key) == info.etag for key, info in delivery.files.items())

    @property
    def is_conserved(self) -> bool:
        """Whether every delivered record is good, bad or withheld."""
        return self.rows == self.good + self.bad + self.withheld

    @property
    def account(self) -> str:
        parts = [f"{self.rows:,} records = {self.good:,} good + {self.bad:,} bad"]
        if self.withheld:
            parts.append(f"{self.withheld:,} withheld")
        return " + ".join(parts)


def record_key(day: str) -> str:
    return f"evaluations/quality_movies/{day}.json"


def staged_key(day: str) -> str:
    return f"stage/quality_movies/{day}.parquet"


def bad_key(day: str, kind: Literal["parquet", "jsonl"] = "parquet") -> str:
    return f"bad-records/quality_movies/{day}.{kind}"


def rejects_key(day: str) -> str:
    return f"rejects/quality_movies/{day}.parquet"


def outcomes_key(day: str, kind: Literal["json", "jsonl"] = "json") -> str:
    return f"rule_outcome/{day}.{kind}"


def notices_key(day: str) -> str:
    return f"notifications/quality_movies/{day}.json"


def record_of(lake: ObjectStore, day: str) -> DayRecord | None:
    try:
        fields = json.loads(lake.read(record_key(day)))
    except ObjectMissing:
        return None
    return read_record(fields)


def read_record(fields: Mapping[str, Any]) -> DayRecord:
    """A record from its fields, as JSON has them."""
    before = fields.get("good_before")
    read = {
        "files": {key: FileFacts(**facts) for key, facts in fields["files"].items()},
        "missing_columns": tuple(fields["missing_columns"]),
        "observations": tuple(fields.get("observations", ())),
        "good_before": GoodVersion(**before) if before else None,
    }
    return DayRecord(**{**fields, **read})


def outcomes_of(lake: ObjectStore, day: str) -> list[dict[str, Any]]:
    """How each rule came out on the day; nothing where the day could not be read."""
    try:
        found = json.loads(lake.read(outcomes_key(day)))
    except (ObjectMissing, ValueError):  # a day that is being judged anew has none for a moment
        return []
    return [outcome for outcome in found if isinstance(outcome, dict) and "Rule" in outcome]


def put_record(lake: ObjectStore, record: DayRecord) -> str:
    """Write the record; its etag."""
    fields = asdict(record)
    if not record.observations:
        del fields["observations"]  # the version before, to which people may go back, does not know it
    return lake.write(record_key(record.day), json.dumps(fields, indent=2, sort_keys=True).encode())


def put_receipt(lake: ObjectStore, record: DayRecord, written: Mapping[str, str], fingerprint: str) -> None:
    """Say that everything of the day is there: what was written now, and what earlier versions of the day left."""
    keys = [
        staged_key(record.day),
        bad_key(record.day),
        bad_key(record.day, "jsonl"),
        rejects_key(record.day),
        outcomes_key(record.day),
        outcomes_key(record.day, "jsonl"),
        history_key(DATASET, record.day),
        record_key(record.day),
    ]
    made = {key: info.etag for key in keys if key not in written and (info := lake.info(key))} | dict(written)
    sequence = manifests.sequence_of(record.version)
    receipts.put(lake, NAME, Receipt(record.day, sequence, fingerprint, receipts.made_of(made)))


def judged_days(lake: ObjectStore) -> list[str]:
    """The days that have a record."""
    prefix = record_key("").removesuffix(".json")
    return [info.key.removeprefix(prefix).removesuffix(".json") for info in lake.objects(prefix)]


def quarantined_days(lake: ObjectStore) -> list[str]:
    """Days with bad rows, or with rows that a block withholds."""
    days = set()
    for prefix in ("bad-records/quality_movies/", "rejects/quality_movies/"):
        listed = (info.key.removeprefix(prefix) for info in lake.objects(prefix))
        days |= {name.removesuffix(".parquet") for name in listed if name.endswith(".parquet")}
    return sorted(days)
