"""Cutting CSV into records: line numbers, resuming after faults, and memory that does not grow with the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader import records
from loader.errors import LoadError
from loader.records import Chunk, read_chunks
from loader.rows import Reject

HEADER = ("a", "b")


def read(data: bytes) -> Chunk:
    whole = Chunk(HEADER)
    for chunk in read_chunks(io.BytesIO(data), HEADER):
        whole.line_numbers += chunk.line_numbers
        whole.texts += chunk.texts
        whole.rows += chunk.rows
        whole.rejects += chunk.rejects
    return whole


# Anything a CSV field can hold, line feeds and quotes included. No CR: Python's writer leaves it without quotes.
FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


@given(
    st.lists(st.tuples(FIELDS, FIELDS), max_size=20),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_read_chunks_finds_fields_and_lines_of_whatever_csv_writes(
    rows: list[tuple[str, str]], line_end: str, has_mark: bool, ends: bool, quotes: bool
) -> None:
    buffer, expected_lines = io.StringIO(newline=""), []
    writer = csv.writer(buffer, lineterminator=line_end, quoting=csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL)
    writer.writerow(HEADER)
    for row in rows:
        expected_lines.append(buffer.getvalue().count("\n") + 1)
        writer.writerow(row)
    text = buffer.getvalue() if ends else buffer.getvalue().removesuffix(line_end)
    found = read((b"\xef\xbb\xbf" if has_mark else b"") + text.encode())
    assert [tuple(row) for row in found.rows] == rows
    assert found.line_numbers == expected_lines
    assert found.rejects == []


@given(st.binary(max_size=200))
def test_read_chunks_accounts_for_every_line_of_any_bytes(tail: bytes) -> None:
    data = b"a,b\n1,2\n" + tail + b"\n3,4\n"
    found = read(data)
    covered = list(zip(found.line_numbers, found.texts, strict=True))
    covered += [(reject.line_number, reject.row_text) for reject in found.rejects]
    lines: set[int] = set()
    for number, text in covered:
        lines |= set(range(number, number + text.count("\n") + 1))
    blank = {i for i, line in enumerate(data.split(b"\n"), 1) if not line.strip(b"\r")}
    assert lines | blank | {1} == set(range(1, data.count(b"\n") + 2))
    assert found.rows[0] == ["1", "2"]


def test_read_chunks_loses_one_line_to_a_quote_left_open() -> None:
    found = read(b'a,b\n1,2\n3,"4\n5,6\n7,8\n')
    assert found.rows == [["1", "2"], ["5", "6"], ["7", "8"]]
    assert found.line_numbers == [2, 4, 5]
    assert found.rejects == [
        Reject(
            3,
            '3,"4',
            "expected a quote to close before a comma or line end, found one left open or text behind it",
        )
    ]


def test_read_chunks_loses_one_line_to_a_quote_closed_by_a_later_row() -> None:
    found = read(b'a,b\n1,"2\n3,"4\n5,6\n')
    assert [reject.line_number for reject in found.rejects] == [2, 3]
    assert found.rows == [["5", "6"]]


def test_read_chunks_says_where_a_file_is_cut_off() -> None:
    found = read(b"a,b\n1,2\n3")
    assert found.rejects == [Reject(3, "3", "expected 2 fields, found 1; the file may be cut off here")]


def test_read_chunks_skips_blank_lines_but_counts_them() -> None:
    found = read(b"a,b\n\n1,2\r\n\r\n3,4\n\n")
    assert found.line_numbers == [3, 5]
    assert found.rejects == []


def test_read_chunks_rejects_bytes_that_are_no_text() -> None:
    found = read(b"a,b\n1,\xff\n2,\xc3\xa9\n3,\0\n")
    assert found.rows == [["2", "\u00e9"]]
    assert [reject.line_number for reject in found.rejects] == [2, 4]


def test_read_chunks_keeps_to_small_chunks_and_reads_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHUNK_ROWS", 10)
    stream = io.BytesIO(b"a,b\n" + b"1,22222222\n" * 10_000)
    chunks = read_chunks(stream, HEADER)
    assert len(next(chunks).rows) == 10
    assert stream.tell() < 20_000
    assert sum(len(chunk.rows) for chunk in chunks) == 9_990


def test_read_chunks_resumes_across_chunks_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHUNK_ROWS", 3)
    found = read(b'a,b\n1,"2\n' + b"3,4\n" * 10)
    assert len(found.rows) == 10
    assert found.line_numbers == list(range(3, 13))


def test_read_chunks_refuses_an_endless_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT_CHARACTERS", 1000)
    with pytest.raises(LoadError, match="found line 3 longer than 1,000 characters"):
        read(b"a,b\n1,2\n" + b"x" * 5000)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "found an empty file"),
        (b"b,a\n", "same columns in another order"),
        (b"a,b,c\n", "found 'a,b,c'"),
        (b'"a,b\n1,2\n', "expected the header line a,b, found unexpected end of data"),
        (b"version https://git-lfs.github.com/spec/v1\noid\n", "found a Git LFS pointer"),
    ],
)
def test_read_chunks_refuses_another_header(data: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        read(data)


def test_read_chunks_takes_any_of_several_headers() -> None:
    chunks: Iterator[Chunk] = read_chunks(io.BytesIO(b"c\n1\n"), HEADER, ("c",))
    assert next(chunks).header == ["c"]


def naive(text: str) -> tuple[list[tuple[int, list[str]]], list[int]]:
    """Return records and rejected lines by the rule itself: try at each line, give up only that line, start anew."""
    lines, rows, rejected, start = text.splitlines(keepends=True)[1:], [], [], 0
    while start < len(lines):
        reader = csv.reader(lines[start:], strict=True)
        try:
            row = next(reader)
        except csv.Error:
            row, reader = ["no", "such", "record"], csv.reader([])
        if len(row) == len(HEADER):
            rows.append((start + 2, row))
            start += reader.line_num
            continue
        if row and lines[start].strip("\n"):
            rejected.append(start + 2)
        start += 1
    return rows, rejected


@given(st.lists(st.sampled_from(['"', '"', ",", ",", "\n", "\n", "a", '",', ',"', '""']), max_size=40).map("".join))
def test_read_chunks_finds_what_the_rule_says_without_trying_at_each_line(tail: str) -> None:
    text = f"a,b\n{tail}"
    rows, rejected = naive(text)
    found = read(text.encode())
    assert list(zip(found.line_numbers, found.rows, strict=True)) == rows
    assert [reject.line_number for reject in found.rejects] == rejected


@pytest.mark.parametrize("end", ["", 'x"\n', '"x\n', '",\n'])
@pytest.mark.parametrize("line", ['a",",c\n', '",\n', 'a,"\n', '"a"",",b\n'])
def test_read_chunks_reads_no_line_more_than_a_few_times_whatever_the_quotes(
    monkeypatch: pytest.MonkeyPatch, line: str, end: str
) -> None:
    parsed = 0
    reader = csv.reader

    def counting_reader(lines: Iterator[str], **options: bool) -> Iterator[list[str]]:
        def counted() -> Iterator[str]:
            nonlocal parsed
            for text in lines:
                parsed += 1
                yield text

        return reader(counted() if isinstance(lines, list) else _Counted(lines), **options)

    class _Counted:
        def __init__(self, lines: Iterator[str]) -> None:
            self._lines = lines

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            nonlocal parsed
            parsed += 1
            return next(self._lines)

    monkeypatch.setattr(records.csv, "reader", counting_reader)
    count = 2_000
    found = read(("a,b\n" + line * count + end).encode())
    assert len(found.rejects) + len(found.rows) >= count / 2
    assert parsed < 8 * count


def test_read_chunks_gives_up_a_record_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT_CHARACTERS", 1000)
    found = read(b'a,b\n1,"' + b"x\n" * 5000 + b"3,4\n")
    assert found.rows == [["3", "4"]]
    assert len(found.rejects) == 5000
    assert "expected a quote to close" in found.rejects[0].reason


def test_read_chunks_refuses_a_name_that_repeats() -> None:
    with pytest.raises(LoadError, match="expected each column's name once in the header line, found 'a' again"):
        list(read_chunks(io.BytesIO(b"a,b,a\n1,2,3\n"), HEADER, is_open=True))


def test_read_chunks_tells_a_nul_from_another_encoding() -> None:
    found = read(b"a,b\n1,\xff\n3,\0\n")
    assert [reject.reason for reject in found.rejects] == [
        "expected UTF-8 text, found bytes of another encoding",
        "expected UTF-8 text, found a NUL character",
    ]
