"""Logs that end: moved on by size and by age while their programs go on writing to them."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

LIMIT_BYTES = 10_000_000
LIMIT_AGE_S = 7 * 86_400.0
KEPT = 3
"""Copies beside the log itself: forty megabytes and four weeks of each program at the most."""


def rotate(log: Path, now: float) -> bool:
    """Copy `log` to `<name>.1` and empty it where it is too large or too old at `now` (seconds since 1970).

    Its writer keeps the file open for appending and notices nothing; what it writes in between is lost. The time of
    `<name>.1` says since when the log grows. Returns whether the log was moved on.
    """
    newest = _copy(log, 1)
    try:
        size = log.stat().st_size
        if not newest.exists():
            newest.touch(mode=0o600)
            os.utime(newest, (now, now))
        if size <= LIMIT_BYTES and now - newest.stat().st_mtime <= LIMIT_AGE_S:
            return False
    except OSError:
        return False
    with suppress(OSError):  # a disk that is full keeps no copy, and is the more in need of the room
        for number in range(KEPT, 1, -1):
            with suppress(FileNotFoundError):
                _copy(log, number - 1).replace(_copy(log, number))
        newest.touch(mode=0o600)
        shutil.copyfile(log, newest)
        os.utime(newest, (now, now))
    with suppress(OSError):
        os.truncate(log, 0)
    return True


def rotate_all(folder: Path, now: float) -> None:
    """Move on every log of `folder` that is due."""
    for log in folder.glob("*.log"):
        rotate(log, now)


def _copy(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
