"""The manifest of a generated data set: read it, and hold the files to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from loader.errors import LoadError
from loader.files import check_is_text, open_file, sha256_of

FILE_NAME = "manifest.json"
SOURCE = "synthetic"
TABLE_NAMES = ("users", "models", "endpoints", "dates", "api_requests")
DAILY_TABLE_NAMES = ("users", "models", "dates", "api_requests")
TICKS_NAME = "ticks"
_NEXT = "generate the set again"


@dataclass(frozen=True)
class TableFile:
    """One file of the set and what the manifest says of it."""

    path: Path
    rows: int
    bytes: int
    sha256: str

    @property
    def is_parquet(self) -> bool:
        """Return whether the file is Parquet, judged by its name."""
        return self.path.suffix == ".parquet"


@dataclass(frozen=True)
class Place:
    """Where a tick stands: the day it holds, its number from 1, and the identity of the data before it."""

    day: date
    sequence: int
    previous_sha256: str


@dataclass(frozen=True)
class Manifest:
    """A data set, or a tick of one: where it is, the digest of its manifest, and a file for each table."""

    directory: Path
    sha256: str
    arguments: dict[str, Any]
    tables: dict[str, TableFile]
    place: Place | None = None

    @property
    def data_sha256(self) -> str:
        """Return the identity of the data, of a tick with all before it, whatever version of the generator wrote it."""
        lines = [f"{name} {file.sha256}\n" for name, file in sorted(self.tables.items())]
        previous = [f"previous {self.place.previous_sha256}\n"] if self.place else []
        return hashlib.sha256("".join(previous + lines).encode()).hexdigest()


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of the data set in `directory`.

    Raises LoadError where it is missing, damaged, of another format or of a tick.
    """
    if not directory.is_dir():
        raise LoadError(f"expected a folder with a data set, found no folder {directory}; generate one first")
    manifest = _read(directory)
    if manifest.place is not None:
        raise LoadError(f"expected a data set in {directory}, found the tick {manifest.place.day} of one; append it")
    return manifest


def read_tick(directory: Path) -> Manifest:
    """Return the manifest of the tick in `directory`; raises LoadError as `read_manifest` does."""
    if not directory.is_dir():
        raise LoadError(f"expected a folder with a tick, found no folder {directory}; generate it first")
    manifest = _read(directory)
    if manifest.place is None:
        raise LoadError(f"expected a tick in {directory}, found a whole data set; load it")
    return manifest


def read_ticks(base: Manifest) -> list[Manifest]:
    """Return the ticks beside a data set, oldest first; raises LoadError where one is missing or continues other data.

    A folder whose name starts with a dot is not yet a tick.
    """
    folder = base.directory / TICKS_NAME
    if not folder.is_dir():
        return []
    ticks: list[Manifest] = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        tick = read_tick(path)
        _check_place(tick, ticks[-1] if ticks else base, len(ticks) + 1)
        ticks.append(tick)
    return ticks


def _check_place(tick: Manifest, before: Manifest, sequence: int) -> None:
    place, where = tick.place, f"in {tick.directory}"
    assert place is not None  # noqa: S101 (read_tick)
    if before.place is not None and place.day != before.place.day + timedelta(days=1):
        expected = before.place.day + timedelta(days=1)
        raise LoadError(f"expected the tick {expected} next, found {place.day} {where}; restore the missing tick first")
    if place.sequence != sequence:
        raise LoadError(
            f"expected the tick number {sequence} next, found {place.sequence} {where}; restore the missing ticks first"
        )
    if place.previous_sha256 != before.data_sha256:
        raise LoadError(
            f"expected a tick that continues {before.directory} (sha256 {before.data_sha256[:12]}...), found one that "
            f"continues {place.previous_sha256[:12]}... {where}; remove it and the ticks after it"
        )


def _read(directory: Path) -> Manifest:
    path = directory / FILE_NAME
    if not path.exists():
        raise LoadError(f"expected {FILE_NAME} in {directory}, found none; {_NEXT} (an import takes a single file)")
    with open_file(path) as file:
        octets = file.read()
    try:
        content = json.loads(octets)
        place = _place(content) if "day" in content else None
        tables = _tables(directory, content, DAILY_TABLE_NAMES if place else TABLE_NAMES)
        return Manifest(directory, hashlib.sha256(octets).hexdigest(), content["arguments"], tables, place)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"no entry {error}" if isinstance(error, KeyError) else error
        raise LoadError(f"expected a manifest of format 1 in {path}, found {cause}; {_NEXT}") from None


def _place(content: dict[str, Any]) -> Place:
    return Place(date.fromisoformat(content["day"]), int(content["sequence"]), str(content["previous_sha256"]))


def _tables(directory: Path, content: dict[str, Any], names: Sequence[str]) -> dict[str, TableFile]:
    """Return the table files of parsed JSON; raises KeyError, TypeError or ValueError where it is no such manifest."""
    if content["format"] != 1 or content["source"] != SOURCE:
        raise ValueError(f"format {content['format']!r} and source {content['source']!r}")
    tables = {}
    for name in names:
        entry = content["tables"][name]
        file = str(entry["file"])
        if Path(file).name != file:
            raise ValueError(f"the path {file!r} instead of a plain file name")
        tables[name] = TableFile(directory / file, int(entry["rows"]), int(entry["bytes"]), str(entry["sha256"]))
    return tables


def verify_files(manifest: Manifest, by_size: bool = False) -> None:
    """Raise LoadError naming every file that is missing, is no CSV or differs from the manifest.

    `by_size` spares the checksums: enough for files that have been loaded, whose bytes no longer matter.
    """
    problems = [problem for table in manifest.tables.values() if (problem := _problem(table, by_size))]
    if problems:
        raise LoadError(f"{'; '.join(problems)}; {_NEXT}, nothing was loaded")


def _problem(table: TableFile, by_size: bool) -> str | None:
    try:
        if not table.is_parquet:
            check_is_text(table.path)
        size = table.path.stat().st_size
        if size != table.bytes:
            return f"expected {table.bytes:,} bytes as in {FILE_NAME}, found {size:,} in {table.path}"
        if by_size:
            return None
        digest = sha256_of(table.path)
    except LoadError as error:
        return str(error)
    if digest != table.sha256:
        return f"expected sha256 {table.sha256[:12]}... as in {FILE_NAME}, found {digest[:12]}... in {table.path}"
    return None
