"""What becomes of an operation on S3 under each fault of the network, and that it ends."""

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from movie_platform.errors import WorldUnavailable
from movie_platform.lake import S3Store
from movie_platform.waits import Circuit, Patience, Waits
from movie_platform_tests.faults.proxy import Fault, Proxy, address_of, proxied

SHORT = Waits(connect=0.3, answer=0.3, body=0.5, retry=0.6)
LONG = Waits(connect=5.0, answer=2.0, body=10.0, retry=15.0)
"""For faults that pass, on a machine of whatever speed."""
MARGIN = 20.0
"""Seconds above the bound, for a machine that has other things to do; without bounds the faults last 60 s and more."""

LASTING: dict[Fault, float] = {
    "hang on connect": SHORT.longest,
    "hang before the first byte": SHORT.longest,
    "hang in the answer": SHORT.longest,
    "drip": SHORT.longest,
    "cut in the answer": SHORT.longest,
    "reset in the answer": SHORT.longest,
    "error 500": SHORT.longest,
    "error 503": SHORT.longest,
}
"""Each fault that does not pass, and after how many seconds an operation has ended under it."""
PASSING: tuple[Fault, ...] = (
    "hang before the first byte",
    "cut in the answer",
    "reset in the answer",
    "error 500",
    "error 503",
)
T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """The result of work that must end: another thread waits for it, and gives up after so many seconds."""
    found: list[T | BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"not ended after {seconds} s"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@pytest.fixture
def proxy(bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxied(address_of(aws)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        yield proxy


@pytest.fixture
def far(bucket: str, proxy: Proxy) -> S3Store:
    store = S3Store(bucket, LONG)
    for number in range(3):
        store.write(f"a/{number}", b"x" * 2000)
    return store


OPERATIONS: dict[str, Callable[[S3Store], object]] = {
    "list": lambda store: [info.key for info in store.objects("a/")],
    "read": lambda store: store.read("a/1"),
    "write": lambda store: store.write("a/1", b"y"),
}


@pytest.mark.parametrize("fault", LASTING)
def test_an_operation_under_a_lasting_fault_ends_within_its_bound_as_unavailable(
    fault: Fault, far: S3Store, proxy: Proxy
) -> None:
    proxy.strike(fault)
    with pytest.raises(WorldUnavailable, match=r"a/ could not be reached"):
        within(LASTING[fault] + MARGIN, lambda: OPERATIONS["list"](S3Store(far.uri, SHORT)))
    assert proxy.struck
    proxy.heal()
    assert within(LONG.longest + MARGIN, lambda: OPERATIONS["read"](far)) == b"x" * 2000


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", PASSING)
def test_an_operation_under_a_fault_that_passes_succeeds(
    fault: Fault, operation: str, far: S3Store, proxy: Proxy
) -> None:
    expected = OPERATIONS[operation](far)
    proxy.strike(fault, times=1)
    found = within(LONG.longest + MARGIN, lambda: OPERATIONS[operation](far))
    assert proxy.struck == 1
    if operation != "write":
        assert found == expected


@pytest.mark.soak
def test_a_listing_of_several_pages_goes_on_behind_what_came(bucket: str, aws: str, far: S3Store, proxy: Proxy) -> None:
    keys = [f"many/{number:04}" for number in range(1500)]
    for key in keys:
        far.inner.put(key, b"")
    listing = far.objects("many/")
    found = [next(listing).key]
    proxy.strike("cut in the answer", times=1)
    found += [info.key for info in listing]
    assert proxy.struck == 1
    assert found == keys


@pytest.mark.parametrize("fault", ["answer lost", "cut in the answer", "reset in the answer"])
def test_a_create_whose_answer_is_lost_is_settled_by_what_is_there(fault: Fault, far: S3Store, proxy: Proxy) -> None:
    proxy.strike(fault, times=1, matching=lambda head: head.startswith(b"PUT "))
    assert far.create("a/new", b"mine")
    assert proxy.struck == 1
    assert far.read("a/new") == b"mine"
    assert not far.create("a/new", b"mine")


def test_a_create_that_another_one_beat_says_so_also_when_its_answer_is_lost(far: S3Store, proxy: Proxy) -> None:
    assert far.create("a/new", b"theirs")
    proxy.strike("answer lost", times=1, matching=lambda head: head.startswith(b"PUT "))
    assert not far.create("a/new", b"mine")
    assert far.read("a/new") == b"theirs"


def test_after_three_operations_without_an_answer_none_is_begun(far: S3Store, proxy: Proxy) -> None:
    proxy.strike("error 500")
    far = S3Store(far.uri, SHORT)
    for _ in range(Circuit.AT_MOST):
        with pytest.raises(WorldUnavailable, match="could not be reached"):
            far.read("a/1")
    struck = proxy.struck
    with pytest.raises(WorldUnavailable, match="3 operations in a row"):
        far.read("a/1")
    assert proxy.struck == struck


def test_who_has_little_patience_stops_asking_when_the_stores_have_wasted_it(bucket: str, proxy: Proxy) -> None:
    patience = Patience(2.0)
    store = S3Store(bucket).patient(patience)
    assert store.waits.longest <= patience.last
    proxy.strike("hang before the first byte")
    with pytest.raises(WorldUnavailable):
        within(patience.seconds + MARGIN, lambda: store.read("a/1"))
