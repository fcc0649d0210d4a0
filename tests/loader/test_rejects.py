"""What is kept of rejected rows: every count, the first rows of a load, the newest loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.rejects import KEPT_DAYS, KEPT_ROWS, OTHERS

Line = Callable[..., str]
WriteSet = Callable[..., Path]
REASONS = "select expected, row_count, first_line, example from raw_staging.rejected_reasons order by row_count desc"


def test_the_wrong_file_fills_no_disk_and_every_row_of_it_is_counted(
    loader: Any, write_set: WriteSet, request_line: Line
) -> None:
    lines = [request_line(i, latency_ms=-1 - i) for i in range(25_000)]
    lines += [request_line(i, status_code="many") for i in range(25_000, 25_040)]
    said = loader.fails("load", write_set(lines))
    assert "found 25,040 of 25,040" in said
    assert f"the first {KEPT_ROWS:,} are in raw_staging.rejected_rows" in said
    assert "stand in the file itself" in said
    kept = loader.rows("select count(*), min(line_number), max(line_number) from raw_staging.rejected_rows")
    assert kept == [(KEPT_ROWS, 2, KEPT_ROWS + 1)]
    (latency, status) = loader.rows(REASONS)
    assert latency[0].startswith("latency_ms: expected") and latency[1:3] == (25_000, 2)
    assert status[0].startswith("status_code: expected") and status[1:3] == (40, 25_002)
    assert "found" in latency[3]
    assert loader.value("select sum(row_count) from raw_staging.rejected_reasons") == 25_040


def test_rows_of_the_longest_texts_are_kept_by_their_size(
    loader: Any, write_set: WriteSet, request_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.rejects.KEPT_CHARACTERS", 20_000)
    lines = [request_line(i, status_code="x" * 3_900) for i in range(50)]
    loader.fails("load", write_set(lines))
    assert 3 <= int(loader.value("select count(*) from raw_staging.rejected_rows")) <= 6
    assert loader.value("select sum(row_count) from raw_staging.rejected_reasons") == 50


def test_kinds_beyond_a_hundred_are_counted_as_one(
    loader: Any, write_set: WriteSet, request_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.rejects._KINDS", 1)
    lines = [request_line(0, latency_ms=-1), request_line(1, status_code=7), request_line(2, is_flagged="maybe")]
    loader.fails("load", write_set(lines))
    assert loader.rows(REASONS)[0][:2] == (OTHERS, 2)


def test_the_newest_loads_keep_their_rows_and_all_keep_their_counts(
    loader: Any, write_set: WriteSet, request_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.rejects.KEPT_LOADS", 2)
    bad = write_set([request_line(0, latency_ms=-1)])
    for _ in range(4):
        loader.fails("load", bad)
    loader.succeeds("load", write_set(name="good"))
    assert loader.rows("select distinct batch_id from raw_staging.rejected_rows order by 1") == [(3,), (4,)]
    assert loader.rows("select batch_id from raw_staging.rejected_reasons order by 1") == [(1,), (2,), (3,), (4,)]


def test_rows_of_old_loads_go_while_others_are_loaded(loader: Any, write_set: WriteSet, request_line: Line) -> None:
    for _ in range(2):
        loader.fails("load", write_set([request_line(0, latency_ms=-1)]))
    loader.rows(
        "update raw_staging.load_batches set started_at = started_at - %s * interval '1 day' where batch_id = 1"
        " returning batch_id",
        KEPT_DAYS + 1,
    )
    loader.succeeds("load", write_set(name="good"))
    assert loader.rows("select distinct batch_id from raw_staging.rejected_rows") == [(2,)]
    assert loader.rows("select batch_id from raw_staging.rejected_reasons order by 1") == [(1,), (2,)]


def test_rows_rejected_before_there_were_limits_are_counted(
    loader: Any, write_set: WriteSet, request_line: Line
) -> None:
    loader.fails("load", write_set([request_line(i, latency_ms=-1 - i) for i in range(3)]))
    before = loader.rows(REASONS)
    loader.connection.execute("drop table raw_staging.rejected_reasons")
    loader.succeeds("init")
    assert loader.rows(REASONS) == before
