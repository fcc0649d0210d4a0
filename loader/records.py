"""Cut a CSV stream into records with their line numbers and text as read. Pure; memory is bounded by one chunk.

A byte-order mark at the start and CRLF line ends are accepted, blank lines are no rows, and a last line without a line
end is a row like any other if it has all its fields.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
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


@dataclass(frozen=True)
class _Open:
    """What is known of lines that a record over several of them took in vain, once they are entered inside a quote.

    It does not depend on where the quote was opened: `fields` says how many more complete the record, by line number;
    or `error` how it fails. So no line is read more than a few times, whatever the quotes in it.
    """

    lines: range
    fields: dict[int, int] = field(default_factory=dict)
    error: str = ""
    is_cut_off: bool = False


class _StaysOpen(Exception):
    """The line leaves a quote open before one whose end is known."""


class _Lines:
    """Lines for csv.reader; remembers those of the record being read, so that they can be read again."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self._next_number = 1
        self._characters = 0
        self.taken: list[str] = []
        self.known = _Open(range(0))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number = self._next_number + len(self.taken)
        if len(self.taken) == 1 and number in self.known.lines:
            raise _StaysOpen
        if self._characters > RECORD_LIMIT_CHARACTERS:
            raise csv.Error("field larger than the limit of a record")
        line = self._again.popleft() if self._again else self._stream.readline(RECORD_LIMIT_CHARACTERS)
        if not line:
            raise StopIteration
        if len(line) == RECORD_LIMIT_CHARACTERS:
            raise LoadError(f"expected lines of a CSV file, found line {number} longer than {len(line):,} characters")
        self.taken.append(line)
        self._characters += len(line)
        return line

    def finish_record(self, lines: int | None = None) -> tuple[int, str]:
        """Return first line number and text of what was taken, or of its first `lines`; the rest is read again."""
        number = self._next_number
        self._characters = 0
        if len(self.taken) == 1:  # nearly always, and worth a path of its own
            self._next_number += 1
            return number, self.taken.pop().rstrip("\r\n")
        used, rest = self.taken[:lines], self.taken[lines:] if lines is not None else []
        self._again.extendleft(reversed(rest))
        self.taken.clear()
        self._next_number += len(used)
        return number, "".join(used).rstrip("\r\n")

    def reject_record(self, error: str = "") -> tuple[int, str]:
        """Finish a record that does not fit after its first line, as `finish_record`; remember what the others told."""
        first, last = self._next_number, self._next_number + len(self.taken) - 1
        if last > first:
            lines, fields = range(first + 1, last + 1), dict[int, int]()
            if not error:
                fields[last] = _width(f'"{self.taken[-1]}')
                for number in range(last - 1, first, -1):
                    fields[number] = _width(f'"{self.taken[number - first]}"') - 1 + fields[number + 1]
            self.known = _Open(lines, fields, error, not self.taken[-1].endswith("\n"))
        return self.finish_record(lines=1)

    def open_width(self) -> int:
        """Return how many fields the record has whose first line has just been taken and stays open."""
        return _width(f'{self.taken[0]}"') - 1 + self.known.fields[self._next_number + 1]

    def take_again(self) -> None:
        """Give the line just taken back, to be read with those behind it."""
        self._again.appendleft(self.taken.pop())
        self._characters = 0
        self.known = _Open(range(0))


def _width(record: str) -> int:
    return len(next(csv.reader([record], strict=True)))


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
        if list(found) == list(header):
            return
        if is_open and set(header) <= set(found):
            return _check_no_name_repeats(found)
    expected = " or ".join(",".join(header) for header in headers) + " and any others" * is_open
    if not text:
        raise LoadError(f"expected the header line {expected}, found an empty file")
    if text.startswith("version https://git-lfs"):
        raise LoadError("expected CSV, found a Git LFS pointer; fetch the file itself with `git lfs pull`")
    hint = " (the same columns in another order)" if sorted(found) in map(sorted, headers) else ""
    shown = text.strip()[:200].encode("ascii", "backslashreplace").decode()
    raise LoadError(f"expected the header line {expected}, found {shown!r}{hint}")


def _check_no_name_repeats(names: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        shown = ", ".join(repr(name[:80]) for name in repeated[:5])
        raise LoadError(f"expected each column's name once in the header line, found {shown} again; rename one")


def _fill(chunk: Chunk, reader: Iterator[list[str]], lines: _Lines) -> bool:
    """Add records to `chunk` until it is full; return whether the file has no more."""
    characters, width = 0, len(chunk.header)
    while len(chunk.rows) + len(chunk.rejects) < CHUNK_ROWS and characters < CHUNK_CHARACTERS:
        try:
            row = next(reader)
        except StopIteration:
            return True
        except _StaysOpen:
            characters += _reject_open_line(chunk, lines)
            continue
        except csv.Error as error:
            number, text = lines.reject_record(str(error))
            chunk.rejects.append(Reject(number, text, _csv_reason(str(error))))
            characters += len(text)
            continue
        if len(row) == width:
            number, text = lines.finish_record()
            chunk.line_numbers.append(number)
            chunk.texts.append(text)
            chunk.rows.append(row)
        else:
            is_cut_off = not lines.taken[-1].endswith("\n")
            number, text = lines.reject_record()
            if not row or not text:
                continue
            chunk.rejects.append(Reject(number, text, _width_reason(width, len(row), is_cut_off)))
        characters += len(text)
    return False


def _reject_open_line(chunk: Chunk, lines: _Lines) -> int:
    """Reject a line that leaves a quote open to a known end; return its length. One that fits there is read again."""
    known, width = lines.known, len(chunk.header)
    if known.error:
        reason = _csv_reason(known.error)
    else:
        found = lines.open_width()
        if found == width:
            lines.take_again()
            return 0
        reason = _width_reason(width, found, known.is_cut_off)
    number, text = lines.finish_record()
    chunk.rejects.append(Reject(number, text, reason))
    return len(text)


def _width_reason(expected: int, found: int, is_cut_off: bool) -> str:
    return f"expected {expected} fields, found {found}" + "; the file may be cut off here" * is_cut_off


def _csv_reason(error: str) -> str:
    if "new-line character" in error:
        return "expected a line end of LF or CRLF, found a lone CR"
    if "expected after" in error or "unexpected end of data" in error or "field larger" in error:
        return "expected a quote to close before a comma or line end, found one left open or text behind it"
    return f"expected a CSV record, found: {error}"


def _reject_bad_text(chunk: Chunk) -> None:
    """Move rows with bytes that are no UTF-8, or with NUL, which no text in PostgreSQL may hold, to the rejects."""
    if is_storable("".join(chunk.texts)):
        return
    kept = Chunk(chunk.header)
    for number, text, row in zip(chunk.line_numbers, chunk.texts, chunk.rows, strict=True):
        if is_storable(text):
            kept.line_numbers.append(number)
            kept.texts.append(text)
            kept.rows.append(row)
        else:
            chunk.rejects.append(bad_text_reject(number, text))
    chunk.line_numbers, chunk.texts, chunk.rows = kept.line_numbers, kept.texts, kept.rows


def bad_text_reject(number: int, text: str) -> Reject:
    """Return the reject of a row that is not storable."""
    found = "a NUL character" if "\0" in text else "bytes of another encoding"
    return Reject(number, text, f"expected UTF-8 text, found {found}")


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store `text`: no NUL, no byte that came through decoding as a lone surrogate."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False
