"""Request ids of imported rows: UUIDs of version 5 (RFC 9562), so that the same row always gets the same id. Pure."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

import pyarrow as pa

NAMESPACE = uuid.UUID("5a0c9d0e-6f3b-5f0f-9c52-0f4d3c1f7b7e")
"""Ours, drawn once. Changing it changes every imported id."""
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}  # the RFC's variant: bits 10


class Occurrences:
    """Tells equal rows of a file apart, for rows without an id of their own: the text of each, and which time it comes.

    So a row has the same key in every file that holds it, and daily exports may overlap. Equal rows are near each other
    in a log, which is in order of time; only the last RECENT to 2 RECENT different texts are remembered.
    """

    RECENT = 100_000

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def key(self, text: str) -> str:
        """Return the key of the next row of the file."""
        text = text.strip()
        count = self._counts.get(text) or self._before.get(text, 0)
        if len(self._counts) >= self.RECENT and text not in self._counts:
            self._before, self._counts = self._counts, {}
        self._counts[text] = count + 1
        return f"{text}\n{count}" if count else text


def request_ids(prefix: str, keys: Iterable[object]) -> pa.StringArray:
    """Return uuid5(NAMESPACE, prefix + key) of each key, as 32 hexadecimal digits: `uuid.uuid5`, a few times faster."""
    start = hashlib.sha1(NAMESPACE.bytes + prefix.encode(), usedforsecurity=False)
    ids = []
    for key in keys:
        digest = start.copy()
        digest.update(str(key).encode())
        digits = digest.hexdigest()
        ids.append(f"{digits[:12]}5{digits[13:16]}{_VARIANT[digits[16]]}{digits[17:32]}")
    return pa.array(ids, pa.string())
