"""The watched folder: which files in it are complete, and what becomes of each.

`inbox/<format>/<file>` is added to the source named after its format (`python -m loader import --add`), then moved to
`inbox/done` or `inbox/failed` with a report beside it. The loader's ledger knows a file by its bytes: one that was
loaded when the run was killed is recognised by the next, so that nothing is lost and nothing is there twice.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

DONE, FAILED = "done", "failed"
_UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload", "~")
"""How programs call a file they still write: one with such a name, or a hidden one, is left alone."""
Look = Mapping[Path, tuple[int, int, int]]
"""What lies in the inbox at one moment: file -> size, time of its last change (ctime, ns), inode."""


@dataclass(frozen=True)
class Found:
    """A file to deal with; `problem` says why it cannot be imported, empty where it can."""

    path: Path
    log_format: str
    problem: str = ""


def look(inbox: Path) -> Look:
    """Return every file that waits in the inbox, whatever kind it is; a folder that is not there holds none."""
    seen = {}
    for path in _waiting(inbox):
        try:
            state = path.lstat()
        except FileNotFoundError:
            continue  # renamed away while we looked
        seen[path] = (state.st_size, state.st_ctime_ns, state.st_ino)
    return seen


def _waiting(inbox: Path) -> Iterator[Path]:
    if not inbox.is_dir():
        return
    for entry in sorted(inbox.iterdir()):
        if entry.name in (DONE, FAILED) or is_unfinished(entry.name):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from (path for path in sorted(entry.iterdir()) if not is_unfinished(path.name))
        else:
            yield entry


def is_unfinished(name: str) -> bool:
    """Return whether a name says that its file is hidden or still being written."""
    return name.startswith(".") or name.endswith(_UNFINISHED)


def complete(before: Look, now: Look) -> list[Path]:
    """Return the files that two looks saw alike: nobody has written to them in between, or renamed another in."""
    return [path for path, state in now.items() if before.get(path) == state]


def pause(seen: Look, settle_s: float) -> float:
    """Return how long to wait (s) before the second look: until the newest is `settle_s` old."""
    newest = max((changed / 1e9 for _, changed, _ in seen.values()), default=0.0)
    return min(max(newest + settle_s - time.time(), 1.0), settle_s)


def judged(inbox: Path, path: Path, formats: Mapping[str, str]) -> Found:
    """Return what a file is to be read as, or what is wrong with it and where it belongs."""
    log_format = path.parent.name if path.parent != inbox else ""
    known = ", ".join(formats)
    if log_format not in formats:
        found = f"the folder {log_format!r}" if log_format else "no folder"
        return Found(path, log_format, f"expected a folder that names the format ({known}), found {found}")
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "no regular file"
        return Found(path, log_format, f"expected a file, found {kind}; put the file itself here")
    if not os.access(path, os.R_OK):
        return Found(path, log_format, "expected a file that everybody may read, found one closed to us; chmod a+r it")
    return Found(path, log_format)


def destination(folder: Path, name: str, now: datetime) -> Path:
    """Return a path in `folder` for a file called `name`: the time (UTC), then the name; never one that is taken."""
    stem = f"{now:%Y%m%dT%H%M%SZ}"
    path, number = folder / f"{stem}-{name}", 1
    while path.exists() or path.is_symlink() or report_path(path).exists():
        number += 1
        path = folder / f"{stem}-{number}-{name}"
    return path


def report_path(path: Path) -> Path:
    """Return where the report of a file that was dealt with lies."""
    return path.with_name(f"{path.name}.report.txt")


def put_away(found: Found, folder: Path, now: datetime, report: str) -> Path:
    """Write the report, then move the file beside it; return where it is. Raises OSError where that is not allowed.

    The report of a file that stays is not left behind: each try would leave another.
    """
    folder.mkdir(exist_ok=True)
    path = destination(folder, found.path.name, now)
    report_path(path).write_bytes(report.encode("utf-8", "backslashreplace"))
    try:
        found.path.rename(path)
    except FileNotFoundError:
        raise  # taken away meanwhile: what was loaded of it is said here alone
    except OSError:
        report_path(path).unlink()
        raise
    return path
