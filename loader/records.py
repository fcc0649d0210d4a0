"""Cut a CSV stream into records with their line numbers and text as read. Pure; memory is bounded by one chunk.

A byte-order mark at the start and CRLF line ends are accepted, blank lines are no rows, and a last line without a line
end is a row like any other if it has all its fields.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, TextIO

from loader.errors import LoadError
from loader.rows import Reject

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 16 * 2**20
RECORD_LIMIT_CHARACTERS = 8 * 2**20
"""A longer record means a quote that never closes, or no CSV at all; it also bounds the memory."""
csv.field_size_limit(RECORD_LIMIT_CHARACTERS)  # the module's own limit of 128 KiB is too small for logged prompts


@dataclass
class Chunk:
    """Consecutive records: parallel lists of first line, text and fields, and what is no record of this file."""

    header: Sequence[str]
    line_numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class _Lines:
    """Lines for csv.reader; remembers those of the record being read, so that they can be read again."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self._next_number = 1
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._stream.readline(RECORD_LIMIT_CHARACTERS)
        if not line:
            raise StopIteration
        if len(line) == RECORD_LIMIT_CHARACTERS:
            number = self._next_number + len(self.taken)
            raise LoadError(f"expected lines of a CSV file, found line {number} longer than {len(line):,} characters")
        self.taken.append(line)
        return line

    def finish_record(self, lines: int | None = None) -> tuple[int, str]:
        """Return first line number and text of what was taken, or of its first `lines`; the rest is read again."""
        number = self._next_number
        if len(self.taken) == 1:  # nearly always, and worth a path of its own
            self._next_number += 1
            return number, self.taken.pop().rstrip("\r\n")
        used, rest = self.taken[:lines], self.taken[lines:] if lines is not None else []
        self._again.extendleft(reversed(rest))
        self.taken.clear()
        self._next_number += len(used)
        return number, "".join(used).rstrip("\r\n")


def read_chunks(stream: BinaryIO, *headers: Sequence[str], is_open: bool = False) -> Iterator[Chunk]:
    """Yield the records behind the header, which must be one of `headers`, as chunks in file order.

    `is_open`: the names may come in any order and among others. A record over several lines that does not fit is taken
    for a quote left open: its first line alone is rejected and reading resumes on the second. Raises LoadError when the
    file as a whole is no such CSV.
    """
    # Undecodable bytes come through as lone surrogates: they spoil their own row, not the file.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="\n")
    try:
        lines = _Lines(text)
        reader = csv.reader(lines, strict=True)
        try:
            header = next(reader, [])
        except csv.Error as error:
            raise LoadError(f"expected the header line {','.join(headers[0])}, found {error} in line 1") from None
        check_header(header, headers, "".join(lines.taken), is_open)
        lines.finish_record()
        is_last = False
        while not is_last:
            chunk = Chunk(header)
            is_last = _fill(chunk, reader, lines)
            _reject_bad_text(chunk)
            if chunk.rows or chunk.rejects:
                yield chunk
    finally:
        text.detach()  # the stream is the caller's to close


def check_header(found: Sequence[str], headers: Sequence[Sequence[str]], text: str, is_open: bool = False) -> None:
    """Raise LoadError unless `found`, read from the line `text`, is one of `headers`, or has its names if `is_open`."""
    for header in headers:
        if list(found) == list(header) or (is_open and set(header) <= set(found)):
            return
    expected = " or ".join(",".join(header) for header in headers) + " and any others" * is_open
    if not text:
        raise LoadError(f"expected the header line {expected}, found an empty file")
    if text.startswith("version https://git-lfs"):
        raise LoadError("expected CSV, found a Git LFS pointer; fetch the file itself with `git lfs pull`")
    hint = " (the same columns in another order)" if sorted(found) in map(sorted, headers) else ""
    shown = text.strip()[:200].encode("ascii", "backslashreplace").decode()
    raise LoadError(f"expected the header line {expected}, found {shown!r}{hint}")


def _fill(chunk: Chunk, reader: Iterator[list[str]], lines: _Lines) -> bool:
    """Add records to `chunk` until it is full; return whether the file has no more."""
    characters, width = 0, len(chunk.header)
    while len(chunk.rows) + len(chunk.rejects) < CHUNK_ROWS and characters < CHUNK_CHARACTERS:
        try:
            row = next(reader)
        except StopIteration:
            return True
        except csv.Error as error:
            number, text = lines.finish_record(lines=1)
            chunk.rejects.append(Reject(number, text, _csv_reason(str(error))))
            continue
        if len(row) == width:
            number, text = lines.finish_record()
            chunk.line_numbers.append(number)
            chunk.texts.append(text)
            chunk.rows.append(row)
        else:
            ends = lines.taken[-1].endswith("\n")
            number, text = lines.finish_record(lines=1)
            if not row or not text:
                continue
            hint = "" if ends else "; the file may be cut off here"
            chunk.rejects.append(Reject(number, text, f"expected {width} fields, found {len(row)}{hint}"))
        characters += len(text)
    return False


def _csv_reason(error: str) -> str:
    if "new-line character" in error:
        return "expected a line end of LF or CRLF, found a lone CR"
    if "expected after" in error or "unexpected end of data" in error or "field larger" in error:
        return "expected a quote to close before a comma or line end, found one left open or text behind it"
    return f"expected a CSV record, found: {error}"


def _reject_bad_text(chunk: Chunk) -> None:
    """Move rows with bytes that are no UTF-8, or with NUL, which no text in PostgreSQL may hold, to the rejects."""
    together = "".join(chunk.texts)
    if "\0" not in together and (together.isascii() or _is_unicode(together)):
        return
    kept = Chunk(chunk.header)
    for number, text, row in zip(chunk.line_numbers, chunk.texts, chunk.rows, strict=True):
        if "\0" not in text and _is_unicode(text):
            kept.line_numbers.append(number)
            kept.texts.append(text)
            kept.rows.append(row)
        else:
            chunk.rejects.append(Reject(number, text, "expected UTF-8 text, found bytes that are none"))
    chunk.line_numbers, chunk.texts, chunk.rows = kept.line_numbers, kept.texts, kept.rows


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
