"""Which process is ours: a pid may be somebody else's by now, so its start and a lock it holds are looked at too."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

import psutil

_TRY_AGAIN_S = 0.05


def birth(pid: int) -> str:
    """Return when process `pid` started, in a form no other process of that pid ever has; '' where there is none.

    On Linux in clock ticks of this boot: a clock that is set does not move them. Elsewhere seconds since 1970.
    """
    try:
        if sys.platform == "linux":
            ticks = Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()[19]
            return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{ticks}"
        return f"{psutil.Process(pid).create_time():.2f}"
    except (OSError, IndexError, psutil.Error):
        return ""


def is_alive(process: psutil.Process) -> bool:
    """Return whether `process` still runs; one that ended and was not collected yet does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def is_gone_within(process: psutil.Process, seconds: float) -> bool:
    """Wait up to `seconds` for the end of `process`, anybody's child; return whether it came."""
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_TRY_AGAIN_S)
    return True


def is_held(path: Path) -> bool:
    """Return whether a running process holds the lock on file `path`; a killed one no longer does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: those who ask are not in each other's way
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def take_lock(path: Path, seconds: float) -> int | None:
    """Return a descriptor that holds the lock on file `path`, None where another process keeps it for `seconds`.

    Whoever inherits the descriptor holds the lock as well, until the last of them ends.
    """
    deadline = time.monotonic() + seconds
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(_TRY_AGAIN_S)
