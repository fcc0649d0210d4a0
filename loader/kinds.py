r"""What each kind of column takes, defined once: the texts, the range, and how a text becomes a value. Pure.

`pattern` is the only definition of the texts. Rows that an adapter judges are held to it, and so is every line of a
file before the server may copy it as it is, so that both ways accept the same. It is written in what Python's `re` and
Arrow's RE2 read alike: no `\d`, which is more than ASCII in one of them, and no flags. Repeated groups are written out
and optional parts are `(?:...|)`: a fifth of the time in `re`. Arrow itself is imported where texts become values: a
file that is copied as it is needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_YEAR, LAST_YEAR = 1970, 2100
INT_MAX = 2**31 - 1
TOKENS_MAX = 10_000_000_000
NAME_CHARACTERS = 200
"""Of what models group by. Three names of four bytes a character fill an index row, which holds 2,704 bytes."""
BLANKS = " \t"
"""Ignored around anything but free text."""

_WHOLE_NUMBER = "-?[0-9]{1,18}"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_ZONE = "(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9]|)|)"
_ANY_TEXT = r"[\s\S]+"


@dataclass(frozen=True)
class Kind:
    """What a field may hold: texts that match `pattern` whole and whose value is in range; an empty one is NULL.

    `convert` maps such texts, and NULLs, to values, NULL where the value is out of range. `as_is` is the part of
    `pattern` that the server reads as the same value without help, within one line (read by `re` alone).
    """

    expected: str
    pattern: str
    convert: Callable[[pa.StringArray], pa.Array]
    as_is: str
    is_free_text: bool = False


def whole_number(low: int, high: int, bits: int) -> Kind:
    """Return the kind of whole numbers from `low` to `high`, stored as integers of `bits`."""

    def convert(texts: pa.StringArray) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        numbers = texts.cast(pa.int64())
        inside = pc.and_(pc.greater_equal(numbers, low), pc.less_equal(numbers, high))
        return pc.if_else(inside, numbers, None).cast({16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[bits])

    return Kind(f"a whole number from {low:,} to {high:,}", _WHOLE_NUMBER, convert, _WHOLE_NUMBER)


def matching(pattern: str, expected: str) -> Kind:
    """Return the kind of texts that match `pattern`, kept as text for the server to convert."""
    return Kind(expected, pattern, lambda texts: texts, pattern)


def _instants(texts: pa.StringArray) -> pa.Array:
    import pyarrow as pa

    return pa.array([_instant(text) for text in texts.to_pylist()], pa.timestamp("us", tz="UTC"))


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


def _days(texts: pa.StringArray) -> pa.Array:
    import pyarrow as pa

    return pa.array([_day(text) for text in texts.to_pylist()], pa.date32())


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _booleans(texts: pa.StringArray) -> pa.Array:
    import pyarrow.compute as pc

    return pc.equal(pc.ascii_lower(texts), "true")


def _any_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)


ID = whole_number(1, INT_MAX, 32)
TOKENS = whole_number(0, TOKENS_MAX, 64)
MILLISECONDS = whole_number(0, INT_MAX, 32)
STATUS = whole_number(100, 599, 16)
TIMESTAMP = Kind(
    f"a time from {FIRST_YEAR} to {LAST_YEAR} such as 2025-12-31T23:59:59.123456Z",
    rf"{_DATE}[T ]{_CLOCK}(?:\.[0-9]{{1,9}}|){_ZONE}",
    _instants,
    rf"{_DATE}[T ]{_CLOCK}(?:\.[0-9]{{1,6}}|){_ZONE}",  # the server rounds what is beyond the microsecond
)
DATE = Kind(f"a date from {FIRST_YEAR} to {LAST_YEAR} such as 2025-12-31", _DATE, _days, _DATE)
_BOOLEAN = f"(?:{_any_case('true')}|{_any_case('false')})"
BOOLEAN = Kind("true or false", _BOOLEAN, _booleans, _BOOLEAN)
UUID = matching("-".join(f"[0-9A-Fa-f]{{{digits}}}" for digits in (8, 4, 4, 4, 12)), "a UUID")
# Times the most tokens of a request, in and out, the highest price is just below what a cost can be, numeric(14, 6).
PRICE = matching(r"(?:[0-4][0-9]{3}|[0-9]{1,3})(?:\.[0-9]{1,4}|)", "an amount from 0 to 4,999.9999")
COUNTRY = matching("[A-Z]{2}", "a country code of two capitals")
NAME = Kind(
    f"some text of at most {NAME_CHARACTERS} characters",
    rf"[\s\S]{{1,{NAME_CHARACTERS}}}",
    lambda texts: texts,
    # Bytes are counted here: a longer text may still have few enough characters, which the slower way counts.
    rf'[^",\r\n\x00]{{1,{NAME_CHARACTERS}}}+|"(?:[^"\r\n\x00]|""){{1,{NAME_CHARACTERS}}}+"',
    is_free_text=True,
)
TEXT = Kind(
    "some text", _ANY_TEXT, lambda texts: texts, r'[^",\r\n\x00]++|"(?:[^"\r\n\x00]++|"")++"', is_free_text=True
)


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
