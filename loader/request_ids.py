"""Request ids of imported rows: UUIDs of version 5 (RFC 9562), so that the same row always gets the same id. Pure."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

NAMESPACE = uuid.UUID("5a0c9d0e-6f3b-5f0f-9c52-0f4d3c1f7b7e")
"""Ours, drawn once. Changing it changes every imported id."""
_HEX_DIGITS = 32


def request_ids(prefix: str, keys: Iterable[object]) -> pa.StringArray:
    """Return uuid5(NAMESPACE, prefix + key) of each key, as 32 hexadecimal digits.

    One SHA-1 a key is what the version asks for; the rest is done for all of them at once, several times faster than
    `uuid.uuid5`.
    """
    start = hashlib.sha1(NAMESPACE.bytes + prefix.encode(), usedforsecurity=False)
    digests = []
    for key in keys:
        digest = start.copy()
        digest.update(str(key).encode())
        digests.append(digest.digest()[:16])
    octets = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x50  # version 5
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80  # variant of RFC 9562
    offsets = np.arange(len(digests) + 1, dtype=np.int32) * _HEX_DIGITS
    text = octets.tobytes().hex().encode()
    return pa.StringArray.from_buffers(len(digests), pa.py_buffer(offsets), pa.py_buffer(text))
