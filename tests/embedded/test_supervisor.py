"""The supervisor: restarts what crashed, reports it, stops all together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from embedded.supervisor import LONGEST_BACKOFF_S, Program, Supervisor, backoff_s
from tests.patience import wait_until

SLEEP = "import time; print('up', flush=True); time.sleep(60)"


def program(code: str, directory: Path, name: str = "child") -> Program:
    return Program(name, [sys.executable, "-c", code], dict(os.environ), directory)


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "time.sleep(60)" in " ".join(child.cmdline())]


def test_backoff_doubles_up_to_a_limit() -> None:
    assert [backoff_s(crashes) for crashes in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert backoff_s(50) == LONGEST_BACKOFF_S


def test_crashed_child_is_reported_and_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.supervisor.FIRST_BACKOFF_S", 0.1)
    reported: list[str] = []
    supervisor = Supervisor([program(SLEEP, tmp_path)], tmp_path / "logs", reported.append)
    supervisor.start()
    wait_until(lambda: "up" in supervisor.log_of("child").read_text(), "the child is up", poll_s=0.02)
    (first,) = children()
    first.send_signal(signal.SIGKILL)
    wait_until(lambda: (supervisor.check(), reported)[1] != [], "its end is reported", poll_s=0.02)
    assert "child was killed by SIGKILL; restarting in" in reported[0]
    assert str(supervisor.log_of("child")) in reported[0]
    wait_until(lambda: (supervisor.check(), children())[1] != [], "it is started again", poll_s=0.02)
    assert children()[0].pid != first.pid
    supervisor.stop()
    assert children() == []


def test_stop_kills_a_child_that_ignores_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.supervisor.STOP_TIMEOUT_S", 0.3)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
    supervisor = Supervisor([program(stubborn, tmp_path)], tmp_path / "logs", print)
    supervisor.start()
    wait_until(lambda: "up" in supervisor.log_of("child").read_text(), "the child is up", poll_s=0.02)
    supervisor.stop()
    assert children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_children_of_a_killed_supervisor_end_too(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from embedded.supervisor import Program, Supervisor\n"
        f"words = [sys.executable, '-c', {SLEEP!r}]\n"
        f"child = Program('child', words, dict(os.environ), Path('/'))\n"
        f"supervisor = Supervisor([child], Path({str(tmp_path)!r}), print)\n"
        "supervisor.start(); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    log = tmp_path / "child.log"
    wait_until(lambda: log.exists() and "up" in log.read_text(), "the child is up", poll_s=0.02)
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child ends")
