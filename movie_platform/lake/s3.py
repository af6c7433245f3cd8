"""A bucket, or a prefix of one, as a store."""

import copy
import importlib.util
import io
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import obstore
import obstore.store
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError

from movie_platform.errors import ObjectMissing, WorldUnavailable
from movie_platform.lake.store import LeftOut, ObjectInfo, ObjectStore, Writer, ignored
from movie_platform.waits import UNBOUNDED, Circuit, Patience, Waits

PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 4
"""Parts of one upload that share the line, each bounded in time."""
DELETE_KEYS = 1000
READ_AHEAD_BYTES = 8 * 1024 * 1024

WRITER = "writer"
"""Metadata of an object that was created: which call it was."""

_T = TypeVar("_T")

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore import GetOptions, PutResult


class S3Store(ObjectStore):
    """Every operation ends within `waits.longest` seconds. What fails on its way, as an answer that is cut off does, is
    made once more. After three operations in a row without an answer the store counts as away for a minute: what is
    asked of it then is a `WorldUnavailable` at once."""

    def __init__(self, uri: str, waits: Waits | None = None) -> None:
        parts = urlsplit(uri)
        self.bucket = parts.netloc
        self.prefix = parts.path.strip("/")
        self.waits = waits or Waits()
        self._circuit = Circuit()
        self._patience = UNBOUNDED
        super().__init__(uri, self._client())

    def _client(self) -> obstore.store.S3Store:
        waits = self.waits
        return obstore.store.S3Store(
            self.bucket,
            prefix=self.prefix or None,
            client_options={
                "allow_http": True,  # an endpoint on plain http says so in its own address
                "connect_timeout": timedelta(seconds=waits.connect),
                "read_timeout": timedelta(seconds=waits.answer),
                "timeout": timedelta(seconds=waits.body),
            },
            retry_config={"retry_timeout": timedelta(seconds=waits.retry)},
            **_aws_chain(),
        )

    def patient(self, patience: Patience) -> "S3Store":
        hurried = copy.copy(self)
        hurried.waits = self.waits.within(patience.last)
        hurried._patience = patience
        hurried.inner = hurried._client()
        return hurried

    def objects(self, prefix: str = "", *, after: str = "", left_out: LeftOut = ignored) -> Iterator[ObjectInfo]:
        """One call for every 1,000 keys greater than `after`."""
        last, pages = after, self._pages(prefix, after)

        def next_page() -> list[ObjectInfo]:
            nonlocal pages
            try:
                return next(pages, [])
            except BaseError:
                pages = self._pages(prefix, last)  # the listing is over with its first error: go on behind what came
                raise

        while page := self._once_more(prefix, next_page):
            last = page[-1].key
            yield from page

    def _pages(self, prefix: str, after: str) -> Iterator[list[ObjectInfo]]:
        for batch in obstore.list(self.inner, prefix or None, offset=after or None, chunk_size=1000):
            yield [self._info(meta["path"], meta) for meta in batch]

    def folders(self, prefix: str = "", *, left_out: LeftOut = ignored) -> list[str]:
        result = self._once_more(prefix, lambda: obstore.list_with_delimiter(self.inner, prefix or None))
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in result["common_prefixes"])

    def info(self, key: str) -> ObjectInfo | None:
        try:
            return self._info(key, self._once_more(key, lambda: obstore.head(self.inner, key)))
        except ObjectMissing:
            return None

    def read_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        def read() -> tuple[bytes, ObjectInfo]:
            result = obstore.get(self.inner, key)
            return bytes(result.bytes()), self._info(key, result.meta)

        return self._once_more(key, read)

    def local_path(self, key: str) -> Path | None:
        return None

    def open(self, key: str) -> BinaryIO:
        info = self.info(key)
        if info is None:
            raise ObjectMissing(self.uri_of(key))
        return cast(BinaryIO, io.BufferedReader(_Ranges(self, info), READ_AHEAD_BYTES))

    def write(self, key: str, data: bytes) -> str:
        return self._put(key, data)

    def _put(self, key: str, data: bytes | Path) -> str:
        def put() -> str:
            return _etag_of(obstore.put(self.inner, key, data, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE))

        return self._once_more(key, put)

    def create(self, key: str, data: bytes) -> bool:
        """The object carries who created it, so that a call whose answer got lost still finds out what became of it."""
        writer = uuid.uuid4().hex

        def create() -> bool:
            try:
                obstore.put(self.inner, key, data, mode="create", attributes={WRITER: writer})
            except AlreadyExistsError:
                # Of a request that was made again the first may have got through.
                return obstore.get(self.inner, key).attributes.get(WRITER) == writer
            return True

        return self._once_more(key, create)

    def upload(self, key: str, path: Path) -> str:
        return self._put(key, path)

    @contextmanager
    def writer(self, key: str) -> Iterator[Writer]:
        with self._reaching(key):
            stream = obstore.open_writer(self.inner, key, buffer_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)
        try:
            yield stream
        except BaseError:
            del stream
            with self._reaching(key):
                raise
        except BaseException:
            # Leaving the writer unclosed leaves the multipart upload incomplete: nothing appears under the key.
            del stream
            raise
        with self._reaching(key):
            stream.close()

    def delete(self, keys: Iterable[str]) -> None:
        names = list(keys)
        for start in range(0, len(names), DELETE_KEYS):
            batch = names[start : start + DELETE_KEYS]
            self._once_more(batch[0], lambda batch=batch: obstore.delete(self.inner, batch))  # type: ignore[misc]

    def sweep(self) -> int:
        """Nothing is readable of an upload that was cut off; its parts expire by the bucket's lifecycle rule."""
        return 0

    def _once_more(self, key: str, operation: Callable[[], _T]) -> _T:
        """Do what may be done twice; a second time where the first failed on its way and early enough."""
        with self._reaching(key):
            started = time.monotonic()
            try:
                return operation()
            except GenericError:
                if time.monotonic() - started >= self.waits.retry:
                    raise
                return operation()

    @contextmanager
    def _reaching(self, key: str) -> Iterator[None]:
        self._circuit.must_be_closed(self.uri_of(key), self.uri)
        try:
            with self._patience.during(self.uri_of(key)), super()._reaching(key):
                yield
        except WorldUnavailable as error:
            # Every other error is an answer.
            if isinstance(error.__cause__, GenericError):
                self._circuit.failed()
            raise
        except ObjectMissing:
            self._circuit.answered()
            raise
        self._circuit.answered()


def _etag_of(written: "PutResult") -> str:
    return (written["e_tag"] or "").strip('"')


class _Ranges(io.RawIOBase):
    """An object as a seekable file, each read one ranged GET of the version that was opened."""

    def __init__(self, store: S3Store, info: ObjectInfo) -> None:
        self._store = store
        self._info = info
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._info.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        end = min(self._position + len(target), self._info.size)
        if end <= self._position:
            return 0
        options: GetOptions = {"range": (self._position, end), "if_match": f'"{self._info.etag}"'}
        store, key = self._store, self._info.key
        data = store._once_more(key, lambda: obstore.get(store.inner, key, options=options).bytes())
        count = len(data)
        target[:count] = memoryview(data)
        self._position += count
        return count


def _aws_chain() -> dict[str, Any]:
    """Credentials and region the way AWS's own tools find them: boto3's chain where it is installed (profiles, SSO,
    roles), else the environment, container and instance roles that obstore knows."""
    if importlib.util.find_spec("boto3") is None:
        return {}
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session()
    chain: dict[str, Any] = {"region": session.region_name} if session.region_name else {}
    if session.get_credentials() is not None:
        chain["credential_provider"] = Boto3CredentialProvider(session)
    return chain
