"""The double as an HTTP server on a thread of this process."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.metabase.double import pages
from tests.metabase.double.contract import Violation, find_operation
from tests.metabase.double.faults import Faults
from tests.metabase.double.profile import PROFILES
from tests.metabase.double.public import Config, Request
from tests.metabase.double.rules import Rules
from tests.metabase.double.state import State, load_state
from tests.metabase.double.warehouse import PaperWarehouse, Warehouse


@dataclass(frozen=True)
class Seen:
    """One request that arrived, as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def writes(self) -> bool:
        """Return whether it changes what Metabase holds (a session is not part of that)."""
        return self.method != "GET" and self.path not in ("/api/session", "/api/dataset")


@dataclass
class Double:
    """A Metabase stand-in; `violations` must be empty at the end of a test."""

    profile: str = "v58"
    config: Config = field(default_factory=Config)
    warehouse: Warehouse = field(default_factory=PaperWarehouse)
    faults: Faults = field(default_factory=Faults)
    state_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    observe: Callable[[Seen], None] = lambda _: None

    def __post_init__(self) -> None:
        """Make the rules; the server starts with `start`."""
        self.state: State = load_state(self.state_file)
        self.rules = Rules(self.state, PROFILES[self.profile], self.config, self.warehouse)
        self.seen: list[Seen] = []
        self.violations: list[str] = []
        self.lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Return where it listens."""
        assert self._server is not None
        return f"http://{self.host}:{self._server.server_address[1]}"

    def start(self) -> Double:
        """Listen on a thread; return self."""
        handler = type("Handler", (_Handler,), {"double": self})
        self._server = ThreadingHTTPServer((self.host, self.port), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Lose the application database, as a removed volume does."""
        self.state = State()
        self.rules = Rules(self.state, PROFILES[self.profile], self.config, self.warehouse)

    def writes(self) -> list[Seen]:
        """Return the requests that changed something or tried to."""
        return [seen for seen in self.seen if seen.writes]

    def respond(self, seen: Seen, session: str | None) -> tuple[int, Any]:
        """Check a request, carry it out, check the answer."""
        found = find_operation(seen.method, seen.path)
        try:
            if found is None:
                raise Violation(f"{seen.method} {seen.path}: not in the contract")
            operation, ids = found
            if not operation.public and not self.rules.knows(session):
                return 401, "Unauthenticated"
            operation.check_request(seen.query, seen.body)
            self.observe(seen)
            request = Request([unquote(each) for each in ids], seen.query, seen.body, session)
            status, body = self.rules.answer(operation.id, request)
            operation.check_answer(status, body)
        except Violation as error:
            self.violations.append(str(error))
            return (
                (404, "API endpoint does not exist.") if found is None else (400, {"errors": {"contract": str(error)}})
            )
        if self.state_file is not None and seen.writes:
            self.state.save(self.state_file)
        return status, body


class _Handler(BaseHTTPRequestHandler):
    double: Double
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet."""

    def _handle(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        double = self.double
        method = "GET" if self.command == "HEAD" else self.command
        with double.lock:
            starting = double.faults.starting(url.path)
            if starting == "initializing":
                return self._send(503, {"status": "initializing", "progress": 0.5})
            if starting == "reset":
                return self._reset()
            page = pages.page(method, url.path, double.config.site_url)
            if page is not None:
                return self._write(*page)
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                return self._send(400, "Malformed JSON in request body.")
            seen = Seen(method, url.path, dict(parse_qsl(url.query)), body)
            double.seen.append(seen)
            fault = double.faults.next(seen.method, seen.path)
            if fault == "503":
                return self._send(503, "Service unavailable")
            if fault == "reset_before":
                return self._reset()
            status, answer = double.respond(seen, self.headers.get("X-Metabase-Session"))
            if fault == "reset_after":
                return self._reset()
        self._send(status, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle

    def _send(self, status: int, body: Any) -> None:
        kind = "text/plain" if isinstance(body, str) else "application/json"
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
        self._write(status, {"Content-Type": kind}, text)

    def _write(self, status: int, headers: dict[str, str], text: str) -> None:
        payload = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "metabase.DEVICE" not in (self.headers.get("Cookie") or ""):
            self.send_header("Set-Cookie", "metabase.DEVICE=0; HttpOnly; Path=/; Max-Age=630720000; SameSite=Lax")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def _reset(self) -> None:
        """Cut the connection so that the other side sees a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.rfile, self.wfile = _Nothing(), _Nothing()  # type: ignore[assignment]


class _Nothing:
    """A stream that is gone."""

    closed = True

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
