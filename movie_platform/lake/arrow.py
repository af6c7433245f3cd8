"""A store's writer as a file that Arrow can write to."""

from collections.abc import Callable
from typing import Any


class ArrowSink:
    """Passes on what Arrow writes, and counts it. The store finishes its object by itself."""

    closed = False

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.bytes = 0

    def write(self, data: Any) -> int:
        self._write(bytes(data))
        self.bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """The store's writer flushes when the object is whole."""

    def close(self) -> None:
        """The store's writer closes itself."""
