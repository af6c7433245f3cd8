"""From an address to a store."""

from movie_platform.lake.local import LocalStore
from movie_platform.lake.s3 import S3Store
from movie_platform.lake.store import ObjectStore


def open_store(uri: str) -> ObjectStore:
    """The store at a `file:///` or `s3://` address. A local folder need not exist yet."""
    return S3Store(uri) if uri.startswith("s3://") else LocalStore(uri)
