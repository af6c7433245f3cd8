"""From an address to a store."""

from movie_platform.lake.local import LocalStore
from movie_platform.lake.s3 import S3Store
from movie_platform.lake.store import ObjectStore
from movie_platform.waits import Waits


def open_store(uri: str, waits: Waits | None = None) -> ObjectStore:
    """The store at a `file:///` or `s3://` address, which may take so long. A local folder need not exist yet."""
    return S3Store(uri, waits) if uri.startswith("s3://") else LocalStore(uri)
