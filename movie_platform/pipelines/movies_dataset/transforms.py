"""Records of the files -> the eight tables, as Ibis expressions that know nothing of the engine they run on.

Each file is parsed into a table with a row per record: its number, its values, and the reason where it is rejected.
What becomes of it from there is a filter away, so that every record is either out, merged or rejected.

`make queries` keeps the SQL of what a build asks for; it has to be run where a function here is changed.
"""

from collections.abc import Callable, Iterable, Mapping

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from movie_platform.csv_files.cells import AMERICAN_DAY, ISO_DAY, NUMBER, WHOLE_WITH_POINT, only
from movie_platform.engine import RAW, REASON, REASON_COLUMN, RECORD_NUMBER
from movie_platform.engine.literal import MAX_PARTS
from movie_platform.engine.protocol import LiteralReader
from movie_platform.pipelines.movies_dataset.tables import (
    CAST_MEMBER,
    CREW_MEMBER,
    MOVIES_MASTER,
)

NOT_A_LITERAL = "not a literal of its column's type"
NOT_A_SHORT_LITERAL = f"{NOT_A_LITERAL}, or one of more than {MAX_PARTS:,} parts"
LARGEST = 10**12
"""No amount, count or length of a movie comes near it. Below it, profits and sums over four million movies stay in 64
bits, and what is added up or averaged stays finite."""
_PLACES = 9
_INTEGER = only(WHOLE_WITH_POINT)
_NUMBER = only(NUMBER)
_ISO_DAY = only(ISO_DAY)
_SPREADSHEET_DAY = only(AMERICAN_DAY)
_ZERO_WHERE_BLANK = ("budget", "popularity", "revenue", "vote_count")
_AVERAGED = (*_ZERO_WHERE_BLANK, "runtime", "vote_average")


def _sound(parsed: ir.Table) -> ir.Table:
    return parsed.filter(parsed[REASON].isnull())


def rejected_records(table: ir.Table, source: str) -> ir.Table:
    """The records that were left out, in the shape of the rejects table."""
    left_out = table.filter(table[REASON].notnull())
    return left_out.select(
        source=ibis.literal(source),
        record_number=left_out[RECORD_NUMBER],
        scope=ibis.literal("row"),
        reason=left_out[REASON],
        column=left_out[REASON_COLUMN],
        raw=left_out[RAW],
    )


def rejects(parsed: ir.Table, source: str, checked: tuple[str, ...] = ()) -> ir.Table:
    """What could not be loaded, records and cells of the columns that are checked one by one, in order."""
    parts = [rejected_records(parsed, source)]
    sound = _sound(parsed)
    for name in checked:
        bad = sound.filter(sound[f"raw_{name}"].notnull())
        why = ibis.literal(_CELL_REASONS[name]) if name in _CELL_REASONS else _why_unreadable(bad[f"raw_{name}"])
        parts.append(
            bad.select(
                source=ibis.literal(source),
                record_number=bad[RECORD_NUMBER],
                scope=ibis.literal("cell"),
                reason=why,
                column=ibis.literal(name),
                raw=bad[f"raw_{name}"],
            )
        )
    return (
        ibis.union(*parts).order_by("record_number", "column") if len(parts) > 1 else parts[0].order_by("record_number")
    )


def summed_up(rejects: ir.Table) -> ir.Table:
    """How many rejects of which kind, and the first record of each."""
    kinds = rejects.group_by(["source", "scope", "reason", "column"])
    counted = kinds.aggregate(count=rejects.count(), first=rejects.record_number.min())
    return counted.order_by(ibis.desc("scope"), "first", "reason", "column")


_NOT_AN_INTEGER = "not an integer, or beyond a trillion"
_NOT_A_NUMBER = "not a number, or beyond a trillion"
_CELL_REASONS = {
    "adult": "neither true nor false",
    "video": "neither true nor false",
    "budget": _NOT_AN_INTEGER,
    "revenue": _NOT_AN_INTEGER,
    "vote_count": _NOT_AN_INTEGER,
    "popularity": _NOT_A_NUMBER,
    "runtime": _NOT_A_NUMBER,
    "vote_average": _NOT_A_NUMBER,
    "release_date": "not a date",
}


def parse_movies(records: ir.Table, literals: Mapping[str, LiteralReader]) -> ir.Table:
    """Values of movies_metadata.csv. A cell that is none of its column's kind is null, and its raw text is in
    `raw_<column>`."""
    values: dict[str, ir.Value] = {}
    checked: list[str] = []
    for column in MOVIES_MASTER.columns[1:]:
        cell = records[column.name]
        if pa.types.is_string(column.type):
            values[column.name] = cell.strip().nullif("")
        else:
            reader = literals.get(column.name)
            values[column.name] = reader(cell) if reader else _read_plain(cell, column.type)
            checked.append(column.name)
    both = records.mutate(**{f"{name}_read": value for name, value in values.items()})
    raw = {
        f"raw_{name}": ibis.ifelse(_is_bad(both[f"{name}_read"], both[name]), both[name], ibis.null("string"))
        for name in checked
    }
    read_values = {name: both[f"{name}_read"] for name in values}
    return both.select(RECORD_NUMBER, REASON, REASON_COLUMN, RAW, "id", **read_values, **raw)


def _read_plain(cell: ir.StringValue, kind: pa.DataType) -> ir.Value:
    return _PLAIN[kind](cell.strip())


def _truth(text: ir.StringValue) -> ir.BooleanValue:
    return ibis.cases((text.upper() == "TRUE", True), (text.upper() == "FALSE", False), else_=ibis.null("boolean"))


def _integer(text: ir.StringValue) -> ir.Value:
    whole = ibis.ifelse(text.re_search(_INTEGER), text.re_replace(r"\.0*$", ""), ibis.null("string"))
    return _sane(whole.try_cast("int64"))


def _number(text: ir.StringValue) -> ir.Value:
    return _sane(ibis.ifelse(text.re_search(_NUMBER), text, ibis.null("string")).try_cast("float64"))


def _sane(number: ir.NumericValue) -> ir.Value:
    return ibis.ifelse(number.between(-LARGEST, LARGEST), number, ibis.null(number.type()))


def _day(text: ir.StringValue) -> ir.Value:
    """Dates as 1995-10-30, or as 10/30/1995 where a spreadsheet wrote them; a year 0 is in no calendar of Python's."""
    month, day, year = (text.re_extract(_SPREADSHEET_DAY, group) for group in (1, 2, 3))
    american = year + ibis.literal("-") + month.lpad(2, "0") + ibis.literal("-") + day.lpad(2, "0")
    iso = ibis.cases(
        (text.re_search(_ISO_DAY), text), (text.re_search(_SPREADSHEET_DAY), american), else_=ibis.null("string")
    )
    return ibis.ifelse(iso.startswith("0000"), ibis.null("string"), iso).try_cast("date")


_PLAIN: dict[pa.DataType, Callable[[ir.StringValue], ir.Value]] = {
    pa.bool_(): _truth,
    pa.int64(): _integer,
    pa.float64(): _number,
    pa.date32(): _day,
}


def movies_master(parsed: ir.Table) -> ir.Table:
    """One row per id, in the order in which the ids first appear: numbers averaged, of the rest the first value."""
    sound = _sound(parsed)
    columns: dict[str, ir.Value] = {}
    for column in MOVIES_MASTER.columns[1:]:
        value = sound[column.name]
        columns[column.name] = _averaged(value) if column.name in _AVERAGED else _first(value, sound[RECORD_NUMBER])
        if column.name in _ZERO_WHERE_BLANK:
            columns[column.name] = columns[column.name].fill_null(0)
    first = sound[RECORD_NUMBER].min()
    return (
        sound.group_by("id")
        .aggregate(**columns, **{RECORD_NUMBER: first}, records=sound.count())
        .order_by(RECORD_NUMBER)
    )


def in_order(rows: ir.Table) -> ir.Table:
    return rows.order_by(RECORD_NUMBER)


def merged_movies(movies: ir.Table) -> ir.Table:
    """How many records repeat the id of an earlier one."""
    return movies.aggregate(n=(movies.records - 1).sum().fill_null(0))


def counted(rows: ir.Table) -> ir.Table:
    return rows.aggregate(n=rows.count())


def _first(value: ir.Value, number: ir.Value) -> ir.Value:
    return value.argmin(number, where=value.notnull())


def _averaged(value: ir.Value) -> ir.Value:
    """The mean; of equal values the value itself, which a mean of floats need not be."""
    mean = (value.mean() + 0.5).floor().cast("int64") if value.type().is_integer() else value.mean().round(_PLACES)
    return ibis.ifelse(value.min() == value.max(), value.min(), mean)


def movies_aggregated(movies: ir.Table) -> ir.Table:
    """One row per movie, genre and company, with nulls for a movie that lacks one or both."""
    genres = _names(movies, "genres").rename(genre="name")
    companies = _names(movies, "production_companies").rename(production_company="name")
    plain = movies.select("id", "popularity", "revenue", "budget", "release_date")
    rows = plain.left_join(genres, "id").drop("id_right").left_join(companies, "id").drop("id_right")
    return (
        rows.rename(movie_id="id")
        .mutate(release_year=rows.release_date.year(), profit=rows.revenue - rows.budget)
        .order_by("movie_id", ibis.asc("genre", nulls_first=True), ibis.asc("production_company", nulls_first=True))
    )


def _names(movies: ir.Table, column: str) -> ir.Table:
    """Each movie with each distinct name in its list of records; movies without any are not in it."""
    items = movies.select("id", item=movies[column].unnest())
    return items.select("id", name=_trimmed(items.item["name"])).distinct()


def _trimmed(name: ir.StringValue) -> ir.StringValue:
    return name.strip().nullif("")


def trimmed_names(kept: ir.Table, columns: tuple[str, ...]) -> ir.Table:
    """How many names in each list column have blanks around them."""
    counts = []
    for column in columns:
        items = kept.select(item=kept[column].unnest())
        named = items.select(name=items.item["name"])
        padded = named.filter(named.name != named.name.strip())
        counts.append(padded.aggregate(column=ibis.literal(column), n=padded.count()))
    return ibis.union(*counts) if len(counts) > 1 else counts[0]


def implausible_amounts(movies: ir.Table, plausible_above: int) -> ir.Table:
    """Budgets and revenues that are neither 0, which is how the source writes unknown, nor plausible."""
    parts = [
        movies.filter((movies[column] != 0) & (movies[column] <= plausible_above)).select(
            movie_id="id", title="title", column=ibis.literal(column), amount=column
        )
        for column in ("budget", "revenue")
    ]
    return ibis.union(*parts)


def smallest_amounts(amounts: ir.Table, most: int) -> ir.Table:
    """So many of them, the smallest first."""
    return amounts.order_by("amount", "movie_id", "column").limit(most)


def _why_unreadable(cell: ir.StringValue) -> ir.StringValue:
    """Only a cell of more characters than a literal may have parts can have too many parts."""
    return ibis.ifelse(cell.length() > MAX_PARTS, NOT_A_SHORT_LITERAL, NOT_A_LITERAL)


def parse_lists(records: ir.Table, literals: Mapping[str, LiteralReader]) -> ir.Table:
    """Lists per record of keywords.csv or credits.csv; a record where one does not read is rejected as a whole."""
    values = {name: literal(records[name]) for name, literal in literals.items()}
    read = records.mutate(**{f"{name}_read": value for name, value in values.items()})
    unreadable = {name: _is_bad(read[f"{name}_read"], read[name]) for name in literals}
    reason, column = read[REASON], read[REASON_COLUMN]
    for name, at_fault in reversed(unreadable.items()):
        reason = ibis.ifelse(at_fault, _why_unreadable(read[name]), reason)
        column = ibis.ifelse(at_fault, name, column)
    any_at_fault = _any(unreadable.values())
    return read.select(
        RECORD_NUMBER,
        "id",
        **{REASON: reason, REASON_COLUMN: column, RAW: ibis.ifelse(any_at_fault, _written_again(records), read[RAW])},
        **{name: read[f"{name}_read"] for name in literals},
    )


def _written_again(records: ir.Table) -> ir.StringValue:
    """The record as a line of CSV, since the reader keeps the line itself only of records that it refuses.

    The cells are those that are read, in the publisher's order, their text to the letter. Columns that nobody reads are
    not in it, an order of the file's own is not kept, and an id is a plain integer however it was written (`862.0`).
    """
    cells = [records[name] for name in records.columns if name not in (RECORD_NUMBER, REASON, REASON_COLUMN, RAW)]
    return ibis.literal(",").join(_csv_cell(cell) for cell in cells)


def _csv_cell(cell: ir.Value) -> ir.StringValue:
    if cell.type().is_string():
        return ibis.literal('"') + cell.replace('"', '""') + ibis.literal('"')
    return cell.cast("string")


def _is_bad(value: ir.Value, cell: ir.StringValue) -> ir.BooleanValue:
    """Whether a cell that holds something gave nothing. The long cells are looked at again only where they did."""
    nothing = cell.isnull() | cell.strip().isin(["", "None"])
    return ibis.cases((value.notnull(), False), (nothing, False), else_=True)


def _any(conditions: Iterable[ir.BooleanValue]) -> ir.BooleanValue:
    first, *others = conditions
    for condition in others:
        first = first | condition
    return first


def merged_records(parsed: ir.Table, values: tuple[str, ...]) -> ir.Table:
    """Numbers of the records that repeat an earlier one in every value; only ids that come again are compared."""
    sound = _sound(parsed)
    again = sound.group_by("id").aggregate(records=sound.count())
    again = again.filter(again.records > 1)
    candidates = sound.semi_join(again, "id")
    repeat = ibis.row_number().over(group_by=["id", *values], order_by=RECORD_NUMBER)
    ranked = candidates.select(RECORD_NUMBER, repeat=repeat)
    return ranked.filter(ranked.repeat > 0).select(RECORD_NUMBER)


def kept_records(parsed: ir.Table, merged: ir.Table) -> ir.Table:
    return _sound(parsed).anti_join(merged, RECORD_NUMBER)


def kept_ids(kept: ir.Table) -> ir.Table:
    """How many records are kept, and how many ids they have."""
    ids = kept.group_by("id").aggregate(n=kept.count())
    return ids.aggregate(n=ids.n.sum().fill_null(0), ids=ids.count())


def keywords_master(kept: ir.Table) -> ir.Table:
    rows = kept.select(movie_id=kept.id, member=kept.keywords.unnest())
    rows = rows.filter(rows.member.notnull())
    return rows.select("movie_id", keyword_id=rows.member["id"], keyword=_trimmed(rows.member["name"]))


def credits_master(kept: ir.Table) -> ir.Table:
    return kept.select("cast", "crew", movie_id=kept.id)


def cast_master(kept: ir.Table) -> ir.Table:
    return _members(kept, "cast", CAST_MEMBER)


def crew_master(kept: ir.Table) -> ir.Table:
    return _members(kept, "crew", CREW_MEMBER)


def _members(kept: ir.Table, column: str, member: pa.StructType) -> ir.Table:
    rows = kept.select(movie_id=kept.id, member=kept[column].unnest())
    rows = rows.filter(rows.member.notnull())
    values = {field.name: rows.member[field.name] for field in member}
    return rows.select("movie_id", **{**values, "name": _trimmed(values["name"])})


def ratings_master(records: ir.Table) -> ir.Table:
    sound = records.filter(records[REASON].isnull())
    return sound.select("rating", "timestamp", movie_id=sound.movieId, user_id=sound.userId)


def links_master(records: ir.Table) -> ir.Table:
    sound = records.filter(records[REASON].isnull())
    return sound.select(movie_id=sound.movieId, imdb_id=sound.imdbId, tmdb_id=sound.tmdbId)


def unknown_members(kept: ir.Table, movies: ir.Table, column: str) -> ir.Table:
    """Rows that a list column makes, and how many of them belong to a movie that movies_master does not have."""
    sizes = kept.select("id", rows=kept[column].length().fill_null(0))
    return _unknown(sizes, movies.select("id"))


def unknown_ratings(ratings: ir.Table, links: ir.Table, movies: ir.Table) -> ir.Table:
    """Ratings, and how many of them do not reach a movie of movies_master through links_master."""
    sizes = ratings.group_by("movie_id").aggregate(rows=ratings.count())
    known = links.semi_join(movies, links.tmdb_id == movies.id).select(id=links.movie_id).distinct()
    return _unknown(sizes.rename(id="movie_id"), known)


def _unknown(sizes: ir.Table, known: ir.Table) -> ir.Table:
    unknown = sizes.anti_join(known, "id")
    return ibis.union(
        sizes.aggregate(kind=ibis.literal("all"), rows=sizes.rows.sum().fill_null(0)),
        unknown.aggregate(kind=ibis.literal("unknown"), rows=unknown.rows.sum().fill_null(0)),
    )
