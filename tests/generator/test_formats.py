"""What is written reads back as what was drawn."""

import csv
import io
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from generator.entities import Window
from generator.formats import REQUEST_SCHEMA, requests_csv, requests_table, table_csv, time_texts, uuid_texts

LAST_MS = 4_133_980_799_999  # 2100-12-31T23:59:59.999Z


def texts(matrix):
    return [bytes(row).decode() for row in matrix]


@given(st.integers(0, LAST_MS), st.lists(st.integers(0, 90 * 86_400_000), max_size=5))
def test_time_texts_are_iso_8601_in_utc(first, offsets):
    at_ms = sorted({first, *(min(first + offset, LAST_MS) for offset in offsets)})
    expected = [
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
        for ms in at_ms
    ]
    assert texts(time_texts(np.array(at_ms))) == [text.replace("+00:00", "Z") for text in expected]


@given(st.lists(st.integers(0, 2**128 - 1), min_size=1, max_size=5))
def test_uuid_texts_are_those_of_the_standard_library(numbers):
    high = np.array([number >> 64 for number in numbers], dtype=np.uint64)
    low = np.array([number & (2**64 - 1) for number in numbers], dtype=np.uint64)
    assert texts(uuid_texts(high, low)) == [str(uuid.UUID(int=number)) for number in numbers]


def test_requests_csv_and_table_hold_the_same_values(draw):
    requests = draw(3, 2_000, Window(date(2024, 2, 20), 20), 50).requests
    table = requests_table(requests)
    assert table.schema == REQUEST_SCHEMA
    lines = bytes(requests_csv(requests)).decode()
    assert "\r" not in lines and '"' not in lines and lines.endswith("\n")
    rows = list(csv.reader(io.StringIO(lines)))
    times = pc.strftime(table["requested_at"], "%Y-%m-%dT%H:%M:%SZ").to_pylist()
    for row, values, at in zip(rows, table.to_pylist(), times, strict=True):
        values |= {"requested_at": at, "is_flagged": str(values["is_flagged"]).lower()}
        assert row == [str(value) for value in values.values()]
    assert table["prompt_tokens"].to_pylist() == requests.prompt_tokens.tolist()
    assert table["requested_at"].cast(pa.int64()).to_pylist() == requests.requested_at_ms.tolist()


def test_table_csv_quotes_only_where_needed_and_writes_contract_literals():
    table = pa.table(
        {
            "name": ["Müller, Łoś and Co", 'say "hi"', "plain"],
            "price": pa.array([Decimal("2.5000"), Decimal("0.0750"), None], pa.decimal128(10, 4)),
            "day": [date(2025, 1, 2), date(1999, 12, 31), None],
            "is_new": [True, False, None],
        }
    )
    assert table_csv(table).decode() == (
        "name,price,day,is_new\n"
        '"Müller, Łoś and Co",2.5000,2025-01-02,true\n'
        '"say ""hi""",0.0750,1999-12-31,false\n'
        "plain,,,\n"
    )
