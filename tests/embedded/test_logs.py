"""Logs are moved on while their programs write to them, by size and by age."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from embedded.logs import KEPT, LIMIT_AGE_S, rotate
from embedded.proxy import free_port, traefik_program, write_configuration
from embedded.supervisor import Program, Supervisor
from tests.patience import HANG_S, wait_until


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
        wait_until(lambda: (supervisor.check(), is_filled(oldest))[1], "the oldest log is filled", poll_s=0.01)
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


def is_filled(log: Path) -> bool:
    return log.exists() and log.stat().st_size > 0


def ask(port: int, path: str) -> bool:
    """Return whether the proxy answers, whatever it says."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=HANG_S)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_the_real_proxy_writes_on_after_its_log_was_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its access log alone reached gigabytes: it was moved on at the next start only."""
    monkeypatch.setattr("embedded.logs.LIMIT_BYTES", 100_000)
    monkeypatch.setattr("embedded.supervisor.LOGS_EVERY_S", 0.0)
    port = free_port("127.0.0.1")
    command = [traefik_program(), f"--configFile={write_configuration(tmp_path / 'traefik', f'127.0.0.1:{port}')}"]
    environment = {
        **os.environ,
        "DOMAIN": "localhost",
        "PUBLIC": "1",
        "HTTPS_PORT": "",
        "SITE_URL": "http://127.0.0.1:1",
    }
    supervisor = Supervisor([Program("traefik", command, environment, tmp_path)], tmp_path / "logs", print)
    log = supervisor.log_of("traefik")
    supervisor.start()
    try:
        wait_until(lambda: ask(port, "first"), "Traefik answers")
        oldest = tmp_path / "logs" / f"traefik.log.{KEPT}"

        def is_moved() -> bool:
            for _ in range(50):
                ask(port, "x" * 4_000)
            supervisor.check()
            return oldest.exists()

        wait_until(is_moved, "its log is moved", poll_s=0)
        assert log.stat().st_size < 2_000_000
        written = log.stat().st_size
        wait_until(lambda: ask(port, "after-the-move") and b"/after-the-move" in log.read_bytes(), "it writes on")
        assert log.stat().st_size > written
        assert b"\0" not in log.read_bytes()
    finally:
        supervisor.stop()
