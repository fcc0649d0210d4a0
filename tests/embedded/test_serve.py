"""The front door's own process: found by its lock, not by a number that may be somebody else's by now."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded.process import birth, is_alive, is_gone_within, is_held, take_lock
from tests.patience import HANG_S

Run = Callable[..., subprocess.CompletedProcess[str]]
STOPPED = "front door was not running"


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, run_command: Run) -> Iterator[Path]:
    """Return a data folder of its own, whatever runs in it being stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tokenscope-serve-"))
    monkeypatch.setenv("TOKENSCOPE_DATA_DIR", str(folder))
    yield folder
    run_command("-m", "embedded", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process of somebody else, whose command line names what ours does."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)", "-m", "embedded", "serve"]) as process:
        yield process
        process.kill()


def test_stop_leaves_a_process_alone_that_has_got_the_pid(
    data: Path, stranger: subprocess.Popen[bytes], run_command: Run
) -> None:
    for content in (f"{stranger.pid} 8080\n", f"{stranger.pid} 8080 {birth(stranger.pid)}\n"):
        (data / "run-serve.pid").write_text(content)
        assert "front door stopped" in run_command("-m", "embedded", "status").stdout
        assert STOPPED in run_command("-m", "embedded", "stop").stderr
        assert stranger.poll() is None
        assert not (data / "run-serve.pid").exists()


def test_a_pid_from_before_the_lock_was_taken_is_not_believed(
    data: Path, stranger: subprocess.Popen[bytes], run_command: Run
) -> None:
    lock = take_lock(data / "run-serve.lock", 0)
    assert lock is not None
    (data / "run-serve.pid").write_text(f"{stranger.pid} 8080 another-boot/1\n")
    assert STOPPED in run_command("-m", "embedded", "stop").stderr
    os.close(lock)
    assert stranger.poll() is None


def test_serve_starts_beside_a_stale_pid_file_and_once_only(
    data: Path, stranger: subprocess.Popen[bytes], run_command: Run
) -> None:
    (data / "run-serve.pid").write_text(f"{stranger.pid} 8080 {birth(stranger.pid)}\n")
    assert "running in the background" in run_command("-m", "embedded", "serve", "--detach").stderr
    pid, port, _ = (data / "run-serve.pid").read_text().split()
    for options in ((), ("--detach",)):
        again = run_command("-m", "embedded", "serve", *options)
        assert f"already served at http://localhost:{port}/" in again.stderr
    assert "front door running" in run_command("-m", "embedded", "status").stdout
    server = psutil.Process(int(pid))
    children = server.children()
    os.kill(server.pid, signal.SIGKILL)
    assert is_gone_within(server, 30) and all(is_gone_within(child, 30) for child in children)
    assert not is_held(data / "run-serve.lock")
    assert "front door stopped" in run_command("-m", "embedded", "status").stdout
    assert STOPPED in run_command("-m", "embedded", "stop").stderr
    assert stranger.poll() is None


def test_the_forecaster_behind_the_proxy_refuses_a_strange_name(data: Path, run_command: Run) -> None:
    run_command("-m", "embedded", "serve", "--detach")
    pid, port, _ = (data / "run-serve.pid").read_text().split()
    (app,) = (child for child in psutil.Process(int(pid)).children() if "forecaster.serve" in child.cmdline())
    own_port = int(app.cmdline()[app.cmdline().index("--server.port") + 1])
    assert handshake(own_port, f"evil.example:{own_port}") == 403
    assert handshake(own_port, f"localhost:{own_port}") == 101
    assert handshake(int(port), f"localhost:{port}") == 101


def handshake(port: int, host: str) -> int:
    """Ask the forecaster for its websocket as a page of `host` would; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    headers = {
        "Host": host,
        "Origin": f"http://{host}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    connection.request("GET", "/forecaster/_stcore/stream", headers=headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_stop_ends_the_front_door_and_its_children(data: Path, run_command: Run) -> None:
    run_command("-m", "embedded", "serve", "--detach")
    server = psutil.Process(int((data / "run-serve.pid").read_text().split()[0]))
    children = server.children()
    assert children
    assert "front door stopped" in run_command("-m", "embedded", "stop").stderr
    assert not any(is_alive(process) for process in (server, *children))
    assert [path.name for path in data.glob("run-serve.*")] == ["run-serve.lock"]
