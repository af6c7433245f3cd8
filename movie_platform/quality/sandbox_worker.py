"""The process in which queries of rule authors run: sandbox.py starts it as a script and ends it when it is too slow.

It speaks in messages: two lengths, a JSON header, and an Arrow stream where there is data. The first message sets the
limits, which hold for whatever a query does, also inside one function.
"""

import json
import re
import struct
import sys
from typing import Any, BinaryIO

LENGTHS = struct.Struct("<IQ")


def read_message(source: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """The next header and its data; raises EOFError when the other side is gone."""
    head, data = LENGTHS.unpack(_exactly(source, LENGTHS.size))
    header: dict[str, Any] = json.loads(_exactly(source, head))
    return header, _exactly(source, data)


def write_message(target: BinaryIO, header: dict[str, Any], data: Any = b"") -> None:
    """Sends a header and its data."""
    text = json.dumps(header).encode()
    target.write(LENGTHS.pack(len(text), len(data)))
    target.write(text)
    target.write(data)
    target.flush()


def _exactly(source: BinaryIO, count: int) -> bytes:
    content = source.read(count)
    if len(content) != count:
        raise EOFError
    return content


def _limit(memory_bytes: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


class Engine:
    """An in-memory DuckDB that sees the tables it was given, and nothing else of the machine."""

    def __init__(self, spill: str) -> None:
        import duckdb

        self._connection = duckdb.connect(
            ":memory:",
            config={
                "enable_external_access": "false",
                "python_enable_replacements": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": "1GB",
                "temp_directory": spill,
                "max_temp_directory_size": "8GB",
                "threads": "2",
            },
        )
        self._connection.execute("SET enable_progress_bar = false; SET lock_configuration = true")

    def answer(self, header: dict[str, Any], data: bytes) -> Any:
        """What a request asks for, as an Arrow table; None where it only brings data."""
        import pyarrow as pa

        if header["op"] == "select":
            return self._connection.sql(header["sql"]).to_arrow_table()
        with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
            brought = stream.read_all()
        name = header["table"].replace('"', '""')
        if header["op"] == "create":
            self._connection.register("incoming", brought)
            self._connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS FROM incoming')
        elif header["op"] == "append":
            self._connection.register("incoming", brought)
            self._connection.execute(f'INSERT INTO "{name}" FROM incoming')
        else:
            self._connection.register(header["table"], brought)
            found = self._connection.sql(header["sql"]).to_arrow_table()
            self._connection.unregister(header["table"])
            return found
        self._connection.unregister("incoming")
        return None

    def close(self) -> None:
        """Frees the tables."""
        self._connection.close()


def first_line(failure: BaseException) -> str:
    """The first line of an error's text, colors set aside."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(failure)).strip()
    return text.splitlines()[0] if text else type(failure).__name__


def _encoded(found: Any, most_bytes: int) -> Any:
    import pyarrow as pa

    if found.nbytes > most_bytes:
        raise ValueError(f"the result is larger than {most_bytes:,} bytes")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, found.schema) as stream:
        stream.write_table(found)
    return sink.getvalue()


def main() -> None:
    """Answers requests until there are no more."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    settings, _ = read_message(source)
    sys.path[:] = settings["path"]
    engine = Engine(settings["spill"])
    _limit(settings["memory_bytes"])
    while True:
        try:
            header, data = read_message(source)
        except EOFError:
            return
        try:
            if header["op"] == "reset":
                engine.close()
                engine = Engine(settings["spill"])
                found = None
            else:
                found = engine.answer(header, data)
            write_message(target, {}, _encoded(found, header.get("most_bytes", 0)) if found is not None else b"")
        except Exception as failure:  # noqa: BLE001 - whatever a query raises is its author's answer
            write_message(target, {"error": first_line(failure)})


if __name__ == "__main__":
    main()
