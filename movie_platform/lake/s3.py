"""A bucket, or a prefix of one, as a store."""

import importlib.util
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

import obstore
import obstore.store
from obstore.exceptions import AlreadyExistsError

from movie_platform.errors import ObjectMissing
from movie_platform.lake.store import LeftOut, ObjectInfo, ObjectStore, Writer, ignored

PART_BYTES = 8 * 1024 * 1024
DELETE_KEYS = 1000
READ_AHEAD_BYTES = 8 * 1024 * 1024

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore import GetOptions, PutResult


class S3Store(ObjectStore):
    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.bucket = parts.netloc
        self.prefix = parts.path.strip("/")
        inner = obstore.store.S3Store(
            self.bucket,
            prefix=self.prefix or None,
            client_options={"allow_http": True},  # an endpoint on plain http says so in its own address
            **_aws_chain(),
        )
        super().__init__(uri, inner)

    def objects(self, prefix: str = "", *, after: str = "", left_out: LeftOut = ignored) -> Iterator[ObjectInfo]:
        """One call for every 1,000 keys greater than `after`."""
        with self._reaching(prefix):
            for batch in obstore.list(self.inner, prefix or None, offset=after or None, chunk_size=1000):
                yield from (self._info(meta["path"], meta) for meta in batch)

    def folders(self, prefix: str = "", *, left_out: LeftOut = ignored) -> list[str]:
        with self._reaching(prefix):
            result = obstore.list_with_delimiter(self.inner, prefix or None)
            return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in result["common_prefixes"])

    def info(self, key: str) -> ObjectInfo | None:
        with self._reaching(key):
            try:
                return self._info(key, obstore.head(self.inner, key))
            except FileNotFoundError:
                return None

    def local_path(self, key: str) -> Path | None:
        return None

    def open(self, key: str) -> BinaryIO:
        info = self.info(key)
        if info is None:
            raise ObjectMissing(self.uri_of(key))
        return cast(BinaryIO, io.BufferedReader(_Ranges(self, info), READ_AHEAD_BYTES))

    def write(self, key: str, data: bytes) -> str:
        with self._reaching(key):
            return _etag_of(obstore.put(self.inner, key, data, chunk_size=PART_BYTES))

    def create(self, key: str, data: bytes) -> bool:
        with self._reaching(key):
            try:
                obstore.put(self.inner, key, data, mode="create")
            except AlreadyExistsError:
                return False
            return True

    def upload(self, key: str, path: Path) -> str:
        with self._reaching(key):
            return _etag_of(obstore.put(self.inner, key, path, chunk_size=PART_BYTES))

    @contextmanager
    def writer(self, key: str) -> Iterator[Writer]:
        with self._reaching(key):
            stream = obstore.open_writer(self.inner, key, buffer_size=PART_BYTES)
        try:
            yield stream
        except BaseException:
            # Leaving the writer unclosed leaves the multipart upload incomplete: nothing appears under the key.
            del stream
            raise
        with self._reaching(key):
            stream.close()

    def delete(self, keys: Iterable[str]) -> None:
        names = list(keys)
        with self._reaching(names[0] if names else ""):
            for start in range(0, len(names), DELETE_KEYS):
                obstore.delete(self.inner, names[start : start + DELETE_KEYS])

    def sweep(self) -> int:
        """Nothing is readable of an upload that was cut off; its parts expire by the bucket's lifecycle rule."""
        return 0


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
        with self._store._reaching(self._info.key):
            options: GetOptions = {"range": (self._position, end), "if_match": f'"{self._info.etag}"'}
            data = obstore.get(self._store.inner, self._info.key, options=options).bytes()
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
