"""The step `inbox` on a real server: every file is loaded once, put away, and reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from loader.ledger import source_lock
from tests.patience import wait_until

COUNT = "select count(*), count(distinct request_id) from raw_staging.api_requests"


def names(folder: Path) -> list[str]:
    """Return the files of a folder without the time in front of their names."""
    return sorted(path.name.partition("-")[2] for path in folder.iterdir()) if folder.is_dir() else []


def report(stack: Any, folder: str, name: str) -> str:
    (path,) = (stack.root / "inbox" / folder).glob(f"*-{name}.report.txt")
    return str(path.read_text())


def test_files_of_one_format_add_up(stack: Any) -> None:
    stack.drop("code.csv", range(90))
    stack.drop("conv.csv", range(60, 120))
    result = stack.run("inbox")
    assert result.returncode == 0, result.stderr
    assert "2 of 2 files loaded" in result.stderr
    assert stack.rows(COUNT) == [(120, 120)]  # thirty requests are in both files
    assert names(stack.root / "inbox" / "done") == [
        *("code.csv", "code.csv.report.txt", "conv.csv", "conv.csv.report.txt"),
    ]
    assert list((stack.root / "inbox" / "azure-llm").iterdir()) == []


def test_report_names_rows_batch_and_time(stack: Any) -> None:
    stack.drop("code.csv", range(90))
    stack.run("inbox")
    text = report(stack, "done", "code.csv")
    assert "file      azure-llm/code.csv (" in text and "result    loaded" in text
    assert "batch     1 of source azure-llm" in text
    assert "rows      read 90, loaded 90, rejected 0" in text
    assert "time      2024-05-10 00:00:07 to 2024-05-10 01:29:07 UTC" in text


def test_same_file_again_is_a_no_op_that_says_so(stack: Any) -> None:
    for name in ("monday.csv", "again.csv"):
        stack.drop(name, range(30))
        assert stack.run("inbox").returncode == 0
    assert stack.rows(COUNT) == [(30, 30)]
    assert stack.rows("select count(*) from raw_staging.load_batches") == [(1,)]
    assert "result    was loaded before: nothing to do" in report(stack, "done", "again.csv")
    assert "batch     1 of source azure-llm" in report(stack, "done", "again.csv")


def test_bad_file_is_put_aside_with_its_reasons_and_stops_no_other(stack: Any) -> None:
    path = stack.drop("bad.csv", range(100))
    path.write_text(path.read_text().replace(":07.5,", ":07.5,many", 5))
    stack.drop("good.csv", range(10))
    (stack.root / "inbox" / "lost.csv").write_text("a\n")
    result = stack.run("inbox")
    assert result.returncode == 1
    assert "1 of 3 files loaded; see the reports in failed/" in result.stderr
    assert names(stack.root / "inbox" / "failed") == [
        *("bad.csv", "bad.csv.report.txt", "lost.csv", "lost.csv.report.txt")
    ]
    text = report(stack, "failed", "bad.csv")
    assert "result    not loaded" in text and "rows      read 100, loaded 0, rejected 5" in text
    assert "rejected  5 rows, the first in line 2: " in text
    assert "names the format (azure-llm, burstgpt, litellm)" in report(stack, "failed", "lost.csv")
    assert stack.rows(COUNT) == [(10, 10)]


def test_report_of_a_wrong_file_says_where_every_refused_line_is(stack: Any) -> None:
    path = stack.drop("wrong.csv", range(1_200))
    path.write_text(path.read_text().replace(":07.5,", ":07.5,many"))
    assert stack.run("inbox").returncode == 1
    text = report(stack, "failed", "wrong.csv")
    assert "rejected  1,200 rows, the first in line 2: " in text
    assert "the first of them: raw_staging.rejected_rows, batch_id 1, for 90 days" in text
    assert "every one is a line of the file, which is beside this report" in text
    (kept,) = (stack.root / "inbox" / "failed").glob("*-wrong.csv")
    assert kept.read_text().count("many") == 1_200


def test_trace_without_a_calendar_takes_its_epoch_from_the_settings(stack: Any) -> None:
    text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n61,ChatGPT,3,4,7,API log\n"
    for name, settings in (("a.csv", {}), ("b.csv", {"BURSTGPT_EPOCH": "2023-03-06T00:00:00Z"})):
        (stack.root / "inbox" / "burstgpt" / name).write_text(text)
        stack.run("inbox", **settings)
    assert "BURSTGPT_EPOCH" in report(stack, "failed", "a.csv")
    assert "result    loaded" in report(stack, "done", "b.csv")


def test_folder_that_cannot_be_written_to_stops_the_step_before_anything_is_loaded(stack: Any) -> None:
    path = stack.drop("code.csv", range(30))
    (stack.root / "inbox" / "done").write_text("a file where the folder should be")
    result = stack.run("inbox")
    assert result.returncode == 1
    assert "inbox: expected to move azure-llm/code.csv, found: File exists" in result.stderr
    assert path.exists() and stack.rows(COUNT) == [(0, 0)]


def test_file_whose_source_is_being_loaded_waits_and_stops_no_other(stack: Any) -> None:
    first = stack.drop("azure.csv", range(30))
    burst = stack.root / "inbox" / "burstgpt" / "trace.csv"
    header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    burst.write_text(f"{header}5,ChatGPT,472,18,490,API log\n")
    with stack.connect() as connection, source_lock(connection, "azure-llm"):
        result = stack.run("inbox", BURSTGPT_EPOCH="2023-06-01T00:00:00Z")
    assert result.returncode == 1 and "azure-llm/azure.csv stays where it is" in result.stderr
    assert first.exists() and not burst.exists()
    assert stack.rows("select source from raw_staging.load_batches where status = 'done'") == [("burstgpt",)]


def test_killed_import_loses_nothing_and_brings_nothing_twice(stack: Any) -> None:
    """Kill the whole step at many moments of its life, from before the load to after the move."""
    stack.drop("first.csv", range(10))
    assert stack.run("inbox").returncode == 0
    for attempt in range(8):
        name = f"file-{attempt}.csv"
        stack.drop(name, range(20), day=f"2024-06-{attempt + 1:02}")
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "inbox"],
            cwd=stack.repository,
            env=stack.environment(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        moment_of_death(stack, process, attempt)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.2)
        again = stack.run("inbox")
        assert again.returncode == 0, again.stderr
    assert stack.rows(COUNT) == [(10 + 8 * 20, 10 + 8 * 20)]
    done = [name for name in names(stack.root / "inbox" / "done") if not name.endswith(".report.txt")]
    assert sorted(done) == ["file-0.csv", *(f"file-{n}.csv" for n in range(1, 8)), "first.csv"]


def moment_of_death(stack: Any, process: subprocess.Popen[bytes], attempt: int) -> None:
    """Wait for the load to begin, then a little longer at each attempt; a step that ended before is fine, too."""
    begun = f"select count(*) from raw_staging.load_batches where file_name = 'file-{attempt}.csv'"
    wait_until(lambda: not attempt or process.poll() is not None or stack.rows(begun) != [(0,)], "a load", poll_s=0)
    time.sleep(0.02 * attempt)
