"""Files as rules about files see them; where they are kept is for whoever lists them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, TypeAlias


@dataclass(frozen=True)
class StoredFile:
    """A file at an address."""

    name: str
    size: int
    modified: datetime
    open: Callable[[], BinaryIO]


FileLister: TypeAlias = Callable[[str], Iterable[StoredFile]]
"""The files at an address: the file itself, or all that is below the folder."""
