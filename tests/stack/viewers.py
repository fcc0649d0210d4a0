"""People who look at the site: one keep-alive TLS connection each, pages with their files, a pause between pages."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.patience import HANG_S

HOST, PORT = "localhost", 443
_FILES = re.compile(r"""(?:href|src)=["']((?:/|\./)[^"'#?]+\.(?:css|js|svg|woff2|png|ico))["']""")


@dataclass(frozen=True)
class Visit:
    """One request: its path, status (0 = no answer), how long it took, when it ended, and the body of a failure."""

    path: str
    status: int
    seconds: float
    at: float
    body: str = ""


@dataclass
class Crowd:
    """A number of viewers, what they look at and what they saw."""

    pages: Sequence[str]
    certificate: Path
    pause_s: tuple[float, float] = (2.0, 6.0)
    with_files: bool = True
    visits: list[Visit] = field(default_factory=list)

    async def browse(self, viewers: int, until: Callable[[], bool]) -> None:
        """Let `viewers` browse until `until` says so; they arrive over the first pause."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        await asyncio.gather(*(self._view(random.Random(seed), context, until) for seed in range(viewers)))

    async def _view(self, chance: random.Random, context: ssl.SSLContext, until: Callable[[], bool]) -> None:
        connection = Connection(context)
        cached: set[str] = set()
        await asyncio.sleep(chance.uniform(0, self.pause_s[1]))
        while not until():
            page = chance.choice(self.pages)
            text = await self._get(connection, page)
            if self.with_files:
                base = page if page.endswith("/") else page.rsplit("/", 1)[0] + "/"
                for name in _FILES.findall(text):
                    path = base + name[2:] if name.startswith("./") else name
                    if path not in cached:
                        cached.add(path)
                        await self._get(connection, path)
            await asyncio.sleep(chance.uniform(*self.pause_s))
        connection.close()

    async def _get(self, connection: Connection, path: str) -> str:
        started = time.monotonic()
        try:
            status, body = await asyncio.wait_for(connection.get(path), HANG_S)
        except (TimeoutError, OSError, EOFError, ValueError) as error:
            connection.close()
            status, body = 0, repr(error)
        ended = time.monotonic()
        self.visits.append(Visit(path, status, ended - started, ended, "" if status == 200 else body))
        return body if status == 200 else ""


class Connection:
    """A connection that is opened when needed and kept."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Open nothing yet."""
        self._context = context
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str) -> tuple[int, str]:
        """Ask for `path`; return status and body as text."""
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(HOST, PORT, ssl=self._context)
        assert self._reader is not None
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if ": " in line)}
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), body.decode("utf-8", "replace")

    async def _chunks(self) -> bytes:
        assert self._reader is not None
        body = b""
        while size := int((await self._reader.readline()).split(b";")[0], 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readline()
        return body

    def close(self) -> None:
        """Close the connection where one is open."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
