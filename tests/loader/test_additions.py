"""`import --add`: files of one source beside each other, each request once, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.patience import wait_until

HEADER = "request_id,startTime,endTime,prompt_tokens,completion_tokens,metadata\n"
ADD = ("import", "--from", "litellm", "--add")
SUCCEEDED = '"{""status"":""success""}"'


def spend_log(folder: Path, name: str, numbers: range, day: str = "2026-06-03") -> Path:
    path = folder / name
    rows = (f"chat-{n},{day} 09:{n // 60 % 60:02}:{n % 60:02},,{n + 10},{n},{SUCCEEDED}\n" for n in numbers)
    path.write_text(HEADER + "".join(rows))
    return path


def test_second_file_is_added_to_the_first(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*ADD, spend_log(tmp_path, "a.csv", range(5)))
    assert "7 api_requests loaded" in loader.succeeds(*ADD, spend_log(tmp_path, "b.csv", range(5, 12)))
    assert loader.request_count("litellm") == 12
    batches = "select mode, file_name, rows_loaded, first_requested_at is null from raw_staging.live_batches order by 1"
    assert loader.rows(batches) == [("append", "b.csv", 7, False), ("replace", "a.csv", 5, False)]


def test_added_rows_have_every_column_their_format_reports(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*ADD, spend_log(tmp_path, "a.csv", range(2)))
    loader.succeeds(*ADD, spend_log(tmp_path, "b.csv", range(2, 4)))
    assert loader.rows("select distinct source, status_code from raw_staging.api_requests") == [("litellm", 200)]


def test_same_file_again_is_left_alone_under_any_name(loader: Any, tmp_path: Path) -> None:
    first, second = spend_log(tmp_path, "a.csv", range(5)), spend_log(tmp_path, "b.csv", range(5, 9))
    for path in (first, second):
        loader.succeeds(*ADD, path)
    for path in (first, second, second.rename(tmp_path / "copy.csv")):
        if path.exists():
            assert "up to date" in loader.succeeds(*ADD, path)
    assert loader.value("select count(*) from raw_staging.load_batches") == 2


def test_request_that_two_files_hold_is_loaded_once(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*ADD, spend_log(tmp_path, "monday.csv", range(10)))
    said = loader.succeeds(*ADD, spend_log(tmp_path, "tuesday.csv", range(6, 15)))
    assert "5 api_requests loaded, 0 rejected, 4 were there already" in said
    assert loader.request_count("litellm") == 15
    counts = (
        "select rows_read, rows_loaded, arguments -> 'rows_repeated' from raw_staging.load_batches order by batch_id"
    )
    assert loader.rows(counts) == [(10, 10, None), (5, 5, 4)]
    assert "up to date" in loader.succeeds(*ADD, tmp_path / "tuesday.csv")


def test_file_with_too_many_bad_rows_adds_nothing(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*ADD, spend_log(tmp_path, "a.csv", range(5)))
    bad = spend_log(tmp_path, "b.csv", range(5, 9))
    bad.write_text(bad.read_text().replace("2026-06-03", "yesterday", 2))
    assert "expected at most 1.00%" in loader.fails(*ADD, bad)
    assert loader.request_count("litellm") == 5
    assert loader.value("select count(*) from raw_staging.rejected_rows") == 2


def test_replacing_what_was_added_needs_force(loader: Any, tmp_path: Path) -> None:
    for number, path in enumerate(("a.csv", "b.csv")):
        loader.succeeds(*ADD, spend_log(tmp_path, path, range(number * 5, number * 5 + 5)))
    replacing = ("import", "--from", "litellm", spend_log(tmp_path, "c.csv", range(100, 103)))
    assert "found 2 files added to 'litellm'" in loader.fails(*replacing)
    assert loader.request_count("litellm") == 10
    loader.succeeds(*replacing, "--force")
    assert loader.request_count("litellm") == 3
    assert "5 api_requests loaded" in loader.succeeds(*ADD, tmp_path / "a.csv")


def test_killed_addition_leaves_nothing_and_is_done_by_the_next(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*ADD, spend_log(tmp_path, "a.csv", range(5)))
    big = spend_log(tmp_path, "b.csv", range(5, 200_005))
    loader.connection.execute("begin")
    # Who waits for this lock has filled its staging table and is about to add the rows.
    loader.connection.execute("lock table raw_staging.api_requests in exclusive mode")
    (partition,) = loader.partitions()
    loader.connection.execute(f"lock table raw_staging.{partition} in exclusive mode")
    process = subprocess.Popen([sys.executable, "-m", "loader", *ADD, str(big)], stderr=subprocess.DEVNULL)
    waiting = "select count(*) from pg_locks where not granted and relation = %s::regclass"
    wait_until(lambda: bool(loader.value(waiting, f"raw_staging.{partition}")), "the load waits", poll_s=0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    loader.connection.execute("rollback")
    assert loader.request_count("litellm") == 5
    assert "200,000 api_requests loaded" in loader.succeeds(*ADD, big)
    assert loader.request_count("litellm") == 200_005
    states = loader.rows("select status from raw_staging.load_batches order by batch_id")
    assert [state for (state,) in states] == ["done", "failed", "done"]


AZURE = ("import", "--from", "azure-llm", "--add")


def trace(folder: Path, name: str, seconds: range, *more: str) -> Path:
    path = folder / name
    rows = (f"2026-06-03 09:{at // 60:02}:{at % 60:02}.5,{at + 1},9\n" for at in seconds)
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join((*more, *rows)))
    return path


def test_files_without_ids_may_overlap(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*AZURE, trace(tmp_path, "a.csv", range(40)))
    said = loader.succeeds(*AZURE, trace(tmp_path, "b.csv", range(30, 70)))
    assert "30 api_requests loaded" in said and "10 were there already" in said
    assert loader.request_count("azure-llm") == 70


def test_a_corrected_file_without_ids_brings_what_was_wrong_alone(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*AZURE, trace(tmp_path, "a.csv", range(200), "yesterday,1,1\n"))
    assert "1 api_requests loaded" in loader.succeeds(*AZURE, trace(tmp_path, "a.csv", range(201)))
    assert loader.request_count("azure-llm") == 201


def test_a_file_whose_requests_were_dropped_for_their_age_can_come_back(loader: Any, tmp_path: Path) -> None:
    path = trace(tmp_path, "a.csv", range(40))
    loader.succeeds(*AZURE, path)
    loader.connection.execute("create table ops.dropped_requests (dropped_before timestamptz not null)")
    loader.connection.execute("alter table ops.dropped_requests owner to portfolio_owner")
    loader.connection.execute("insert into ops.dropped_requests values ('2026-06-03 09:00:10Z')")
    loader.connection.execute("delete from raw_staging.api_requests where requested_at < '2026-06-03 09:00:10Z'")
    said = loader.succeeds(*AZURE, path)
    assert "10 api_requests loaded" in said and "30 were there already" in said
    assert loader.request_count("azure-llm") == 40


def test_the_same_file_read_by_another_version_is_still_the_same(loader: Any, tmp_path: Path) -> None:
    path = trace(tmp_path, "a.csv", range(5))
    loader.succeeds(*AZURE, path)
    loader.connection.execute(
        """update raw_staging.load_batches set arguments = jsonb_set(arguments, '{assumptions}', '["other words"]')"""
    )
    assert "up to date" in loader.succeeds(*AZURE, path)
