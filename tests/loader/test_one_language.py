"""A row is accepted or rejected for what it is: the same whichever way it is read, and whatever rows are beside it."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loader.files import InputFile
from loader.fill import TableInput, Target, create_empty, fill_as_is, fill_checked, fill_table
from loader.ledger import Origin, start_batch
from loader.load import prepare_session
from loader.members import Members
from loader.partition import partition_target, staged_target
from loader.rejects import RejectLog
from loader.sources import azure_llm, burstgpt, litellm, synthetic
from loader.sources.adapter import Context
from loader.tables import TABLES
from loader.window import log_window, set_window

Row = list[str]
Outcome = tuple[list[Any], list[int]]
UUID_TEXT = "01941f29-db00-7000-8000-00000000000{}"
HOSTILE = [
    "", " ", "0", "1", "-1", "-0", "+5", "007",
    " 7", "7 ", "\t7", "\u20037", "\u0667", "7.0", "7e0", "0x1F", "0b1", "0o7",
    "1_000", "1,000", "999999999999999999", "9223372036854775808", "2147483648", "NaN", "nan", "Infinity", "-inf",
    "true", "TRUE", "fAlse", "t", "f", "yes", "no", "on", "off", "fal\u017fe", "now", "epoch", "today", "infinity",
    "-infinity",
    "allballs", "2025-12-31", "2025-02-29", "20251231", "2025/12/31", "Dec 31 2025", "J2460000", "0000-01-01",
    "2025-12-31T23:59:59.1234567Z", "2025-12-31T23:59:59.999999Z", "2025-12-31 23:59:59", "2025-12-31T23:59:60Z",
    "2025-12-31T24:00:00Z", "2025-12-31 23:59:59+0530", "2025-12-31 23:59:59+16", "2025-12-31 23:59:59 Europe/Paris",
    "2024-12-31T23:59:59.999999Z", "2026-01-01T00:00:00Z", "2025-12-31t23:59:59z",
    "1970-01-01T00:30:00+01:00", "2100-12-31T23:30:00-01:00", "2101-01-01 00:00:00",
    "DE", "de", "D", " DE", "0.15", ".5", "5.", "1e-3", "0.00001", "4999.9999", "5000", "0999", "00999", "$5",
    "a\"b", '"', '""', '"1"', "\\.",
    "\\N", "NULL", "a,b", "a\nb", "a\rb", "\x00", "\ufeff1", "{01941f29-db00-7000-8000-000000000001}",
    "\u00e9", "x" * 200, "x" * 201, "\u00e9" * 200, "\u00e9" * 201, '"' * 200, "\U0001f980" * 200,
    "01941f29db00700080000000000000ff", "01941F29-DB00-7000-8000-0000000000FF", "success", "failure", "Success",
    '{"status": "failure"}', "[" * 990 + "]" * 990, '{"a":' * 990, '{"error_information": {"error_code": 429}}',
]  # fmt: skip

GOOD: dict[str, Row] = {
    "users": ["1", "Ada Ng", "ada@example.com", "Acme", "energy", "11-50", "DE", "pro", "2024-03-01"],
    "models": ["1", "small-1", "acme", "small", "128000", "0.1500", "0.6000", "2024-01-01", "false"],
    "endpoints": ["1", "/v1/chat", "POST", "chat", "true"],
    "dates": ["20250101", "2025-01-01", "2025", "1", "1", "January", "1", "1", "3", "Wednesday", "false", "false"],
    "api_requests": [UUID_TEXT, "1", "1", "1", "2025-01-01T00:00:24.320827Z", "9", "5", "637", "200", "false"],
}
SET_WINDOW = set_window(date(2025, 1, 1), 365)
KEYS = {"users": "user_id", "models": "model_id", "endpoints": "endpoint_id", "dates": "date_id"}


def good_row(table: str, number: int) -> Row:
    key, *others = GOOD[table]
    return [UUID_TEXT.format(number) if key == UUID_TEXT else str(int(key) + number), *others]


def fields(pattern: str) -> st.SearchStrategy[str]:
    """Return texts that fit, nearly fit and do not fit at all."""
    return st.sampled_from(HOSTILE) | st.from_regex(f"[ \t]?{pattern}[ \t]?", fullmatch=True) | st.text(max_size=4)


@st.composite
def generated_rows(draw: Any, table: str) -> list[Row]:
    """Draw rows of a generated file, some with a field or two of another kind; only the first changes its key."""
    rows = [good_row(table, number) for number in range(draw(st.integers(1, 3)))]
    columns = TABLES[table]
    for number, row in enumerate(rows):
        for i in draw(st.lists(st.integers(min(number, 1), len(columns) - 1), max_size=2)):
            row[i] = draw(fields(columns[i].kind.as_is if columns[i].kind.is_free_text else columns[i].kind.pattern))
    return rows


class Warehouse:
    """Fills tables of a real server and takes everything back."""

    def __init__(self, connection: psycopg.Connection, directory: Path) -> None:
        self.connection = connection
        self._path = directory / "rows.csv"
        self._members: dict[str, Members] = {}  # one for all rows, so that a name has one number
        self._batch_id = start_batch(connection, Origin("synthetic", "rows.csv", "", "", {}), "replace")

    def filled(self, fill: Callable[..., Any], source: TableInput, target: Target) -> Outcome | None:
        """Return the rows in the table and the lines rejected; None where the fast way gave up."""
        rejects = "delete from raw_staging.rejected_rows where batch_id = %s returning line_number"
        with self.connection.transaction(force_rollback=True), RejectLog(self.connection, self._batch_id) as log:
            create_empty(self.connection, target)
            counts = fill(self.connection, source, target, *([] if fill is fill_as_is else [log]))
            if counts is None:
                return None
            found = self.connection.execute(
                b"select t::text from " + target.name.as_bytes(self.connection) + b" as t order by ctid"
            ).fetchall()
            lines = sorted(line for (line,) in self.connection.execute(rejects, [self._batch_id]))
        self.connection.execute(rejects, [self._batch_id])
        return [row for (row,) in found], lines

    def generated(self, table: str, octets: bytes) -> tuple[TableInput, Target]:
        self._path.write_bytes(octets)
        key = KEYS.get(table, "request_id")
        source = TableInput(
            table,
            key,
            InputFile(self._path),
            lambda file: synthetic.read_csv(file, table),
            TABLES[table],
            window=None if table in KEYS else SET_WINDOW,
        )
        return source, (staged_target(self.connection, table, key) if table in KEYS else self.partition("synthetic"))

    def imported(self, octets: bytes, read: Callable[..., Any], source: str) -> tuple[TableInput, Target]:
        self._path.write_bytes(octets)
        context = Context(source, datetime(2023, 3, 6, tzinfo=UTC))
        members = self._members.setdefault(source, Members(self.connection, source))
        return TableInput(
            "api_requests",
            "request_id",
            InputFile(self._path),
            lambda file: read(file, context),
            window=log_window(date(2026, 11, 21)),
            members=members,
        ), self.partition(source)

    def partition(self, source: str) -> Target:
        return partition_target(self.connection, source, 999)


@pytest.fixture
def warehouse(steady_database: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Warehouse]:
    for name, value in steady_database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("", autocommit=True) as connection:
        prepare_session(connection)
        yield Warehouse(connection, tmp_path)


def csv_bytes(rows: Sequence[Row], quoting: Any = csv.QUOTE_MINIMAL) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n", quoting=quoting).writerows(rows)
    return buffer.getvalue().encode("utf-8", "replace")


def first_lines(rows: Sequence[Row]) -> list[int]:
    """Return the line on which each row starts, behind a header of one line."""
    counts = (csv_bytes([row]).count(b"\n") for row in rows[:-1])
    return list(itertools.accumulate(counts, initial=2))


a_server_a_test = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "12")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("table", TABLES)
def test_the_fast_way_and_the_checked_one_accept_the_same_rows_with_the_same_values(
    warehouse: Warehouse, table: str
) -> None:
    header = [column.name for column in TABLES[table]]
    seen = Counter[bool]()

    @a_server_a_test
    @given(generated_rows(table), st.booleans())
    @example([good_row(table, 0)], True)
    @example([["", *good_row(table, 0)[1:]]], False)
    def check(rows: list[Row], is_raw: bool) -> None:
        text = "".join(",".join(row) + "\n" for row in rows).encode("utf-8", "replace") if is_raw else csv_bytes(rows)
        source, target = warehouse.generated(table, ",".join(header).encode() + b"\n" + text)
        fast, checked = (warehouse.filled(fill, source, target) for fill in (fill_as_is, fill_checked))
        assert checked is not None
        if fast is not None:
            assert fast == checked
            assert fast[1] == []
        seen[fast is not None] += 1

    check()
    assert seen[True] and seen[False]


@pytest.mark.parametrize("table", TABLES)
def test_a_row_of_a_generated_file_is_judged_alone_as_beside_others(warehouse: Warehouse, table: str) -> None:
    header = ",".join(column.name for column in TABLES[table]).encode() + b"\n"
    seen = Counter[bool]()

    def outcome(rows: Sequence[Row]) -> tuple[list[Any], list[int]]:
        found = warehouse.filled(fill_table, *warehouse.generated(table, header + csv_bytes(rows)))
        assert found is not None
        return found

    @a_server_a_test
    @given(generated_rows(table))
    @example([good_row(table, 0), ["", *good_row(table, 1)[1:]]])
    def check(rows: list[Row]) -> None:
        together = outcome(rows)
        alone = [outcome([row]) for row in rows]
        assert together[0] == [values for loaded, _ in alone for values in loaded]
        starts = first_lines(rows)
        assert together[1] == [starts[i] for i, (_, lines) in enumerate(alone) if lines]
        for _, lines in alone:
            seen[bool(lines)] += 1

    check()
    assert seen[True] and seen[False]


IMPORTS: dict[str, tuple[Callable[..., Any], Row, Row]] = {
    "azure-llm": (azure_llm.read, list(azure_llm.HEADER), ["2023-11-16 18:17:03.9799609", "4808", "10"]),
    "burstgpt": (burstgpt.read, list(burstgpt.EIGHT), ["19440388.5", "", "0", "GPT-4", "95", "0", "95", "API log"]),
    "burstgpt-six": (burstgpt.read, list(burstgpt.SIX), ["61", "ChatGPT", "322", "41", "363", "Conversation log"]),
    "litellm": (
        litellm.read,
        [column.label for column in litellm.COLUMNS],
        [
            *("chat", "2026-06-03 09:14:02.118", "2026-06-03 09:14:05", "1610", "264", "250", "success", "0.005"),
            *("small-1", "acme", "ada", "customer", "team", "{}"),
        ],
    ),
}


@pytest.mark.parametrize("source", IMPORTS)
def test_a_row_of_a_log_is_judged_alone_as_beside_others_and_the_server_takes_what_is_accepted(
    warehouse: Warehouse, source: str
) -> None:
    read, header, good = IMPORTS[source]
    seen = Counter[bool]()

    def outcome(rows: Sequence[Row]) -> tuple[list[Any], list[int]]:
        found = warehouse.filled(fill_table, *warehouse.imported(csv_bytes([header, *rows]), read, source))
        assert found is not None
        return [without_id(row) for row in found[0]], found[1]

    @a_server_a_test
    @given(st.lists(st.dictionaries(st.integers(0, len(header) - 1), fields("[0-9]{1,3}"), max_size=2), max_size=3))
    @example([{}, {0: ""}])
    def check(changes: list[dict[int, str]]) -> None:
        rows = [[change.get(i, text) for i, text in enumerate(good)] for change in changes]
        if source == "litellm":  # its ids are the file's own
            rows = [[f"{row[0]}{number}" * bool(row[0]), *row[1:]] for number, row in enumerate(rows)]
        alone = [outcome([row]) for row in rows]
        together = outcome(rows) if rows else ([], [])
        assert together[0] == [values for loaded, _ in alone for values in loaded]
        starts = first_lines(rows) if rows else []
        assert together[1] == [starts[i] for i, (_, lines) in enumerate(alone) if lines]
        for _, lines in alone:
            seen[bool(lines)] += 1

    check()
    assert seen[True] and seen[False]


def without_id(row: str) -> list[str]:
    """Return the values of a row but its id, which says in which line of which file it stands."""
    source, _, *values = row.split(",")
    return [source, *values]
