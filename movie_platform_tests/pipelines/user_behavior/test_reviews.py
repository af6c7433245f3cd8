"""Every record of a review file is classified or rejected with its number and its reason."""

import io
from collections.abc import Iterator

import pytest

from movie_platform.engine import CsvFile, Engine
from movie_platform.engine.in_process import DuckDBEngine
from movie_platform.errors import InputRefused
from movie_platform.pipelines.user_behavior import reviews
from movie_platform.pipelines.user_behavior.reviews import ReviewAccount
from movie_platform.samples import user_behavior as samples
from movie_platform_tests.pipelines.user_behavior.conftest import DAY


@pytest.fixture
def engine() -> Iterator[Engine]:
    with DuckDBEngine() as engine:
        yield engine


def file(content: bytes | str, name: str = "movie_review.csv") -> CsvFile:
    data = content if isinstance(content, bytes) else content.encode()
    return CsvFile(name, lambda: io.BytesIO(data))


def read(engine: Engine, *files: CsvFile, name: str = "token") -> tuple[list[dict], list[dict], ReviewAccount]:
    records = reviews.read(engine, files)
    rows = engine.stage("rows", reviews.classified(engine, records, name)).table
    left_out = engine.stage("left_out", reviews.rejects(records)).table
    account = reviews.account(engine, records, rows, left_out)
    assert account.conserved
    return engine.to_arrow(reviews.in_order(rows)).to_pylist(), engine.to_arrow(left_out).to_pylist(), account


def test_quotes_and_line_breaks_belong_to_the_text(engine: Engine) -> None:
    rows, rejects, _ = read(engine, file('cid,review_str\n1,"so\ngood, they said ""good"""\r\n2,bad\n'))
    assert [(row["cid"], row["positive_review"]) for row in rows] == [(1, True), (2, False)]
    assert rejects == []


def test_columns_stand_in_any_order_among_others_behind_a_mark(engine: Engine) -> None:
    rows, _, _ = read(engine, file("\ufeffreview_str,stars,cid\ngood,5,7\n"))
    assert [(row["cid"], row["positive_review"]) for row in rows] == [(7, True)]


@pytest.mark.parametrize(
    ("record", "rule", "reason"),
    [
        (b",nobody wrote this", "cid_readable", "cid: required, but blank"),
        (b"abc,good", "cid_readable", "cid: not an integer"),
        (b"12.5,good", "cid_readable", "cid: not an integer"),
        (b"nan,good", "cid_readable", "cid: not an integer"),
        (b"2147483648,good", "cid_readable", "cid: a number that is no customer's"),
        (b"3,tr\xe8s good", "readable_record", "not UTF-8"),
        (b"3,good,more", "readable_record", "3 fields where the header has 2"),
        (b"", "readable_record", "blank"),
    ],
)
def test_what_cannot_be_used_is_rejected_and_the_rest_goes_on(
    engine: Engine, record: bytes, rule: str, reason: str
) -> None:
    rows, rejects, account = read(engine, file(b"cid,review_str\n1,good\n" + record + b"\n2,bad\n"))
    assert [row["record_number"] for row in rows] == [1, 3]
    assert [(r["source"], r["record"], r["rule"], r["reason"]) for r in rejects] == [
        ("movie_review.csv", 2, rule, reason)
    ]
    assert account.rejected == {reason: 1}


def test_a_cid_from_a_program_with_blanks_in_its_column_is_a_cid(engine: Engine) -> None:
    rows, _, _ = read(engine, file("cid,review_str\n 17850.0 ,good\n-4,good\n"))
    assert [row["cid"] for row in rows] == [17850, -4]


def test_a_review_without_text_counts_and_is_not_positive(engine: Engine) -> None:
    rows, _, _ = read(engine, file("cid,review_str\n1,\n"))
    assert [(row["cid"], row["positive_review"], row["second_opinion"]) for row in rows] == [(1, False, False)]


def test_an_open_quote_takes_the_rest_of_the_file_and_says_so(engine: Engine) -> None:
    rows, rejects, account = read(engine, file('cid,review_str\n1,good\n2,"never closed\n3,good\n'))
    assert [row["cid"] for row in rows] == [1]
    (reject,) = rejects
    assert reject["reason"] == "a quote is opened and never closed"
    assert reject["raw"] == '2,"never closed\n3,good'
    assert account.records == 2


def test_several_files_of_a_day_keep_their_names(engine: Engine) -> None:
    rows, rejects, account = read(
        engine, file("cid,review_str\n1,good\nx,y\n", "a.csv"), file("cid,review_str\n2,bad\n", "b.csv")
    )
    assert [(row["source"], row["record_number"]) for row in rows] == [("a.csv", 1), ("b.csv", 1)]
    assert [reject["source"] for reject in rejects] == ["a.csv"]
    assert account.records == 3


def test_a_header_alone_is_a_day_without_reviews(engine: Engine) -> None:
    rows, rejects, account = read(engine, file("cid,review_str\n"))
    assert (rows, rejects) == ([], [])
    assert account == ReviewAccount(0, 0, 0, 0, 0)
    assert account.share_positive is account.agreement is None


@pytest.mark.parametrize(
    "content",
    [b"", b"customer,review_str\n1,good\n", b"\x1f\x8b\x08\x00gzip", "cid,review_str\n1,good\n".encode("utf-16")],
)
def test_a_file_that_is_no_review_file_is_refused_by_name(engine: Engine, content: bytes) -> None:
    with pytest.raises(InputRefused, match=r"movie_review.csv has no column 'cid'"):
        reviews.read(engine, [file(content)])


def test_both_classifiers_speak_and_their_agreement_is_known(engine: Engine) -> None:
    content = "cid,review_str\n1,a good film\n2,not good at all\n3,a wonderful film\n4,awful\n"
    rows, _, account = read(engine, file(content))
    assert [row["positive_review"] for row in rows] == [True, True, False, False]
    assert [row["second_opinion"] for row in rows] == [True, False, True, False]
    assert (account.share_positive, account.agreement) == (0.5, 0.5)
    swapped, _, _ = read(engine, file(content), name="lexicon")
    assert [row["positive_review"] for row in swapped] == [row["second_opinion"] for row in rows]


def test_a_hundred_thousand_reviews_with_every_defect_are_accounted_for(engine: Engine) -> None:
    sample = samples.reviews(DAY, 100_000, long_text=True)
    _, rejects, account = read(engine, file(sample.content))
    assert (account.records, account.classified, len(rejects)) == (100_000, 100_000 - sample.broken, sample.broken)
    assert set(account.rejected) == {
        "3 fields where the header has 2",
        "blank",
        "cid: a number that is no customer's",
        "cid: not an integer",
        "cid: required, but blank",
        "not UTF-8",
    }
    assert account.share_positive is not None
    assert 0.2 < account.share_positive < 0.5
    assert account.agreement is not None
    assert 0.5 < account.agreement < 0.8
