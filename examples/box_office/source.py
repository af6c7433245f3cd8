"""The box office as a source of deliveries, and a day's way through the lake and into the warehouse."""

import io
from datetime import UTC, datetime
from importlib.resources import files

import pyarrow as pa
import pyarrow.parquet as pq

from examples.box_office.judging import Judged, judge
from examples.box_office.tables import BOX_OFFICE, DELIVERED
from movie_platform.csv_files.kinds import kind_of_type
from movie_platform.deliveries import Delivery, Receipt, loading, receipts, until_undisturbed
from movie_platform.deliveries.columns import Expectation
from movie_platform.deliveries.copies import Archive, ArchivedDay, archived
from movie_platform.deliveries.days import DailyFiles
from movie_platform.deliveries.source import Source
from movie_platform.errors import InputRefused
from movie_platform.lake import ObjectStore
from movie_platform.quality import read_ruleset_file
from movie_platform.warehouse import LoadResult, Provenance, Warehouse, read_views
from movie_platform.warehouse import Source as LoadedObject

NAME = "box_office"
CODE_VERSION = "1"
FILES = DailyFiles("box_office/")
ARCHIVE = Archive(NAME, "archive/box_office/", FILES)
RULES = read_ruleset_file(files(__package__).joinpath("box_office.dqdl"))


def good_key(day: str) -> str:
    return f"stage/box_office/{day}.parquet"


def bad_key(day: str) -> str:
    return f"bad-records/box_office/{day}.parquet"


def process(raw: ObjectStore, lake: ObjectStore, day: str) -> Judged | None:
    """Archive and judge what is delivered for the day; None where nothing ever was."""
    return until_undisturbed(lambda: _process(raw, lake, day), f"{day} of the box office")


def _process(raw: ObjectStore, lake: ObjectStore, day: str) -> Judged | None:
    def find() -> Delivery | None:
        return FILES.find(raw, day, datetime.now(UTC))

    with archived(raw, lake, ARCHIVE, day, find) as delivered:
        if delivered is None:
            return None
        try:
            found = judge(day, [(file.key, file.path) for file in delivered.files], RULES.rules)
        except InputRefused as refused:
            receipts.refuse(lake, NAME, day, delivered.fingerprint, refused)
            raise
        made = {
            bad_key(day): lake.write(bad_key(day), _parquet(found.bad, delivered)),
            good_key(day): lake.write(good_key(day), _parquet(found.good, delivered)),
        }
        delivered.must_be_current(lake, find)
        receipt = Receipt(day, delivered.manifest.sequence, delivered.fingerprint, receipts.made_of(made))
        receipts.put(lake, NAME, receipt)
        return found


def load(warehouse: Warehouse, lake: ObjectStore, day: str, *, run_id: str, force: bool = False) -> LoadResult | None:
    """Replace the day's rows; None where the lake has none."""
    info = lake.info(good_key(day))
    if info is None:
        return None
    metadata = pq.read_metadata(io.BytesIO(lake.read(good_key(day))))
    served = LoadedObject(good_key(day), metadata.metadata[b"digest"].decode(), metadata.num_rows, info.etag)
    provenance = Provenance(CODE_VERSION, RULES.rules.digest, run_id)
    result = loading.replace_day(warehouse, lake, NAME, BOX_OFFICE, day, (served,), provenance, force=force)
    warehouse.create_views(read_views(__package__))
    return result


def load_all(warehouse: Warehouse, lake: ObjectStore, run_id: str) -> int:
    days = receipts.standings(lake, NAME)
    return sum(load(warehouse, lake, day, run_id=run_id) is not None for day in days)


def _parquet(table: pa.Table, delivered: ArchivedDay) -> bytes:
    out = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"digest": delivered.manifest.digest}), out)
    return out.getvalue()


SOURCE = Source(
    name=NAME,
    command="box_office",
    title="Box office",
    prefix=FILES.prefix,
    partition="day",
    shape=FILES,
    start=lambda _settings: "2026-01-01",
    raw_asset="box_office_raw",
    description="What each movie took in, a CSV file a day in `box_office/<date>/`.",
    assets=("box_office_good", "box_office"),
    made=("stage/box_office/", "bad-records/box_office/"),
    owed_loads=lambda lake, warehouse, known: loading.owed_loads(lake, warehouse, BOX_OFFICE, known),
    load_all=load_all,
    archives=((NAME, ARCHIVE.root),),
    was_made=lambda _raw, _lake, _delivery: False,
    delivered=DELIVERED,
    expects=(
        Expectation(
            NAME,
            files={"": {column.name: kind_of_type(column.type) for column in BOX_OFFICE.columns}},
            if_new="it is in no table, and its values stay in archive/box_office/",
            if_unreadable="records that cannot be read are in bad-records/box_office/; a day without others is refused",
        ),
    ),
)
