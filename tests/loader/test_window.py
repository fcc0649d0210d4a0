"""Requests of another time than the file can be of are rejected with the reason, whichever way the file is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from loader.window import log_window, set_window

TOMORROW, LATER = (datetime.now(UTC).date() + timedelta(days=days) for days in (1, 4))
INSIDE = ["2020-01-01T00:00:00Z", "2023-11-16 18:17:03.9799609", "2020-01-01 01:30:00+01:30", f"{TOMORROW} 12:00:00"]
OUTSIDE = ["1970-01-01T00:00:00Z", "2019-12-31T23:59:59.999999Z", "2020-01-01T01:29:59+01:30", f"{LATER} 00:00:00"]
FORMATS: dict[str, tuple[str, Callable[[int, str], str]]] = {
    "azure-llm": ("TIMESTAMP,ContextTokens,GeneratedTokens", lambda _, time: f"{time},1,1"),
    "litellm": ("request_id,startTime,endTime,prompt_tokens,completion_tokens", lambda i, time: f"r{i},{time},,1,1"),
}
TIMES = "select requested_at from raw_staging.api_requests order by 1"
REJECTED = "select line_number, reason from raw_staging.rejected_rows order by 1"


def instant(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@pytest.mark.parametrize("words", [[], ["--add"]], ids=["replaced", "added"])
@pytest.mark.parametrize("log_format", FORMATS)
def test_a_log_is_of_2020_to_tomorrow(loader: Any, tmp_path: Path, log_format: str, words: list[str]) -> None:
    header, line = FORMATS[log_format]
    path = tmp_path / "log.csv"
    if words:  # into a source that is there already
        path.write_text(f"{header}\n{line(99, '2024-01-01 00:00:00')}\n")
        loader.succeeds("import", "--from", log_format, "--add", path)
    path.write_text("\n".join([header, *(line(i, time) for i, time in enumerate(INSIDE + OUTSIDE))]) + "\n")
    loader.succeeds("import", "--from", log_format, "--max-reject-ratio", 1, *words, path)
    expected = [*INSIDE, *(["2024-01-01 00:00:00"] if words else [])]
    assert [time for (time,) in loader.rows(TIMES)] == sorted(map(instant, expected))
    rejected = loader.rows(REJECTED)
    assert [number for number, _ in rejected] == [6, 7, 8, 9]
    window = f"from 2020-01-01 to {TOMORROW}, the day after this load"
    assert f"requested_at: expected a time {window}, found 1970-01-01T00:00:00+00:00" in rejected[0][1]


def test_a_log_without_a_calendar_is_held_to_it_by_its_epoch(loader: Any, tmp_path: Path) -> None:
    path = tmp_path / "burst.csv"
    header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    path.write_text(header + "".join(f"{time},ChatGPT,3,4,7,API log\n" for time in (0, 86_399, 86_400, 86_401)))
    words = ("import", "--from", "burstgpt", "--epoch", "2019-12-31", "--max-reject-ratio", 1)
    assert "2 api_requests loaded, 2 rejected" in loader.succeeds(*words, path)


def test_a_row_of_another_time_fails_a_file_of_few_rows_and_says_why(loader: Any, tmp_path: Path) -> None:
    path = tmp_path / "azure.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2025-01-01 00:00:00,1,1\n2099-12-31 00:00:00,1,1\n")
    said = loader.fails("import", "--from", "azure-llm", path)
    assert "found 1 of 2, the first in line 3: requested_at: expected a time from 2020-01-01 to " in said


@pytest.mark.parametrize("is_copied", [True, False], ids=["copied as it is", "checked row by row"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_generated_set_is_of_the_days_in_its_manifest(
    loader: Any, write_set: Callable[..., Path], request_line: Callable[..., str], suffix: str, is_copied: bool
) -> None:
    times = ["2030-01-01T00:00:00Z", "2030-01-02T23:59:59.999999Z", "2029-12-31T23:59:59Z", "2030-01-03T00:00:00Z"]
    lines = [request_line(i, requested_at=time) for i, time in enumerate(times)]
    lines += [] if is_copied else [request_line(9, status_code=42)]
    directory = write_set(lines)
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["arguments"] |= {"start": "2030-01-01", "days": 2}
    if suffix == "parquet":
        in_parquet(directory, manifest["tables"]["api_requests"])
    (directory / "manifest.json").write_text(json.dumps(manifest))
    loader.succeeds("load", "--max-reject-ratio", 1, directory)
    assert [time for (time,) in loader.rows(TIMES)] == [instant(time) for time in times[:2]]
    reasons = [reason for _, reason in loader.rows(REJECTED)]
    assert len(reasons) == (2 if is_copied else 3)
    assert "expected a time from 2030-01-01 to 2030-01-02, the days of this set, found 2029-12-31" in reasons[0]


def in_parquet(directory: Path, entry: dict[str, Any]) -> None:
    import hashlib

    path = directory / "api_requests.parquet"
    everything = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(header_of(directory), pyarrow.string()))
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(directory / entry["file"], convert_options=everything), path)
    octets = path.read_bytes()
    entry |= {"file": path.name, "bytes": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}


def header_of(directory: Path) -> list[str]:
    return (directory / "api_requests.csv").read_text().partition("\n")[0].split(",")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"start": "2025-01-01", "days": 7306}, "7,306 days instead of 1 to 7,305"),
        ({"start": "2025-01-01", "days": 0}, "0 days instead of 1 to 7,305"),
        ({"start": "2025-01-01", "days": "9"}, "'9' instead of a count as 'days'"),
        ({"start": "2025-01-01"}, "no entry 'days'"),
        ({"start": 7, "days": 1}, "7 instead of a day"),
        ({"start": "1969-12-31", "days": 1}, "the start 1969-12-31 instead of one from 1970 to 2100"),
    ],
)
def test_a_set_of_impossible_days_is_refused(
    steady_loader: Any, write_set: Callable[..., Path], arguments: dict[str, Any], reason: str
) -> None:
    directory = write_set()
    manifest = json.loads((directory / "manifest.json").read_text()) | {"arguments": arguments}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    assert reason in steady_loader.fails("load", directory)


def test_a_window_bounds_the_months_that_a_source_can_have() -> None:
    for window in (log_window(date(2026, 11, 21)), set_window(date(2100, 12, 31), 7305)):
        assert 0 < (window.end - window.start) / timedelta(days=1) <= 7305
