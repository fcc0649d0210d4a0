"""One line for a failure nobody wrote a message for, and the place of its details: every `__main__` ends in `guarded`.

A component's own errors (LoadError, WarehouseUnavailable, ...) stay its own to print; what arrives here is the rest: a
full disk, a server that went away, a damaged file, a mistake of ours. Nothing but the standard library is imported.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

INTERRUPTED = 130  # 128 + SIGINT, as a shell says it
DETAILS_KEPT = 20
_REPOSITORY = Path(__file__).resolve().parent.parent
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_CLASS = "53"  # SQLSTATE, insufficient resources: disk_full, out_of_memory, too_many_connections
_DAMAGED = ("XX001", "XX002")  # data_corrupted, index_corrupted
_AWAY = ("08", "57")  # connection exceptions; the server was told to end, or is starting


def guarded(main: Callable[[], int], name: str) -> int:
    """Return the exit status of `main`; an exception it lets through becomes one line on stderr and the status 1.

    `name` begins the line, as in `forecast: expected ..., found ...`. Ctrl-C gives 130, a reader that closed our
    output (`| head`) gives 1 without a word.
    """
    try:
        status = main()
        sys.stdout.flush()  # here, not at exit, where a full disk or a closed pipe is a traceback again
        return status
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return 1
    except Exception as error:
        _discard_output()
        print(f"{name}: {one_line(error)}; {details_place(error)}", file=sys.stderr)
        return 1


def one_line(error: BaseException) -> str:
    """Return what was expected, what was found and what to do next, as one line without a secret."""
    found = " ".join(str(error).split()) or "no message"
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(error, OSError):
        where = f" for {error.filename}" if error.filename else ""
        found = f"{error.strerror or found}{where}"
        if error.errno in _FULL:
            return f"expected room on the disk, found {found}; free some and run the command again"
        return f"expected to use a file or an address, found {found} in {place(error)}; check it and run again"
    if isinstance(error, MemoryError):
        return f"expected enough memory, found none left in {place(error)}; free some and run the command again"
    if _is_database_error(error):
        return _database_line(found, sqlstate, place(error))
    return f"expected no failure, found {type(error).__name__}: {found} in {place(error)}; this is a fault of ours"


def place(error: BaseException) -> str:
    """Return `file:line` of our own code nearest to the failure, the failure's own where none of it is ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(Path(frame.filename))]
    if not frames:
        return "an unknown place"
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    return f"{path.relative_to(_REPOSITORY) if ours else path.name}:{frame.lineno}"


def details_place(error: BaseException) -> str:
    """Write the traceback to a file of its own and return where that is; a folder keeps the newest 20."""
    text = "".join(traceback.format_exception(error))
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    for folder in (_data_directory() / "logs", Path(tempfile.gettempdir())):
        path = folder / f"tokenscope-error-{stamp}-{os.getpid()}.txt"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(path, "x", encoding="utf-8", errors="backslashreplace", opener=_private) as file:
                file.write(f"{' '.join(sys.argv)}\n{text}")
            _forget_old(folder)
            return f"the details are in {path}"
        except OSError:
            continue  # perhaps half written, on the disk that is full: the next folder may be on another
    return "its details could not be written anywhere"


def _database_line(found: str, sqlstate: str | None, where: str) -> str:
    if sqlstate in _DAMAGED:
        return f"expected sound files of the warehouse, found {found}; restore a backup, or load and build all again"
    if sqlstate is not None and sqlstate.startswith(_FULL_CLASS):
        return f"expected room in the warehouse, found {found}; free disk space or memory and run the command again"
    if sqlstate is None or sqlstate.startswith(_AWAY):
        return f"expected the warehouse to answer, found {found}; check that the server runs and run the command again"
    return f"expected the warehouse to carry it out, found {found} in {where}"


def _is_database_error(error: BaseException) -> bool:
    psycopg = sys.modules.get("psycopg")  # not imported: then the failure is none of its
    return psycopg is not None and isinstance(error, psycopg.Error)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_REPOSITORY) and not path.is_relative_to(_REPOSITORY / ".venv")


def _data_directory() -> Path:
    return Path(os.environ.get("TOKENSCOPE_DATA_DIR") or _REPOSITORY / ".data")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _forget_old(folder: Path) -> None:
    for path in sorted(folder.glob("tokenscope-error-*.txt"))[:-DETAILS_KEPT]:
        path.unlink(missing_ok=True)


def _discard_output() -> None:
    """Point stdout to nowhere: what could not be written is not tried again, and complained about, at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
