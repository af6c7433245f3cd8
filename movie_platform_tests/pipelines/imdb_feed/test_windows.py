"""Ten-minute windows: their keys, and the partitions made of them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from movie_platform.errors import InputRefused
from movie_platform.pipelines.imdb_feed.partitions import ten_minute_windows
from movie_platform.pipelines.imdb_feed.windows import LENGTH, contiguous_runs, is_window, key_of, shift, span, start_of


@pytest.mark.parametrize(
    "key",
    [
        "202601010005",
        "202613010000",
        "202602300000",
        "20260101000",
        "2026010100000",
        "202601012400",
        "",
        "x",
        "２０２６０１０１００００",
    ],
)
def test_a_key_that_is_no_ten_minute_window_is_refused(key: str) -> None:
    assert not is_window(key)
    with pytest.raises(InputRefused, match="is no ten-minute window: the key is YYYYMMDDHHMM in UTC"):
        start_of(key)


def test_a_moment_lies_in_the_window_that_began_last_in_utc() -> None:
    moment = datetime(2026, 1, 1, 1, 39, 59, tzinfo=timezone(timedelta(hours=1)))
    assert key_of(moment) == "202601010030"
    assert start_of("202601010030") == datetime(2026, 1, 1, 0, 30, tzinfo=UTC)


def test_windows_follow_each_other_across_days_and_years() -> None:
    assert list(span("202512312340", "202601010010")) == [
        "202512312340",
        "202512312350",
        "202601010000",
        "202601010010",
    ]
    assert shift("202601010000", -LENGTH) == "202512312350"


def test_stretches_hold_windows_without_a_gap_up_to_a_length() -> None:
    windows = [*span("202601010000", "202601010040"), "202601010100"]
    assert [len(run) for run in contiguous_runs(windows, 2)] == [2, 2, 1, 1]
    assert [len(run) for run in contiguous_runs(windows, 500)] == [5, 1]


def test_a_partition_is_there_when_its_window_opens_and_no_earlier() -> None:
    partitions = ten_minute_windows("202601010000")
    before = key_of(datetime.now(UTC))
    last = partitions.get_last_partition_key()
    assert before <= str(last) <= key_of(datetime.now(UTC))
    assert partitions.get_first_partition_key() == "202601010000"


def test_a_partition_key_off_the_ten_minutes_or_before_the_start_is_none() -> None:
    partitions = ten_minute_windows("202112140000")
    assert partitions.has_partition_key("202112141930")
    assert not partitions.has_partition_key("202112141935")
    assert not partitions.has_partition_key("202112132350")
