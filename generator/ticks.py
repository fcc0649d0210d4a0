"""The chain of a data set and its ticks on disk: read and verify it, publish new ones, drop those of another set.

A tick is one more day of a data set: a folder DIR/ticks/YYYY-MM-DD with the users and models that changed, its date,
its requests and a manifest that names the data before it. Standard library only.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from generator.folder import GenerationError
from generator.manifest import (
    MANIFEST_FORMAT,
    MANIFEST_NAME,
    PARTIAL_NAME,
    SOURCE,
    Arguments,
    TableFile,
    data_sha256,
    has_checksum,
    listed_arguments,
    listed_tables,
    read_manifest,
)

TICKS_NAME = "ticks"
COMPLETE_NAME = "complete.json"  # in the hidden folder: all its ticks are whole, and this is the command that made them
DAILY_TABLES = {"users", "models", "dates", "api_requests"}
Command = dict[str, object]  # the options of a run, as JSON values
COMMAND_NAMES = {"days", "until", "rows"}
STATE_TABLES = ("users", "models")  # what the next day derives from


@dataclass(frozen=True)
class Chain:
    """A data set with its ticks: the folders that hold its parts, oldest first, and where the next tick stands."""

    arguments: Arguments
    first_tick: date
    parts: list[tuple[Path, dict[str, TableFile]]]
    data_sha256: str

    @property
    def sequence(self) -> int:
        """Return the number of the next tick, the first being 1."""
        return len(self.parts)

    @property
    def next_day(self) -> date:
        """Return the day of the next tick."""
        return self.first_tick + timedelta(days=len(self.parts) - 1)


def read_chain(folder: Path) -> Chain:
    """Return the data set in `folder` with its ticks.

    Files that the next day derives from are held to their checksums, the others to their sizes (a base of ten million
    requests is a gigabyte). Raises GenerationError for the first gap in the chain, or naming all files that differ.
    """
    content = read_manifest(folder)
    if content is None:
        raise _refusal(f"a data set with {MANIFEST_NAME}", "none", folder, "generate it first: see --help")
    arguments, tables = _checked_manifest(folder, content)
    last = date.fromisoformat(arguments.start) + timedelta(days=arguments.days - 1)
    parts, identity = [(folder, tables)], data_sha256(tables)
    for tick in tick_folders(folder):
        day = (last + timedelta(days=len(parts))).isoformat()
        tables = _tick_tables(tick, {"day": day, "sequence": len(parts), "previous_sha256": identity})
        parts.append((tick, tables))
        identity = data_sha256(tables, identity)
    _verify_files(parts)
    return Chain(arguments, last + timedelta(days=1), parts, identity)


def tick_folders(folder: Path) -> list[Path]:
    """Return the folders in DIR/ticks, oldest first; hidden ones are not yet ticks."""
    ticks = folder / TICKS_NAME
    return (
        sorted(path for path in ticks.iterdir() if path.is_dir() and not path.name.startswith("."))
        if ticks.is_dir()
        else []
    )


def drop_ticks_of_another_set(folder: Path, base_sha256: str) -> None:
    """Remove the ticks in `folder`, newest first, unless they continue the data set that is about to be there."""
    finish_publishing(folder)
    ticks = tick_folders(folder)
    manifests = [read_manifest(tick) or {} for tick in ticks]
    if ticks and manifests[0].get("previous_sha256") != base_sha256:
        partial = folder / TICKS_NAME / PARTIAL_NAME
        for tick, manifest in zip(reversed(ticks), reversed(manifests), strict=True):
            if "previous_sha256" in manifest:  # ours
                shutil.rmtree(partial, ignore_errors=True)
                tick.replace(partial)
        shutil.rmtree(partial, ignore_errors=True)


def pending_folder(folder: Path) -> Path:
    """Return a new hidden folder for ticks that are being written."""
    pending = folder / TICKS_NAME / PARTIAL_NAME
    shutil.rmtree(pending, ignore_errors=True)  # of a run that was killed before its ticks were whole
    pending.mkdir(parents=True)
    return pending


def publish_ticks(folder: Path, command: Command) -> None:
    """Rename all ticks of the hidden folder into place; once this has begun, a killed run is finished by the next."""
    pending = folder / TICKS_NAME / PARTIAL_NAME
    draft = pending / f"{COMPLETE_NAME}.new"
    draft.write_text(json.dumps(command), encoding="utf-8")
    draft.replace(pending / COMPLETE_NAME)
    finish_publishing(folder)


def finish_publishing(folder: Path) -> Command | None:
    """Rename what a run that had begun to publish left in the hidden folder; return its command, None without one."""
    pending = folder / TICKS_NAME / PARTIAL_NAME
    command = _noted_command(pending / COMPLETE_NAME)
    if command is None:
        return None
    for tick in sorted(path for path in pending.iterdir() if path.is_dir()):
        tick.replace(folder / TICKS_NAME / tick.name)
    (pending / COMPLETE_NAME).unlink()
    shutil.rmtree(pending)
    return command


def _noted_command(file: Path) -> Command | None:
    """Return the command that a killed run noted in `file`, None without one. Raises GenerationError for no such note.

    A power cut can leave it empty, and then what lies beside it as well: those ticks are made again, not published.
    """
    try:
        command = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        command = error
    if isinstance(command, dict) and command.keys() == COMMAND_NAMES:
        return command
    found = " ".join(f"{command}".split())[:80] or "nothing"
    expected = "the note of a run that was killed while it published its days"
    raise _refusal(expected, found, file, f"remove the folder {file.parent}, its days are made again")


def _tick_tables(tick: Path, place: dict[str, object]) -> dict[str, TableFile]:
    """Return the files of a tick by table; raises GenerationError unless it stands at `place`."""
    if tick.name != place["day"]:
        advice = "restore the missing folder or remove the later ones"
        raise _refusal(f"the tick {place['day']} next", tick.name, tick, advice)
    content = read_manifest(tick) or {}
    _, tables = _checked_manifest(tick, content)
    differing = [name for name in place if content.get(name) != place[name]]
    if differing:
        expected = "; ".join(f"{name} {place[name]}" for name in differing)
        found = "; ".join(str(content.get(name)) for name in differing)
        advice = "it continues other data: remove it and the ticks after it"
        raise _refusal(expected, found, tick / MANIFEST_NAME, advice)
    return tables


def _checked_manifest(folder: Path, content: dict[str, object]) -> tuple[Arguments, dict[str, TableFile]]:
    try:
        if (content.get("format"), content.get("source")) != (MANIFEST_FORMAT, SOURCE):
            raise ValueError(f"format {content.get('format')} of {content.get('source')}")
        tables = listed_tables(content)
        if absent := sorted(DAILY_TABLES - tables.keys()):
            raise ValueError(f"no file of {', '.join(absent)}")
        return listed_arguments(content), tables
    except ValueError as error:
        expected = f"a manifest of format {MANIFEST_FORMAT}"
        raise _refusal(expected, str(error), folder / MANIFEST_NAME, "generate the data set again") from None


def _verify_files(parts: list[tuple[Path, dict[str, TableFile]]]) -> None:
    differing = []
    for folder, tables in parts:
        for name, table in tables.items():
            path = folder / table.file
            try:
                is_same = has_checksum(path, table) if name in STATE_TABLES else path.stat().st_size == table.bytes
            except OSError:
                is_same = False
            if not is_same:
                differing.append(str(path))
    if differing:
        raise _refusal("files as their manifests list them", "others", ", ".join(differing), "restore them")


def _refusal(expected: str, found: str, where: Path | str, advice: str) -> GenerationError:
    return GenerationError(f"cannot continue the data set: expected {expected}, found {found} in {where}; {advice}")
