"""A proxy in front of PostgreSQL that counts what its clients ask for and cuts the connection at the n-th request."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

REQUESTS = frozenset(b"QSdcf")
"""Messages that count: a query, the end of an extended one, a block of a COPY and its end; and each connection."""
BEFORE, AFTER = "before", "after"
"""The n-th request is lost with the connection, or it is carried out and its answer is lost."""


class Proxy:
    """Listens on 127.0.0.1:`port` for connections to the server at the Unix socket `path`."""

    def __init__(self, path: str) -> None:
        """Start listening; see `proxy`."""
        self._path = path
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests = 0
        self._cut_at, self._when = 0, BEFORE
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, number: int, when: str) -> None:
        """Count from 0 again and cut one connection at request `number`; 0 cuts none."""
        with self._lock:
            self.requests, self._cut_at, self._when = 0, number, when

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._path)
            threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=_to_client, args=(server, client), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as stream:
            for message, is_request in _messages(stream):
                if not is_request or not self._is_cut():
                    server.sendall(message)
                    continue
                if self._when == AFTER:
                    server.sendall(message)
                break
        _end(client, server)

    def _is_cut(self) -> bool:
        with self._lock:
            self.requests += 1
            return self.requests == self._cut_at


def _messages(stream: object) -> Iterator[tuple[bytes, bool]]:
    """Yield what a client sends, message by message, and whether it counts."""
    kind = b""  # the first message has none
    while True:
        head = stream.read(len(kind) + 4)  # type: ignore[attr-defined]
        if len(head) < len(kind) + 4:
            return
        (length,) = struct.unpack("!I", head[-4:])
        yield head + stream.read(length - 4), not kind or head[0] in REQUESTS  # type: ignore[attr-defined]
        kind = b"?"


def _to_client(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while octets := server.recv(1 << 16):
            client.sendall(octets)
    _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def proxy(environment: dict[str, str]) -> Iterator[Proxy]:
    """Run a proxy in front of the server that `environment` names by its socket."""
    listening = Proxy(f"{environment['PGHOST']}/.s.PGSQL.{environment['PGPORT']}")
    try:
        yield listening
    finally:
        listening.close()
