"""Typed columns: what fits keeps its value, what does not is rejected with what was expected and found."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader import kinds as columns
from loader.columns import typed_batch, values_of
from loader.kinds import Column, Kind


def parse(kind: Kind, *texts: str) -> list[object]:
    return list(values_of(kind, pa.array(texts, pa.string())).to_pylist())


INSTANTS = st.datetimes(datetime(1970, 1, 3), datetime(2100, 12, 30))
ZONES = st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(INSTANTS, ZONES, st.sampled_from("T "))
def test_timestamp_keeps_the_instant_in_any_zone(instant: datetime, zone: timezone, separator: str) -> None:
    moment = instant.replace(tzinfo=zone)
    assert parse(columns.TIMESTAMP, moment.isoformat(separator)) == [moment.astimezone(UTC)]


@given(INSTANTS, st.sampled_from(["", "Z", "+00", "+00:00", "+0000"]))
def test_timestamp_without_a_zone_is_utc(instant: datetime, zone: str) -> None:
    assert parse(columns.TIMESTAMP, instant.isoformat() + zone) == [instant.replace(tzinfo=UTC)]


@given(INSTANTS, st.integers(0, 999), st.sampled_from(["", "+00:00"]))
def test_timestamp_cuts_digits_beyond_the_microsecond(instant: datetime, beyond: int, zone: str) -> None:
    text = f"{instant.isoformat(timespec='microseconds')}{beyond:03d}"
    for digits in (1, 2, 3):
        cut = text[: len(text) - 3 + digits]
        assert parse(columns.TIMESTAMP, cut + zone) == [instant.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-29 00:00:00", "2025-13-01 00:00:00", "2025-01-01 24:00:00", "2025-01-01 00:60:00", "2025-01-01",
        "2025-W01-1T00:00:00", "20250101T000000", "1735689600", "now", "infinity", "2025-01-01 00:00:00 Europe/Paris",
        "1969-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "2101-01-01T00:30:00+00:00", "1970-01-01T00:30:00+01:00",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2025-01-01T00:00:00,5",
    ],
)  # fmt: skip
def test_timestamp_refuses(text: str) -> None:
    assert parse(columns.TIMESTAMP, text) == [None]


def test_timestamp_takes_both_ends_of_its_range() -> None:
    first, last = "1970-01-01T00:00:00Z", "2101-01-01T00:59:59.999999+01:00"
    assert None not in parse(columns.TIMESTAMP, first, last)


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_date_takes_the_days_of_its_range_and_no_other(day: date) -> None:
    assert parse(columns.DATE, day.isoformat()) == [day if 1970 <= day.year <= 2100 else None]


@given(st.integers(-(10**25), 10**25))
def test_whole_number_takes_its_range_and_no_other(number: int) -> None:
    assert parse(columns.TOKENS, str(number)) == [number if 0 <= number <= columns.TOKENS_MAX else None]
    small = number % 4_000_000_000
    assert parse(columns.ID, str(small)) == [small if 1 <= small < 2**31 else None]


@pytest.mark.parametrize("text", ["1.0", "1e3", "0x1F", "1_000", "--1", "\u0661", "NaN", "one", "1 2"])
def test_whole_number_refuses_what_is_none(text: str) -> None:
    assert parse(columns.TOKENS, text) == [None]


def test_blanks_around_a_number_are_ignored() -> None:
    assert parse(columns.TOKENS, " 42 ", "\t7") == [42, 7]


def test_boolean_takes_true_and_false_in_any_case() -> None:
    assert parse(columns.BOOLEAN, "true", "False", "TRUE", "1", "yes") == [True, False, True, None, None]


def test_price_takes_what_no_cost_overflows_with() -> None:
    assert parse(columns.PRICE, "0", "4999.9999", "5000", "0.00001", "-1") == [
        "0",
        "4999.9999",
        None,
        None,
        None,
    ]


LINES = st.lists(st.tuples(st.text(max_size=6), st.sampled_from(["1", "0", "-1", "x", ""])), max_size=30)


@given(LINES)
def test_typed_batch_accounts_for_every_row_in_order(rows: list[tuple[str, str]]) -> None:
    kinds = [Column("name", columns.TEXT), Column("count", columns.ID, is_required=False)]
    texts = [f"{name}|{count}" for name, count in rows]
    fields = [pa.array([row[i] for row in rows], pa.string()) for i in (0, 1)]
    batch = typed_batch(fields, kinds, range(2, len(rows) + 2), texts)
    fits = [bool(name) and count in ("1", "") for name, count in rows]
    assert list(batch.line_numbers) == [i + 2 for i, good in enumerate(fits) if good]
    assert [reject.line_number for reject in batch.rejects] == [i + 2 for i, good in enumerate(fits) if not good]
    assert batch.rows.to_pylist() == [
        {"name": name, "count": int(count) if count else None}
        for (name, count), good in zip(rows, fits, strict=True)
        if good
    ]
    assert batch.rows_read == len(rows)
    assert all(reject.row_text == texts[reject.line_number - 2] for reject in batch.rejects)


def test_typed_batch_says_what_was_expected_and_found_by_the_files_own_name() -> None:
    kinds = [Column("prompt_tokens", columns.TOKENS, header="ContextTokens")]
    batch = typed_batch([pa.array(["x" * 200])], kinds, [5], ["line"])
    (reject,) = batch.rejects
    assert reject.reason.startswith("ContextTokens: expected a whole number from 0 to 10,000,000,000, found 'xxxx")
    assert len(reject.reason) < 200
