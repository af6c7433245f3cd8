"""Pandera without PySpark, which it imports wherever that is installed: 0.3 s for a process that uses no Spark frames.

Whoever works with frames of pandas takes Pandera from here. PySpark itself can be imported afterwards as ever.
"""

import sys

_FOUND = "pyspark" in sys.modules
if not _FOUND:
    sys.modules["pyspark"] = None  # type: ignore[assignment] # what Python documents as "cannot be imported"
try:
    import pandera.pandas as pandera
finally:
    if not _FOUND:
        del sys.modules["pyspark"]

__all__ = ["pandera"]
