"""Keeps child processes running: starts them, restarts the crashed with back-off, stops all together."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded.logs import rotate_all
from warehouse.child import dies_with_parent

POLL_S = 0.2
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0
STABLE_AFTER_S = 60.0
"""A child that ran this long is taken as healthy: its next crash is restarted without delay again."""
STOP_TIMEOUT_S = 8.0
LOGS_EVERY_S = 5.0


@dataclass(frozen=True)
class Program:
    """What to run: a name for messages and the log file, the words of the command, its environment and folder."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    directory: Path


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    crashes: int = field(default=0)


def backoff_s(crashes: int) -> float:
    """Return the wait before restart number `crashes` (1 = first): 1, 2, 4, ... 30 seconds."""
    return min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (crashes - 1))


class Supervisor:
    """Runs programs as children of this process; their output goes to `<log folder>/<name>.log`."""

    def __init__(self, programs: Sequence[Program], logs: Path, report: Callable[[str], None]) -> None:
        """Describe what to run; `report` gets one line for each thing a user should know."""
        self._children = [_Child(program) for program in programs]
        self._logs = logs
        self._report = report
        self._logs_due_at = 0.0

    def start(self) -> None:
        """Start every program that does not run."""
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        for child in self._children:
            self._start(child)

    def check(self) -> None:
        """Look at every child once: report those that ended, restart those whose wait is over. Move on large logs."""
        now = time.monotonic()
        if now >= self._logs_due_at:
            rotate_all(self._logs, time.time())
            self._logs_due_at = now + LOGS_EVERY_S
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._note_crash(child, now)
            if child.process is None and now >= child.restart_at:
                self._start(child)

    def stop(self) -> None:
        """Ask every child to end, then make those that do not."""
        running = [child.process for child in self._children if child.process and child.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log_of(self, name: str) -> Path:
        """Return the log file of the program `name`."""
        return self._logs / f"{name}.log"

    def _start(self, child: _Child) -> None:
        program = child.program
        with self.log_of(program.name).open("ab") as output:  # appending: it is moved on while it grows, see logs.py
            child.process = subprocess.Popen(
                program.command,
                cwd=program.directory,
                env=program.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops all in order
                preexec_fn=dies_with_parent(),  # a supervisor that is killed cannot stop its children
            )
        child.started_at = time.monotonic()

    def _note_crash(self, child: _Child, now: float) -> None:
        assert child.process is not None  # noqa: S101 (the caller checked; tells mypy)
        status = child.process.returncode
        child.process = None
        child.crashes = 1 if now - child.started_at > STABLE_AFTER_S else child.crashes + 1
        wait_s = backoff_s(child.crashes)
        child.restart_at = now + wait_s
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
        name = child.program.name
        self._report(f"{name} {how}; restarting in {wait_s:.0f} s (log: {self.log_of(name)})")
