"""The scheduler: when it starts a run, and that nothing which a run does can end it."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import scheduler
from tests.patience import HANG_S, wait_until
from warehouse.lock import alone


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_first_start_waits_for_the_time_of_day(stack: Any) -> None:
    settings = stack.settings(DAILY_RUN_AT="03:15", REPORT_TZ="Europe/Berlin")
    assert scheduler.first_due(settings, utc("2026-11-21T12:00")) == utc("2026-11-22T02:15")


def test_run_that_was_missed_is_due_at_once_and_then_daily(stack: Any) -> None:
    settings = stack.settings(DAILY_RUN_AT="03:15")
    scheduler.remember(settings, utc("2026-11-18T03:15"))
    now = utc("2026-11-21T12:00")
    assert scheduler.first_due(settings, now) <= now
    scheduler.remember(settings, now)
    assert scheduler.first_due(settings, now) == utc("2026-11-22T03:15")


def test_first_run_that_was_missed_is_due_at_once(stack: Any) -> None:
    settings = stack.settings(DAILY_RUN_AT="03:15")
    scheduler.first_due(settings, utc("2026-11-20T12:00"))
    now = utc("2026-11-21T12:00")
    assert scheduler.first_due(settings, now) <= now


def test_memory_that_is_damaged_or_of_the_future_is_none(stack: Any) -> None:
    settings = stack.settings()
    now = utc("2026-11-21T12:00")
    for text in ("", "{}", "[1]", '{"daily_started_at": 7}', '{"daily_started_at": "2099-01-01T00:00:00+00:00"}'):
        (stack.root / "data" / "scheduler.json").write_text(text)
        assert scheduler.first_due(settings, now) == utc("2026-11-22T03:15")


def start(stack: Any, alive: Path, **settings: str) -> subprocess.Popen[bytes]:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from pipeline import scheduler\nfrom pipeline.settings import Settings\n"
        "scheduler.run_scheduler(Settings.from_environment(os.environ), poll_s=0.5, alive=Path(sys.argv[1]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, alive], cwd=stack.repository, env=stack.environment(**settings)
    )


def test_file_in_the_inbox_starts_a_run_whose_failure_ends_nothing(stack: Any, tmp_path: Path) -> None:
    """A file where dbt's folder should be: the file of the inbox is loaded, the build fails, the scheduler stays."""
    (stack.root / "data" / "dbt_target").write_text("")
    alive = tmp_path / "alive"
    process = start(stack, alive)
    ended = "select status from ops.pipeline_events where event_name = 'pipeline_run_end' and pipeline_id = 'work'"
    try:
        wait_until(alive.exists, "no sign of life")
        stack.drop("code.csv", range(30))
        wait_until(lambda: bool(stack.rows(ended)), "no run")
        assert stack.rows(ended) == [("failed",)]
        steps = "select status from ops.pipeline_events where event_name = 'pipeline_run_end' and pipeline_id = 'inbox'"
        assert stack.rows(steps) == [("done",)]
        assert stack.rows("select count(*) from raw_staging.api_requests") == [(30,)]
        seen = alive.stat().st_mtime_ns
        wait_until(lambda: alive.stat().st_mtime_ns > seen, "the scheduler has ended")
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0


def test_run_by_hand_leaves_its_start_and_its_end_once(stack: Any) -> None:
    (stack.root / "data" / "dbt_target").write_text("")  # the build fails at once
    query = "select event_name, status from ops.pipeline_events where pipeline_id = '{}' order by event_id"
    for name in ("work", "daily"):
        assert stack.run(name).returncode == 1
        assert stack.rows(query.format(name)) == [("pipeline_run_start", None), ("pipeline_run_end", "failed")]


def test_run_that_is_asked_to_end_leaves_its_end(stack: Any) -> None:
    begun = "select status from ops.pipeline_events where pipeline_id = 'work' order by event_id"
    with stack.connect() as holder:
        holder.autocommit = True
        with alone(holder, "daily"):
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "work"], cwd=stack.repository, env=stack.environment()
            )
            wait_until(lambda: bool(stack.rows(begun)), "no run")
            process.send_signal(signal.SIGTERM)
            assert process.wait(HANG_S) == 128 + signal.SIGTERM
    assert stack.rows(begun) == [(None,), ("failed",)]


def test_two_runs_wait_for_each_other(stack: Any) -> None:
    holder = (
        "import sys\nfrom pipeline.steps import run_lock\n"
        "with run_lock('daily'):\n print('held', flush=True)\n sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        cwd=stack.repository,
        env=stack.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None and first.stdin is not None
        assert first.stdout.readline() == "held\n"
        waiting = "import os\nfrom pipeline.steps import run_lock\nwith run_lock('work'):\n print('mine')"
        with subprocess.Popen(
            [sys.executable, "-c", waiting],
            cwd=stack.repository,
            env={**stack.environment(), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as second:
            assert second.stderr is not None
            assert second.stderr.readline().startswith(f"work: waiting for daily (process {first.pid} on ")
            assert second.poll() is None
            first.stdin.close()
            out, _ = second.communicate(timeout=HANG_S)
            assert out == "mine\n" and second.returncode == 0


def test_lock_of_a_killed_run_is_free(stack: Any) -> None:
    code = (
        "import os, signal\nfrom pipeline.steps import run_lock\n"
        "with run_lock('work'):\n os.kill(os.getpid(), signal.SIGKILL)"
    )
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=stack.repository, env=stack.environment(), timeout=HANG_S
        )
        assert result.returncode == -signal.SIGKILL


def test_file_that_comes_while_a_run_fails_waits_for_no_other(
    stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, now = stack.settings(), datetime.now(UTC)
    state = scheduler.State(daily_due=now + timedelta(days=1))
    folder = settings.inbox / "azure-llm"
    folder.mkdir(parents=True, exist_ok=True)
    runs: list[int] = []

    def fail(_command: str, _alive: Path) -> bool:
        runs.append(len(list(folder.iterdir())))
        if len(runs) == 1:
            (folder / "late.csv").write_text("late")
        return False

    monkeypatch.setattr(scheduler, "run_child", fail)
    (folder / "bad.csv").write_text("bad")
    for _ in range(2):  # a file is ready when two looks saw it alike
        scheduler.step(settings, state, now, tmp_path / "alive")
    assert runs == [1]
    for _ in range(4):
        scheduler.step(settings, state, now, tmp_path / "alive")
    assert runs == [1, 2]
