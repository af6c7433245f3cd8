"""A ruleset judged on Spark, by the same code as on one machine: workers see the parts, the driver concludes.

Spark moves parts, counts, hashes and keys; it compares, reads and counts nothing by itself. What a worker needs comes
to it as plain values, and it plans the ruleset anew.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar, Unpack

import numpy as np

from movie_platform.engine import quality_worker as worker
from movie_platform.engine.quality_worker import Judged, Numbered, Search, StoredCsv, WantedKeys, Work
from movie_platform.engine.spark import SparkEngine
from movie_platform.engine.stored_parquet import StoredParquet, put_parts
from movie_platform.lake import ObjectStore, open_store
from movie_platform.quality.counterpart_parts import CounterpartsTogether, meeting
from movie_platform.quality.counterparts import Counterparts
from movie_platform.quality.csv_files import common_schema
from movie_platform.quality.data import DataSet
from movie_platform.quality.errors import DataUnreadable
from movie_platform.quality.evaluation import Options, Plan, planned
from movie_platform.quality.key_parts import KeysTogether
from movie_platform.quality.measures import Keys
from movie_platform.quality.opening import open_data
from movie_platform.quality.parts import AskedHistory, Whole, refuse_not_divisible
from movie_platform.quality.results import Evaluation
from movie_platform.quality.row_results import RESULT_COLUMNS
from movie_platform.quality.ruleset import Ruleset

WAVE = 64
"""Parts whose results are on their way to the driver at once."""
BUCKET_WAVE = 16
"""Buckets whose results are on their way to the driver at once: each has the numbers of many rows."""
HASHES_OF_A_BUCKET = 4_194_304
"""Hashes of keys meet in so many buckets that each has about so many."""
ROWS_OF_A_BUCKET = 524_288
"""Keys, and rows with their counterparts, meet in so many buckets that each has about so many rows."""

T = TypeVar("T")
R = TypeVar("R")


def parts_of(engine: SparkEngine, data: DataSet, leave_out: Sequence[str] = ()) -> StoredParquet:
    """The data set where workers can read it: as it is when they can, else as parts in the engine's work store."""
    if isinstance(data, StoredParquet):
        return data
    keys = put_parts(engine.work, engine.new_prefix("judged"), data.schema, data.batches())
    return StoredParquet.of(engine.work, keys, engine.waits, leave_out=leave_out)


def csv_parts(
    engine: SparkEngine, store: ObjectStore, files: Mapping[str, str], missing: Sequence[str]
) -> StoredParquet:
    """CSV files as parts in the engine's work store, read by the workers as `quality.open_files` reads them.

    `files` are what messages call the files, each with its key. A worker reads a whole file: where a record ends can
    only be known from the start, as a line break may stand in quotes. Raises DataUnreadable as `open_files` does.
    """
    texts = [StoredCsv(store.uri, key, name, tuple(missing), engine.waits) for name, key in files.items()]
    surveys = []
    for found in _each(engine, texts, StoredCsv.survey):
        if isinstance(found, DataUnreadable):
            raise found
        surveys.append(found)
    schema = common_schema(surveys)
    items = [(text, found, engine.new_prefix("csv")) for text, found in zip(texts, surveys, strict=True)]
    written = _each(engine, items, partial(worker.put_csv, engine.work.uri, schema))
    return StoredParquet.of(engine.work, chain.from_iterable(written), engine.waits, leave_out=RESULT_COLUMNS)


def evaluate_on_spark(
    engine: SparkEngine, data: DataSet, ruleset: Ruleset, *, glue_rows: bool = False, **options: Unpack[Options]
) -> Evaluation:
    """As `quality.evaluate`, with the rows judged by Spark's workers.

    Raises RulesNotDivisible before anything runs where a rule needs all rows in one place.
    """
    refuse_not_divisible(ruleset)
    parts = parts_of(engine, data, RESULT_COLUMNS)
    references = {name: open_data(source) for name, source in (options.get("references") or {}).items()}
    history = AskedHistory(options.get("history"))
    given: Options = {**options, "references": references, "history": history}
    with planned(parts, ruleset, **given) as plan:
        there: Options = {
            **given,
            "references": {name: source.schema.empty_table() for name, source in references.items()},
            "history": AskedHistory(None, history.answers),
            "at": plan.context.at,
            "files": None,
        }
        plan.left_out = parts.left_out
        _look(engine, Work(ruleset, there), parts, plan)
        _search(engine, {**there, "references": None}, parts, plan)
        return plan.concluded(parts.rows, glue_rows=glue_rows)


def _look(engine: SparkEngine, work: Work, parts: StoredParquet, plan: Plan) -> None:
    """Shows all rows to the plan's measures, once; of keys their hashes, which meet in buckets of equal ones."""
    together = [KeysTogether(measure, parts.rows) for measure in plan.measures.all if isinstance(measure, Keys)]
    numbered = [(number, parts.part(number), start) for number, start in enumerate(parts.starts)]
    buckets = -(-parts.rows // HASHES_OF_A_BUCKET)
    slots = range(len(together) * buckets)
    of_parts = range(len(slots), len(slots) + len(numbered))
    sent = _sent(engine, numbered, partial(work.look, buckets), of_parts.stop)
    whole = Whole(plan.measures.all)
    for (_, part, _), states in zip(numbered, _arrived(engine, sent, worker.states, of_parts, WAVE), strict=True):
        whole.add(states, part.rows)
    for slot, hashes in _arrived(engine, sent, worker.hashes_of_bucket, slots):
        together[slot // buckets].add_hashes(hashes)
    _count_keys(engine, numbered, together)
    for keys in together:
        keys.finish()


def _count_keys(engine: SparkEngine, numbered: Sequence[Numbered], together: Sequence[KeysTogether]) -> None:
    """Counts the keys themselves where hashes do not say how often they occur."""
    wanted = []
    for _, part, start in numbered:
        rows = slice(start, start + part.rows)
        some = [(n, keys.names, np.packbits(keys.may_share[rows])) for n, keys in enumerate(together)]
        if some := [(n, names, bits) for n, names, bits in some if bits.any()]:
            wanted.append(WantedKeys(part, start, some))
    most = max((int(np.count_nonzero(keys.may_share)) for keys in together), default=0)
    buckets = -(-most // ROWS_OF_A_BUCKET)
    slots = range(len(together) * buckets)
    sent = _sent(engine, wanted, partial(WantedKeys.by_bucket, buckets=buckets), len(slots))
    for slot, found in _arrived(engine, sent, worker.keys_of_bucket, slots):
        together[slot // buckets].add_keys(found)


def _search(engine: SparkEngine, options: Options, parts: StoredParquet, plan: Plan) -> None:
    """Searches for the counterparts that rules ask for; rows of both data sets meet in buckets."""
    measures = [measure for measure in plan.measures.all if isinstance(measure, Counterparts)]
    aliases = {measure.counterpart.alias for measure in measures}
    stored = {alias: parts_of(engine, plan.context.tables.side(alias)) for alias in aliases}
    meetings, items = [], []
    for number, measure in enumerate(measures):
        theirs = stored[measure.counterpart.alias]
        meetings.append(meeting(measure.counterpart, parts, theirs, (parts.rows, theirs.rows), ROWS_OF_A_BUCKET))
        for other, data in ((False, parts), (True, theirs)):
            items += [(number, other, data.part(place), start) for place, start in enumerate(data.starts)]
    search = Search(tuple(meetings), options)
    slots = range(sum(met.buckets for met in meetings))
    together = [CounterpartsTogether(measure, parts.rows) for measure in measures]
    for number, found in _arrived(engine, _sent(engine, items, search.rows, len(slots)), search.found, slots):
        together[number].add(found)
    for found_of_measure in together:
        found_of_measure.finish()


def _sent(
    engine: SparkEngine, items: Sequence[T], function: Callable[[T], Iterator[tuple[int, Any]]], slots: int
) -> Any:
    """What the function gives for the items, each with its slot, on its way there; None where there are no items."""
    if not items:
        return None
    return engine.spark_context.parallelize(items, len(items)).flatMap(function).partitionBy(slots, partitionFunc=int)


def _arrived(
    engine: SparkEngine,
    sent: Any,
    function: Callable[[Iterable[Any]], Iterator[R]],
    slots: range,
    wave: int = BUCKET_WAVE,
) -> Iterator[R]:
    """What the function makes of all that was sent to each slot, slot by slot, a wave at a time."""
    for first in range(0, len(slots) if sent is not None else 0, wave):
        yield from engine.spark_context.runJob(sent, function, list(slots[first : first + wave]))


def _each(engine: SparkEngine, items: Iterable[T], function: Callable[[T], R]) -> Iterator[R]:
    """The function's result for each item, in order, worked out on the workers, a wave at a time."""
    coming = iter(items)
    while wave := list(islice(coming, WAVE)):
        yield from engine.spark_context.parallelize(wave, len(wave)).map(function).collect()


def write_on_spark(engine: SparkEngine, evaluation: Evaluation, address: str) -> None:
    """Writes rule_outcomes.json and the folders good.parquet and bad.parquet at the address of a store, replacing what
    was there. Workers write the rows, a file for each part that has some, so that files in order of their names are the
    rows in order."""
    data = evaluation.data
    assert isinstance(data, StoredParquet)
    target = open_store(address, data.waits)
    folders = [f"{name}.parquet/" for name in ("good", "bad")]
    target.delete([*(info.key for folder in folders for info in target.objects(folder)), *(f[:-1] for f in folders)])
    target.write("rule_outcomes.json", evaluation.outcomes_json().encode())
    by_workers = target if engine.shares_disk or target.local_path("") is None else engine.work
    prefix = "" if by_workers is target else engine.new_prefix("split")
    judged = Judged(evaluation.ruleset, evaluation.dataset, evaluation.at, evaluation.nulls, by_workers.uri, prefix)
    items = (
        (number, data.part(number), evaluation.rows.slice(start, start + data.parts[number].rows))
        for number, start in enumerate(data.starts)
    )
    if not data.parts:
        judged.write((0, data, evaluation.rows))
    keys = [key for written in _each(engine, items, judged.write) for key in written]
    for key in keys if by_workers is not target else ():
        with by_workers.open(key) as source, target.writer(key.removeprefix(prefix)) as out:
            shutil.copyfileobj(source, out, 8 * 2**20)
