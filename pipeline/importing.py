"""The step `inbox`: import every complete file, put it away with its report."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from loader.sources import FORMATS, FORMATS_WITHOUT_CALENDAR
from pipeline import inbox
from pipeline.inbox import Found
from pipeline.reports import newest_batch, reasons, report_text
from pipeline.settings import REPOSITORY, PipelineError, Settings
from warehouse.child import dies_with_parent

NOT_THE_FILES_FAULT = (
    "expected the server to go on answering",
    "expected free disk space",
    "expected no other load",
    "expected readers of raw_staging",
    "expected the pipeline to be free",
)
"""How the loader begins to say that a file may well be loaded at another time: such a one waits for the next run."""
SETTLE_S = 10.0
"""A file that nobody has changed for so long is complete; an upload that pauses for longer must rename its file."""


def import_inbox(settings: Settings) -> str:
    """Import every complete file in order of names; return what was done. Raises PipelineError where one failed.

    A file that cannot be imported is put away like the others, with the reason. One that is not at fault itself (its
    source is being loaded, the folder is closed to us) stays for the next run.
    """
    before = inbox.look(settings.inbox)
    if not before:
        return "inbox: empty"
    time.sleep(inbox.pause(before, SETTLE_S))
    paths = inbox.complete(before, inbox.look(settings.inbox))
    results, problems = [], []
    for path in paths:
        try:
            results.append(_deal_with(settings, _judged(settings, path)))
        except PipelineError as error:  # it waits, and no other file with it
            problems.append(str(error))
    waiting = len(before) - len(paths)
    still = f"; {waiting} still being written" if waiting > 0 else ""
    summary = f"inbox: {results.count(True)} of {len(results)} files loaded{still}"
    if problems:
        raise PipelineError("\n".join([*problems, summary]))
    if not all(results):
        raise PipelineError(f"{summary}; see the reports in {inbox.FAILED}/")
    return summary


def _judged(settings: Settings, path: Path) -> Found:
    found = inbox.judged(settings.inbox, path, FORMATS)
    if found.problem or found.log_format not in FORMATS_WITHOUT_CALENDAR or settings.burstgpt_epoch:
        return found
    problem = (
        "expected BURSTGPT_EPOCH in .env, when the clock of these traces was 0, found none; set it, then `make up`"
    )
    return replace(found, problem=problem)


def _deal_with(settings: Settings, found: Found) -> bool:
    name = f"{found.log_format}/{found.path.name}" if found.log_format else found.path.name
    before = inbox.look(settings.inbox).get(found.path)
    try:
        _check_writable(found.path.parent, *(settings.inbox / folder for folder in (inbox.DONE, inbox.FAILED)))
        is_loaded, report = (
            (False, report_text(name, "not loaded", found.problem, None, []))
            if found.problem
            else (_imported(settings, found, name))
        )
        if inbox.look(settings.inbox).get(found.path) != before:
            print(f"inbox: {name} is another file by now; the next run loads it", file=sys.stderr, flush=True)
            return is_loaded
        folder = settings.inbox / (inbox.DONE if is_loaded else inbox.FAILED)
        place = inbox.put_away(found, folder, datetime.now(UTC), report)
    except FileNotFoundError:
        return True  # somebody has taken it away again
    except OSError as error:
        if found.problem:  # nothing was loaded: it is in nobody's way
            print(f"inbox: {name} stays where it is: {found.problem}; {error.strerror}", file=sys.stderr, flush=True)
            return False
        raise PipelineError(
            f"inbox: expected to move {name}, found: {error.strerror}; `make up` sets the rights of the folders"
        ) from None
    shown = str(place.relative_to(settings.inbox)).encode("utf-8", "backslashreplace").decode()
    print(f"inbox: {shown}", file=sys.stderr, flush=True)
    return is_loaded


def _check_writable(*folders: Path) -> None:
    """Raise OSError where a file could not be moved away: it would be looked at for ever."""
    for folder in folders:
        folder.mkdir(exist_ok=True)
        probe = folder / f".writable-{time.monotonic_ns()}"
        probe.touch()
        probe.unlink()


def _imported(settings: Settings, found: Found, name: str) -> tuple[bool, str]:
    """Run the loader on a file; return whether its rows are in the warehouse, and the report."""
    with found.path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    source = found.log_format
    before = newest_batch(source, sha256)
    result = subprocess.run(
        [sys.executable, "-m", "loader", *import_words(settings, found)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        preexec_fn=dies_with_parent(),
    )
    was_killed = result.returncode < 0 or result.returncode >= 128
    if was_killed or (result.returncode != 0 and any(text in result.stderr for text in NOT_THE_FILES_FAULT)):
        raise PipelineError(f"inbox: {name} stays where it is: {result.stderr.strip()}")
    batch = newest_batch(source, sha256)
    is_loaded = result.returncode == 0
    if not is_loaded:
        words = "not loaded"
        batch = None if batch == before else batch
    else:
        words = "loaded" if batch != before else "was loaded before: nothing to do"
    size = f"{name} ({found.path.stat().st_size:,} bytes, sha256 {sha256})"
    return is_loaded, report_text(size, words, result.stderr, batch, reasons(batch.batch_id) if batch else [])


def import_words(settings: Settings, found: Found) -> list[str]:
    """Return the loader's words for a file of the inbox."""
    epoch = ["--epoch", settings.burstgpt_epoch] if found.log_format in FORMATS_WITHOUT_CALENDAR else []
    return ["import", "--from", found.log_format, "--add", *epoch, str(found.path)]
