"""The files that rules of a day may ask about: those of the raw side and of the lake, and no others."""

from collections.abc import Iterator
from functools import partial

from movie_platform.lake import ObjectStore
from movie_platform.quality import FileLister, StoredFile


def files_of(*stores: ObjectStore) -> FileLister:
    """Lists the object at an address, or all below a folder, where the address belongs to one of the stores.

    Raises PermissionError for any other address: rules are data, and what else this machine can read is not theirs.
    """

    def listed(address: str) -> Iterator[StoredFile]:
        store, key = _located(stores, address)
        alone = store.info(key) if key and not key.endswith("/") else None
        folder = f"{key.rstrip('/')}/" if key else ""
        for info in [alone] if alone is not None else store.objects(folder):
            yield StoredFile(store.uri_of(info.key), info.size, info.modified, partial(store.open, info.key))

    return listed


def _located(stores: tuple[ObjectStore, ...], address: str) -> tuple[ObjectStore, str]:
    for store in stores:
        root = store.uri.rstrip("/")
        if (address == root or address.startswith(f"{root}/")) and ".." not in address.split("/"):
            return store, address[len(root) + 1 :]
    raise PermissionError(
        f"rules of a day ask about files below {' and '.join(store.uri for store in stores)}, and this is none"
    )
