"""A run on S3 whose process is killed before, within and after any request that changes something there.

A proxy in front of moto's server kills it, so that what was asked for may have happened without anybody hearing of it.
"""

import itertools
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from movie_platform.lake import open_store
from movie_platform_tests.deliveries.sources import SUBJECTS, Feed, Subject
from movie_platform_tests.faults.kills import Place, corrected, difference, prepared, settled
from movie_platform_tests.faults.processes import Processes
from movie_platform_tests.faults.proxy import Fault, Proxy, address_of

How = Literal["before", "within", "after"]
HOWS: tuple[How, ...] = ("before", "within", "after")
LARGE = 20 * 2**20
"""An object of three parts."""


@dataclass
class KillingProxy(Proxy):
    """Kills `victim` at its request number `at` of those that change something."""

    at: int = 0
    how: How = "before"
    victim: int = 0
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._is_known = threading.Event()

    def arm(self, at: int, how: How) -> None:
        self.at, self.how, self.names = at, how, []
        self._is_known.clear()

    def aim(self, victim: int) -> None:
        self.victim = victim
        self._is_known.set()

    def _pass(self, client: socket.socket, server: socket.socket, head: bytes, fault: Fault | None) -> None:
        asked = re.match(rb"(PUT|POST|DELETE) (\S+)", head)
        if asked:
            with self._lock:
                self.names.append(f"{asked[1].decode()} {asked[2].decode()}")
                number = len(self.names)
        if not asked or number != self.at:
            super()._pass(client, server, head, fault)
            return
        request = b"".join(self._request(client, head)) if self.how != "before" else b""
        if self.how == "within":
            server.sendall(request[: len(request) - 1])
        elif self.how == "after":
            server.sendall(request)
            while server.recv(2**16):
                pass
        self._is_known.wait(60)
        os.kill(self.victim, signal.SIGKILL)


@pytest.fixture
def proxy(aws: str) -> Iterator[KillingProxy]:
    made = KillingProxy(address_of(aws))
    yield made
    made.close()


class Kills:
    def __init__(self, forked: Processes, proxy: KillingProxy, bucket: str, folder: Path, kind: type[Subject]) -> None:
        self.forked, self.proxy, self.bucket, self.folder, self.kind = forked, proxy, bucket, folder, kind
        self.numbers = itertools.count()
        self.wrong: list[str] = []
        code, self.expected = self.killed(0, "before")
        assert code == 0
        self.names = proxy.names

    def killed(self, at: int, how: How) -> tuple[int, dict[str, object]]:
        """How a run ended whose process is killed at that request, and what is there when what is owed was run."""
        name = str(next(self.numbers))
        direct = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        place = Place(self.kind, self.folder / name, f"{self.bucket}/{name}", direct)
        by_proxy = Place(self.kind, place.folder, place.address, {**direct, "AWS_ENDPOINT_URL": self.proxy.address})
        self.forked.run(prepared, place)
        self.proxy.arm(at, how)
        self.proxy.aim(self.forked.start(corrected, by_proxy))
        code, result = self.forked.wait()
        assert code in {0, -signal.SIGKILL}, result
        return code, self.forked.run(settled, place)

    def compare(self, at: int, how: How) -> None:
        code, found = self.killed(at, how)
        assert code == -signal.SIGKILL
        if differs := difference(found, self.expected):
            self.wrong.append(f"{how} {self.names[at - 1]}: {differs}")


def test_a_run_of_the_feed_that_is_killed_before_it_hears_that_its_manifest_is_written_ends_as_if_it_never_was(
    forked: Processes, proxy: KillingProxy, bucket: str, tmp_path: Path
) -> None:
    kills = Kills(forked, proxy, bucket, tmp_path, Feed)
    manifest = next(at for at, name in enumerate(kills.names, 1) if name.endswith("/000000002.json"))
    kills.compare(manifest, "after")
    assert kills.wrong == []


@pytest.mark.soak
@pytest.mark.parametrize("kind", SUBJECTS, ids=lambda kind: kind.source.name)
def test_a_run_killed_at_any_request_ends_as_if_it_never_was(
    kind: type[Subject], forked: Processes, proxy: KillingProxy, bucket: str, tmp_path: Path
) -> None:
    kills = Kills(forked, proxy, bucket, tmp_path, kind)
    made = 0
    for at in range(1, len(kills.names) + 1):
        for how in HOWS:
            kills.compare(at, how)
            made += 1
    print(f"{kind.source.name} on S3: {made} kills at {len(kills.names)} requests, {len(kills.wrong)} ended otherwise")
    assert kills.wrong == []
    assert made >= 15


def _write(uri: str, environment: dict[str, str], content: bytes) -> None:
    os.environ.update(environment)
    open_store(uri).write("large", content * LARGE)


def _stream(uri: str, environment: dict[str, str], content: bytes) -> None:
    os.environ.update(environment)
    with open_store(uri).writer("large") as out:
        for _ in range(LARGE // 2**20):
            out.write(content * 2**20)


@pytest.mark.soak
@pytest.mark.parametrize("work", [_write, _stream])
def test_of_an_object_of_several_parts_all_or_nothing_is_there_wherever_its_writer_is_killed(
    work: Callable[..., Any], forked: Processes, proxy: KillingProxy, bucket: str
) -> None:
    direct = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    by_proxy = {**direct, "AWS_ENDPOINT_URL": proxy.address}
    store = open_store(bucket)
    proxy.arm(0, "before")
    forked.run(work, bucket, by_proxy, b"1")
    requests = len(proxy.names)
    assert requests == 5, "begun, three parts, completed"
    for at in range(1, requests + 1):
        for how in HOWS:
            forked.run(work, bucket, direct, b"1")
            proxy.arm(at, how)
            proxy.aim(forked.start(work, bucket, by_proxy, b"2"))
            assert forked.wait().code == -signal.SIGKILL
            is_completed = (at, how) == (requests, "after")
            assert store.read("large") == (b"2" if is_completed else b"1") * LARGE, f"{how} {proxy.names[at - 1]}"
            forked.run(work, bucket, direct, b"3")
            assert store.read("large") == b"3" * LARGE
