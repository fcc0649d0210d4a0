"""Logs are moved on while their programs write to them, by size and by age."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedded.logs import KEPT, LIMIT_AGE_S, rotate
from embedded.supervisor import Program, Supervisor

DEADLINE_S = 60


def test_a_log_within_its_limits_stays(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("line\n")
    assert rotate(log, time.time()) is False
    assert log.read_text() == "line\n"
    assert rotate(tmp_path / "absent.log", time.time()) is False


def test_a_log_is_moved_on_when_it_is_old(tmp_path: Path) -> None:
    log, now = tmp_path / "a.log", time.time()
    log.write_text("first\n")
    rotate(log, now)
    assert rotate(log, now + LIMIT_AGE_S - 1) is False
    assert rotate(log, now + LIMIT_AGE_S + 1) is True
    assert (log.read_text(), (tmp_path / "a.log.1").read_text()) == ("", "first\n")
    assert rotate(log, now + LIMIT_AGE_S + 2) is False


def test_only_so_many_copies_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.logs.LIMIT_BYTES", 5)
    log = tmp_path / "a.log"
    for number in range(KEPT + 3):
        log.write_text(f"log number {number}\n")
        assert rotate(log, time.time()) is True
    kept = [(tmp_path / f"a.log.{number}").read_text() for number in range(1, KEPT + 1)]
    assert kept == [f"log number {number}\n" for number in range(KEPT + 2, 2, -1)]
    assert len(list(tmp_path.iterdir())) == KEPT + 1


def test_a_copy_is_for_the_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.logs.LIMIT_BYTES", 5)
    log = tmp_path / "a.log"
    log.write_text("long enough\n")
    rotate(log, time.time())
    assert (tmp_path / "a.log.1").stat().st_mode & 0o777 == 0o600


def test_a_child_that_never_stops_writing_fills_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.logs.LIMIT_BYTES", 100_000)
    monkeypatch.setattr("embedded.supervisor.LOGS_EVERY_S", 0.0)
    code = "import time\nwhile True: print('x' * 10_000, flush=True); time.sleep(0.001)"
    child = Program("chatty", [sys.executable, "-c", code], dict(os.environ), tmp_path)
    supervisor = Supervisor([child], tmp_path / "logs", print)
    supervisor.start()
    oldest = tmp_path / "logs" / f"chatty.log.{KEPT}"
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not oldest.exists() or not oldest.stat().st_size:
            assert time.monotonic() < deadline
            supervisor.check()
            time.sleep(0.01)
        assert supervisor.log_of("chatty").stat().st_size < oldest.stat().st_size + 100_000_000
        assert len(list((tmp_path / "logs").iterdir())) == KEPT + 1
    finally:
        supervisor.stop()


def test_a_full_disk_is_given_the_room_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.logs.LIMIT_BYTES", 5)
    (tmp_path / "a.log").write_text("long enough\n")
    (tmp_path / "a.log.1").symlink_to("/dev/full")
    rotate(tmp_path / "a.log", time.time())
    assert (tmp_path / "a.log").read_text() == ""


def test_a_log_whose_writer_is_another_program_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.logs.LIMIT_BYTES", 5)
    log = tmp_path / "a.log"
    with log.open("ab") as output:
        subprocess.run(["echo", "before the move"], stdout=output, check=True)
        rotate(log, time.time())
        subprocess.run(["echo", "after"], stdout=output, check=True)
    assert log.read_bytes() == b"after\n"
