"""A proxy on loopback in front of a real server, which does to a connection what networks do."""

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal[
    "hang on connect",
    "hang before the first byte",
    "hang in the answer",
    "drip",
    "cut in the answer",
    "reset in the answer",
    "error 500",
    "error 503",
    "answer lost",
]
BLOCK = 64 * 1024
LOST = (b"PUT ", b"POST ")


@dataclass
class Proxy:
    """Passes connections on to `target`; `strike(fault, times)` spoils the next ones.

    Each request of HTTP is a connection of its own, since the proxy asks the server to close it. For PostgreSQL,
    `after` says how many bytes of the server's answers still come through, such as those of logging in.
    """

    target: tuple[str, int] | str
    """Host and port, or the path of a Unix socket."""
    http: bool = True
    after: int = 0
    fault: Fault | None = None
    left: int = 0
    struck: int = 0
    matching: Callable[[bytes], bool] = field(default=lambda head: True)

    def __post_init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def strike(
        self, fault: Fault, times: int = 10**9, *, after: int = 0, matching: Callable[[bytes], bool] | None = None
    ) -> None:
        """Spoil the next `times` connections whose first bytes are `matching`."""
        self.after, self.matching = after, matching or (lambda head: True)
        self.fault, self.left, self.struck = fault, times, 0

    def heal(self) -> None:
        self.left = 0

    def close(self) -> None:
        self._closing.set()
        self._server.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(OSError):
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            head = b"" if self.fault == "hang on connect" and self.left > 0 else client.recv(BLOCK)
            fault = self._next(head)
            if fault in {"hang on connect", "hang before the first byte"} and (self.http or not self.after):
                self._closing.wait(60)
                return
            if fault in {"error 500", "error 503"}:
                self._drain(client, head)
                status = fault.removeprefix("error ")
                client.sendall(f"HTTP/1.1 {status} Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            with self._connected() as server:
                self._pass(client, server, head, fault)

    def _next(self, head: bytes) -> Fault | None:
        with self._lock:
            if self.left <= 0 or (head and not self.matching(head)):
                return None
            self.left, self.struck = self.left - 1, self.struck + 1
            return self.fault

    def _connected(self) -> socket.socket:
        if isinstance(self.target, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            return server
        return socket.create_connection(self.target)

    def _drain(self, client: socket.socket, head: bytes) -> None:
        """Take the whole request, so that its sender gets to the answer."""
        for _ in self._request(client, head):
            pass

    def _request(self, client: socket.socket, head: bytes) -> Iterator[bytes]:
        while b"\r\n\r\n" not in head:
            head += client.recv(BLOCK)
        start, _, body = head.partition(b"\r\n\r\n")
        lines = [line for line in start.split(b"\r\n") if not line.lower().startswith((b"connection:", b"expect:"))]
        lengths = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
        yield b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body
        left = (lengths[0] if lengths else 0) - len(body)
        while left > 0 and (block := client.recv(BLOCK)):
            left -= len(block)
            yield block

    def _pass(self, client: socket.socket, server: socket.socket, head: bytes, fault: Fault | None) -> None:
        if self.http:
            for block in self._request(client, head):
                server.sendall(block)
        else:
            server.sendall(head)
        if fault == "answer lost":
            while server.recv(BLOCK):
                pass
            _reset(client)
            return
        sent = 0
        for block in self._answers(client, server):
            if fault is None or (not self.http and sent + len(block) <= self.after):
                client.sendall(block)
                sent += len(block)
                continue
            if fault != "drip":
                self._spoiled(client, block, fault)
                return
            size, pause = (1, 0.05) if self.http else (600, 0.3)  # a row of COPY at a time
            for position in range(0, len(block), size):
                client.sendall(block[position : position + size])
                if self._closing.wait(pause):
                    return

    def _answers(self, client: socket.socket, server: socket.socket) -> Iterator[bytes]:
        """What the server says, block by block; for PostgreSQL, what the client says meanwhile is passed on."""
        while True:
            ready = [server] if self.http else select.select([client, server], [], [])[0]
            if client in ready:
                if not (block := client.recv(BLOCK)):
                    return
                server.sendall(block)
            if server in ready:
                if not (block := server.recv(BLOCK)):
                    return
                yield block

    def _spoiled(self, client: socket.socket, block: bytes, fault: Fault) -> None:
        """The head of an answer and the first bytes behind it come through, and then what the fault says."""
        cut = block.find(b"\r\n\r\n") + 5 if self.http else max(0, min(len(block), 5))
        if fault == "hang before the first byte":
            self._closing.wait(60)
        elif fault == "hang in the answer":
            client.sendall(block[:cut])
            self._closing.wait(60)
        elif fault == "cut in the answer":
            client.sendall(block[:cut])
        elif fault == "reset in the answer":
            client.sendall(block[:cut])
            time.sleep(0.05)  # what was sent arrives before the reset does
            _reset(client)


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextmanager
def proxied(target: tuple[str, int] | str, *, http: bool = True) -> Iterator[Proxy]:
    proxy = Proxy(target, http)
    try:
        yield proxy
    finally:
        proxy.close()


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port
