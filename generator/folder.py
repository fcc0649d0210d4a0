"""Hold a folder while it is written, and turn what the system refuses into one line. Standard library only."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class GenerationError(Exception):
    """A failure to report in one line; nothing half-written is visible."""


@contextmanager
def held_for_writing(folder: Path, advice: str, is_created: bool = False) -> Iterator[None]:
    """Hold `folder` against a second generator; the lock goes with the process, however that ends.

    Raises GenerationError where the folder is absent (unless `is_created`), held by another or the system refuses to
    write; `advice` says what then.
    """
    try:
        if is_created:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise GenerationError(
                f"cannot continue the data set: expected a folder with one, found none at {folder}; generate it first"
            )
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            _lock(descriptor, folder, advice)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        found = "a file" if in_the_way else f"'{error.strerror or error}'"
        raise GenerationError(
            "cannot write the data set: expected a folder that can be written and room for the files, "
            f"found {found} at {error.filename or folder}; free space or {advice}"
        ) from error


def _lock(descriptor: int, folder: Path, advice: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise GenerationError(
            f"cannot write the data set: expected no other writer, found one at work in {folder}; "
            f"wait for it or {advice}"
        ) from None
