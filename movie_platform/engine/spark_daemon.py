"""The program that Spark forks its Python workers from: what they need is imported before, so that each starts at once.

Spark itself starts `pyspark.daemon`, with its own Python code in zips and a jar ahead of everything else on the path.
Python reads their directories anew before each task, for 0.1 s or more, and compiles what it imports from there.
"""

import gc
import sys
from importlib.util import find_spec


def main() -> None:
    """Answers Spark until it is done, as `pyspark.daemon` does."""
    path = list(sys.path)
    sys.path[:] = [place for place in path if not place.endswith(("pyspark.zip", "-src.zip", ".jar"))]
    if find_spec("pyspark") is None or find_spec("py4j") is None:
        sys.path[:] = path  # here they are in the zip only
    sys.path_importer_cache.clear()
    from pyspark.daemon import manager

    import movie_platform.engine.quality_worker  # noqa: F401 - it is there for the workers

    # A worker collects garbage after each task, and would look for it among all that is imported.
    gc.freeze()
    manager()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
