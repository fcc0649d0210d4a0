"""The one handler of errors that nobody foresaw: one line for the user, the details in a file."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from loader.errors import encodable, one_line

FILE_NAME = "loader-errors.log"
_SHOWN_CHARACTERS = 200
_REPOSITORY = Path(__file__).resolve().parent.parent


def unexpected_error_text(command: str, error: BaseException, environment: Mapping[str, str] = os.environ) -> str:
    """Write the traceback of `error` to the log; return the line that says what happened and where the log is."""
    found = one_line(encodable(f"{type(error).__name__} {error}"))[:_SHOWN_CHARACTERS]
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {command}\n{''.join(traceback.format_exception(error))}\n"
    log = _write(encodable(text), environment)
    details = f"the details are in {log}" if log else "its details could not be written"
    return f"expected to have foreseen every error, found {found}; {details}, please report it with them"


def _write(text: str, environment: Mapping[str, str]) -> Path | None:
    """Append `text` to the log, readable by its owner only, in the data folder or else among temporary files."""
    data = Path(environment.get("TOKENSCOPE_DATA_DIR") or _REPOSITORY / ".data")
    for folder in (data / "logs", Path(tempfile.gettempdir())):
        with suppress(OSError):
            if folder.parent == data:
                folder.mkdir(parents=True, exist_ok=True)
            path = folder / FILE_NAME
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            return path
    return None
