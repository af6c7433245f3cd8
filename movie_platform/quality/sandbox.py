"""SQL of rule authors, run where it can read the judged data and nothing else, in limited time and memory.

Statements are read as Spark's SQL, which rulesets are written in, and run on DuckDB. They are checked twice: by their
shape before they run (one SELECT over the known tables), and by the engine itself, which has no file system, no
network, no extensions, and a configuration that cannot be changed. The engine is a process of its own, so that it can
be ended inside any function, and its memory is limited by the operating system.
"""

import atexit
import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, cast

import pyarrow as pa

from movie_platform.quality.errors import RuleNotComputable
from movie_platform.quality.presentation import harmless
from movie_platform.quality.sandbox_worker import read_message, write_message

MEMORY_BYTES = 2 * 2**30
"""What the engine's process may hold beside its code; the engine itself spills to disk at half of it."""
MOST_RESULT_BYTES = 2**20
"""A result larger than this is no number to compare; row numbers have a limit of their own."""
_LOADING_SECONDS = 3_600.0


class Sandbox:
    """An engine that sees the loaded tables only; each statement ends within `seconds`, or its process is ended.

    With the process its tables are gone: `generation` then grows, and they have to be loaded again.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self.generation = 0
        self._worker: _Worker | None = None

    def load(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Copies batches into a table of the engine, which may spill to disk."""
        self._ask({"op": "create", "table": name}, schema.empty_table(), _LOADING_SECONDS)
        for batch in batches:
            self._ask({"op": "append", "table": name}, pa.Table.from_batches([batch]), _LOADING_SECONDS)

    def select(self, sql: str, *, most_bytes: int = MOST_RESULT_BYTES) -> pa.Table:
        """The result of a statement in DuckDB's dialect."""
        return self._ask({"op": "select", "sql": sql, "most_bytes": most_bytes}, None, self.seconds)

    def select_from(self, name: str, table: pa.Table, sql: str) -> pa.Table:
        """The result of a statement over one table that is forgotten afterwards."""
        header = {"op": "select from", "table": name, "sql": sql, "most_bytes": 8 * table.num_rows + MOST_RESULT_BYTES}
        return self._ask(header, table, self.seconds)

    def _ask(self, header: dict[str, Any], table: pa.Table | None, seconds: float) -> pa.Table:
        if self._worker is None:
            self._worker = _Worker.idle() or _Worker()
        try:
            reply, data = self._worker.ask(header, table, seconds)
        except BaseException as failure:
            # Whoever interrupts a query does not wait for it either.
            self._worker.end()
            self._worker = None
            self.generation += 1
            if isinstance(failure, TimeoutError):
                raise RuleNotComputable(f"the query took longer than {seconds:g} s and was stopped") from failure
            if isinstance(failure, EOFError | OSError):
                limit = MEMORY_BYTES // 2**30
                raise RuleNotComputable(
                    f"the engine ended amid the query, as it does when it needs more than {limit} GB of memory"
                ) from failure
            raise
        if "error" in reply:
            raise RuleNotComputable(f"the query cannot be run: {harmless(reply['error'])}")
        return pa.ipc.open_stream(data).read_all() if data else None

    def close(self) -> None:
        """Frees the engine."""
        if self._worker is not None:
            self._worker.release()
            self._worker = None


class _Worker:
    """A process that answers one request at a time. One that is not in use is kept for the next evaluation."""

    _kept: "_Worker | None" = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self._owner = os.getpid()
        # What the engine writes when a sort or join outgrows its memory. No statement names it.
        self._spill = tempfile.mkdtemp(prefix="quality-sql-")
        # As text, not as a file: on a cluster the package comes in a zip.
        script = files("movie_platform.quality").joinpath("sandbox_worker.py").read_text("utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
        self._send({"path": sys.path, "spill": self._spill, "memory_bytes": MEMORY_BYTES})

    @classmethod
    def idle(cls) -> "_Worker | None":
        """The one that is kept, if it is alive and this process's own."""
        with cls._lock:
            worker, cls._kept = cls._kept, None
        if worker is None or worker._owner != os.getpid():
            return None
        if worker._process.poll() is not None:
            worker.end()
            return None
        return worker

    def release(self) -> None:
        """Keeps the process for the next evaluation, its tables forgotten, or ends it when one is kept already."""
        try:
            self.ask({"op": "reset"}, None, 10.0)
        except (OSError, EOFError):
            self.end()
            return
        with self._lock:
            spare, _Worker._kept = _Worker._kept, self
        if spare is not None:
            spare.end()

    def ask(self, header: dict[str, Any], table: pa.Table | None, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The reply to a request; raises TimeoutError when it takes longer, EOFError when the process is gone."""
        data: Any = b""
        if table is not None:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
            data = sink.getvalue()
        self._send(header, data)
        stdout = cast(Any, self._process.stdout)
        deadline = time.monotonic() + seconds
        ready, _, _ = select.select([stdout], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError
        return read_message(stdout)

    def _send(self, header: dict[str, Any], data: Any = b"") -> None:
        write_message(cast(Any, self._process.stdin), header, data)

    def end(self) -> None:
        """Ends the process whatever it does, and removes what it wrote."""
        if self._owner != os.getpid():
            return
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        shutil.rmtree(self._spill, ignore_errors=True)


@atexit.register
def _end_kept() -> None:
    worker = _Worker.idle()
    if worker is not None:
        worker.end()
