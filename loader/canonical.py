"""CSV that the server reads as the adapters do: each line is held to its columns' kinds before it is copied. Pure.

PostgreSQL alone would take more (`now`, `yes`, `0x1F`, `1_000`, `NaN`, quotes inside a field), so that a row would be
accepted in one file and rejected in another, where a bad row beside it calls for the adapter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from loader.kinds import Column

BLOCK_BYTES = 2**18
_LINE_LIMIT_BYTES = 2**20


class NotCanonical(Exception):
    """A line is not of the form that the server reads as the adapter does; the adapter has to judge the file."""


def canonical_blocks(stream: BinaryIO, columns: Sequence[Column]) -> Iterator[bytes]:
    """Yield the bytes of `stream`, a header and lines of `columns`, in blocks of whole lines.

    Raises NotCanonical at the first line that the server might read otherwise than the adapter; the fast way gives up
    there, and no row is lost.
    """
    header = ",".join(column.label for column in columns).encode()
    first = stream.readline(len(header) + 2)
    if first.rstrip(b"\r\n") != header:
        raise NotCanonical
    yield first
    lines = _lines_pattern(columns)
    while block := stream.read(BLOCK_BYTES):
        if not block.endswith(b"\n"):
            block += stream.readline(_LINE_LIMIT_BYTES)
        if not lines.fullmatch(block if block.endswith(b"\n") else block + b"\n"):
            raise NotCanonical
        yield block


def _lines_pattern(columns: Sequence[Column]) -> re.Pattern[bytes]:
    """Return the pattern of any number of lines; no line is tried twice, so its time grows with the bytes alone."""
    fields = (f"(?:{column.kind.as_is}{'' if column.is_required else '|'})" for column in columns)
    return re.compile(f"(?>{','.join(fields)}\r?\n)*+".encode())
