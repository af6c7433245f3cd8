"""A run and a tick of the feed while S3, or a disk, does not answer."""

import errno
import os
from datetime import timedelta
from pathlib import Path

import pytest

from movie_platform.definitions import build_defs
from movie_platform.errors import WorldUnavailable
from movie_platform.lake import open_store
from movie_platform.orchestration.runs import run_partitions
from movie_platform.pipelines.imdb_feed import processing, refusals
from movie_platform.pipelines.imdb_feed.windows import shift
from movie_platform_tests.deliveries.sources import hook
from movie_platform_tests.faults.proxy import address_of, proxied
from movie_platform_tests.faults.test_s3 import MARGIN, within
from movie_platform_tests.pipelines.imdb_feed.platform import ALL, Platform
from movie_platform_tests.pipelines.imdb_feed.triplets import W, deliver, triplet

WINDOWS = [shift(W, timedelta(minutes=10 * number)) for number in range(8)]
SHORT = {"s3_connect": "0.3", "s3_answer": "0.3", "s3_body": "0.5", "s3_retry": "0.6", "sensor_wait": "2"}


def test_a_run_whose_raw_side_does_not_answer_leaves_most_windows_for_later_and_does_not_refuse_them(
    tmp_path: Path, bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [shift(W, timedelta(minutes=10 * number)) for number in range(30)]
    with proxied(address_of(aws)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        platform = Platform(tmp_path, raw=bucket, **SHORT)
        proxy.strike("hang before the first byte")
        outcome = within(60 + MARGIN, lambda: platform.run(*many))
    assert outcome.unreachable
    assert "are left for later and not refused" in outcome.message
    refused = refusals.windows(platform.lake)
    # So many windows are worked on at a time: all of them may have begun when the third one fails.
    assert len(refused) <= 3 + processing.UNDER_WAY


def test_after_three_windows_that_could_not_be_written_the_rest_waits_and_is_made_up_for(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    for window in WINDOWS:
        deliver(platform.raw, window, triplet(window))

    def full(key: str) -> None:
        if key.startswith("archive/"):
            raise WorldUnavailable(f"{key}: {os.strerror(errno.ENOSPC)}")

    definitions = build_defs(platform.settings, resources={"lake": hook(platform.lake, full)})
    outcome = run_partitions(definitions, ALL, WINDOWS, platform.instance)
    assert outcome.unreachable
    assert f"5 of 8 windows are left for later and not refused, from {WINDOWS[3]} on" in outcome.message
    assert refusals.windows(platform.lake) == WINDOWS[:3]
    assert platform.run(*WINDOWS).succeeded
    assert refusals.windows(platform.lake) == []
    assert [row.partition for row in platform.ledger()] == WINDOWS


def test_windows_that_fail_one_by_one_stop_no_run(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    for window in WINDOWS:
        deliver(platform.raw, window, triplet(window))

    def flaky(key: str) -> None:
        if any(key.startswith(f"archive/{window}/") for window in WINDOWS[::2]):
            raise WorldUnavailable(f"{key} cannot be written")

    found = list(processing.process_all(platform.raw, hook(platform.lake, flaky), WINDOWS))
    assert [outcome.window for outcome in found if outcome.postponed] == []
    assert [outcome.window for outcome in found if outcome.refusal] == WINDOWS[::2]


@pytest.mark.parametrize("fault", ["hang before the first byte", "drip", "error 503"])
def test_a_tick_whose_raw_side_does_not_answer_ends_with_not_now(
    fault: str, tmp_path: Path, bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxied(address_of(aws)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        platform = Platform(tmp_path, raw=bucket, sensor_wait="2")
        proxy.strike(fault)  # type: ignore[arg-type]
        result = within(2 + MARGIN, lambda: platform.tick("{}", raw=open_store(bucket)))
    assert result.skip_message.startswith("Not now: ")
    assert result.cursor == "{}"
