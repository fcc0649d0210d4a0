"""Turn columns of text into typed columns, and say of each row that does not fit what was expected and found. Pure.

An empty field is NULL; blanks around anything but free text are ignored. Timestamps without a zone are read as UTC;
digits beyond the microsecond are cut off, never rounded, so that no request moves into the next second, hour or day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from loader.records import Chunk
from loader.rows import Batch, Reject

FIRST_YEAR, LAST_YEAR = 1970, 2100
INT_MAX = 2**31 - 1
TOKENS_MAX = 10_000_000_000
SHOWN_CHARACTERS = 80

_TIMESTAMP = r"^\d{4}-\d{2}-\d{2}[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)?$"
TIMESTAMP_TYPE = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Kind:
    """What a field may hold: `parse` maps text without NULLs to values, NULL where the text does not fit."""

    expected: str
    parse: Callable[[pa.StringArray], pa.Array]


@dataclass(frozen=True)
class Column:
    """One column: its name in the raw table, and in the file where that differs; a required one must not be empty."""

    name: str
    kind: Kind
    is_required: bool = True
    header: str = ""

    @property
    def label(self) -> str:
        """Return the name the file's header gives it."""
        return self.header or self.name


def whole_number(low: int, high: int, kind: pa.DataType) -> Kind:
    """Return the kind of whole numbers from `low` to `high`, stored as `kind`."""

    def parse(texts: pa.StringArray) -> pa.Array:
        numbers = only_matching(texts, r"^[+-]?\d{1,18}$").cast(pa.int64())
        inside = pc.and_(pc.greater_equal(numbers, low), pc.less_equal(numbers, high))
        return pc.if_else(inside, numbers, None).cast(kind)

    return Kind(f"a whole number from {low:,} to {high:,}", parse)


def matching(pattern: str, expected: str) -> Kind:
    """Return the kind of texts that match `pattern`, kept as text for the server to convert."""
    return Kind(expected, lambda texts: only_matching(texts, pattern))


def _parse_timestamps(texts: pa.StringArray) -> pa.Array:
    return pa.array([_instant(text) for text in only_matching(texts, _TIMESTAMP).to_pylist()], TIMESTAMP_TYPE)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)  # cuts digits beyond the sixth
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        # Year 1 or 9999 with a zone would leave datetime's range in UTC: OverflowError.
        return instant if FIRST_YEAR <= instant.astimezone(UTC).year <= LAST_YEAR else None
    except (ValueError, OverflowError):
        return None


def _parse_dates(texts: pa.StringArray) -> pa.Array:
    return pa.array([_day(text) for text in only_matching(texts, r"^\d{4}-\d{2}-\d{2}$").to_pylist()], pa.date32())


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _parse_booleans(texts: pa.StringArray) -> pa.Array:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    is_true, is_false = pc.equal(words, "true"), pc.equal(words, "false")
    return pc.if_else(is_true, True, pc.if_else(is_false, False, None))


def only_matching(texts: pa.StringArray, pattern: str) -> pa.Array:
    """Return `texts` without surrounding blanks, NULL where `pattern` does not match."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.match_substring_regex(trimmed, pattern), trimmed, None)


ID = whole_number(1, INT_MAX, pa.int32())
TOKENS = whole_number(0, TOKENS_MAX, pa.int64())
MILLISECONDS = whole_number(0, INT_MAX, pa.int32())
STATUS = whole_number(100, 599, pa.int16())
TIMESTAMP = Kind(f"a time from {FIRST_YEAR} to {LAST_YEAR} such as 2025-12-31T23:59:59.123456Z", _parse_timestamps)
DATE = Kind(f"a date from {FIRST_YEAR} to {LAST_YEAR} such as 2025-12-31", _parse_dates)
BOOLEAN = Kind("true or false", _parse_booleans)
UUID = matching(r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", "a UUID")
PRICE = matching(r"^\d{1,6}(\.\d{1,4})?$", "an amount from 0 to 999,999.9999")
COUNTRY = matching("^[A-Z]{2}$", "a country code of two capitals")
TEXT = Kind("some text", lambda texts: texts)


def typed_chunk(chunk: Chunk, columns: Sequence[Column]) -> Batch:
    """Return `columns` of the records of `chunk`, found by their labels, as a batch; see typed_batch."""
    fields = list(zip(*chunk.rows, strict=True)) or [()] * len(chunk.header)
    texts = [pa.array(fields[chunk.header.index(column.label)], pa.string()) for column in columns]
    return typed_batch(texts, columns, chunk.line_numbers, chunk.texts, chunk.rejects)


def typed_batch(
    fields: Sequence[pa.StringArray],
    columns: Sequence[Column],
    line_numbers: Sequence[int],
    texts: Sequence[str],
    rejects: Sequence[Reject] = (),
) -> Batch:
    """Return rows given as columns of text as typed columns; a row that does not fit is a reject with all its faults.

    `line_numbers` and `texts` say of each row where it is from; `rejects` are those found before.
    """
    faults: dict[int, list[str]] = {}
    arrays = [_typed_column(column, values, faults) for column, values in zip(columns, fields, strict=True)]
    rows = pa.record_batch(arrays, names=[column.name for column in columns])
    return without_rows(Batch(rows, line_numbers, texts, sorted(rejects)), faults)


def without_rows(batch: Batch, faults: Mapping[int, Sequence[str]]) -> Batch:
    """Return `batch` with the rows that have `faults`, by place, as rejects."""
    if not faults:
        return batch
    kept = [i for i in range(batch.rows.num_rows) if i not in faults]
    rejects = [Reject(batch.line_numbers[i], batch.texts[i], "; ".join(faults[i])) for i in faults]
    return Batch(
        batch.rows.take(pa.array(kept, pa.int64())),
        [batch.line_numbers[i] for i in kept],
        [batch.texts[i] for i in kept],
        sorted([*batch.rejects, *rejects]),
    )


def _typed_column(column: Column, texts: pa.StringArray, faults: dict[int, list[str]]) -> pa.Array:
    """Return `texts` typed, adding what is wrong with them to `faults` by row."""
    is_empty = pc.equal(texts, "")
    values = pc.if_else(is_empty, None, column.kind.parse(texts))
    wrong = values.is_null() if column.is_required else pc.and_(values.is_null(), pc.invert(is_empty))
    for i in pc.indices_nonzero(wrong).to_pylist():
        text = texts[i].as_py()
        found = repr(text[:SHOWN_CHARACTERS]) if text else "nothing"
        faults.setdefault(i, []).append(f"{column.label}: expected {column.kind.expected}, found {found}")
    return values
