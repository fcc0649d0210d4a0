"""The manifest of a generated data set: read it, and hold the files to it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from loader.errors import LoadError, one_line
from loader.files import InputFile, read_small_file, reading
from loader.json_depth import nesting_depth
from loader.kinds import FIRST_YEAR, LAST_YEAR
from loader.window import Window, day_window, set_window

FILE_NAME = "manifest.json"
SOURCE = "synthetic"
TABLE_NAMES = ("users", "models", "endpoints", "dates", "api_requests")
DAILY_TABLE_NAMES = ("users", "models", "dates", "api_requests")
TICKS_NAME = "ticks"
MOST_DAYS = 7_305
"""Twenty years: a fact has a partition for each month, and a build holds a lock on all of them."""
_NEXT = "generate the set again"
_LIMIT_BYTES, _DEPTH_LIMIT, _SHOWN_CHARACTERS = 2**20, 20, 200


@dataclass(frozen=True)
class TableFile:
    """One file of the set and what the manifest says of it."""

    file: InputFile
    rows: int
    bytes: int
    sha256: str

    @property
    def path(self) -> Path:
        """Return where the file is."""
        return self.file.path

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
    """A data set, or a tick of one: where it is, the digest of its manifest, and a file for each table.

    Its requests fall into `window`; None where the manifest does not name its days.
    """

    directory: Path
    sha256: str
    arguments: dict[str, Any]
    tables: dict[str, TableFile]
    place: Place | None = None
    window: Window | None = None

    @property
    def files(self) -> tuple[InputFile, ...]:
        """Return the files of all tables."""
        return tuple(table.file for table in self.tables.values())

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
    octets = read_small_file(path, _LIMIT_BYTES)
    try:
        content = _parsed(octets)
        place = _place(content) if "day" in content else None
        tables = _tables(directory, content, DAILY_TABLE_NAMES if place else TABLE_NAMES)
        arguments = _object(content["arguments"], "'arguments'")
        window = day_window(place.day) if place else _window(arguments)
        return Manifest(directory, hashlib.sha256(octets).hexdigest(), arguments, tables, place, window)
    except (ValueError, KeyError) as error:
        cause = f"no entry {error}" if isinstance(error, KeyError) else one_line(error)[:_SHOWN_CHARACTERS]
        raise LoadError(f"expected a manifest of format 1 in {path}, found {cause}; {_NEXT}") from None


def _parsed(octets: bytes) -> dict[str, Any]:
    """Return the JSON object in `octets`; raises ValueError where it is none that PostgreSQL could store as well."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name}, which is no JSON")

    text = octets.decode("utf-8")
    if (depth := nesting_depth(text)) > _DEPTH_LIMIT:
        raise ValueError(f"JSON nested {depth:,} deep")
    content = json.loads(text, parse_constant=refuse)
    json.dumps(content, ensure_ascii=False, allow_nan=False).encode()  # a lone surrogate, a number beyond the doubles
    if "\\u0000" in text and "\0" in "".join(_strings(content)):
        raise ValueError("a NUL character")
    return _object(content, "the whole")


def _strings(content: Any) -> Iterator[str]:
    """Yield every name and text in parsed JSON."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for name, value in content.items():
            yield name
            yield from _strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _strings(value)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} instead of an object as {name}")
    return value


def _count(entry: dict[str, Any], name: str) -> int:
    value = entry[name]
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{value!r:.40} instead of a count as {name!r}")
    return value


def _digest(entry: dict[str, Any], name: str) -> str:
    value = entry[name]
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError(f"{value!r:.40} instead of 64 hexadecimal digits as {name!r}")
    return value


def _place(content: dict[str, Any]) -> Place:
    return Place(_day(content, "day"), _count(content, "sequence"), _digest(content, "previous_sha256"))


def _day(entry: dict[str, Any], name: str) -> date:
    day = entry[name]
    if not isinstance(day, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        raise ValueError(f"{day!r:.40} instead of a day such as 2025-12-31")
    found = date.fromisoformat(day)
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(f"the {name} {day} instead of one from {FIRST_YEAR} to {LAST_YEAR}")
    return found


def _window(arguments: dict[str, Any]) -> Window | None:
    if "start" not in arguments:
        return None
    days = _count(arguments, "days")
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"{days:,} days instead of 1 to {MOST_DAYS:,}")
    return set_window(_day(arguments, "start"), days)


def _tables(directory: Path, content: dict[str, Any], names: Sequence[str]) -> dict[str, TableFile]:
    """Return the table files of parsed JSON; raises KeyError or ValueError where it is no such manifest."""
    if content["format"] != 1 or content["source"] != SOURCE:
        raise ValueError(f"format {content['format']!r:.40} and source {content['source']!r:.40}")
    tables, listed = {}, _object(content["tables"], "'tables'")
    for name in names:
        entry = _object(listed[name], repr(name))
        file = entry["file"]
        if not isinstance(file, str) or file in ("", "..") or Path(file).name != file:
            raise ValueError(f"the path {file!r:.80} instead of a plain file name")
        counts = _count(entry, "rows"), _count(entry, "bytes")
        tables[name] = TableFile(InputFile(directory / file), *counts, _digest(entry, "sha256"))
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
            table.file.check_is_text()
        with reading(table.path):
            size = table.path.stat().st_size
        if size != table.bytes:
            return f"expected {table.bytes:,} bytes as in {FILE_NAME}, found {size:,} in {table.path}"
        if by_size:
            return None
        digest = table.file.sha256
    except LoadError as error:
        return str(error)
    if digest != table.sha256:
        return f"expected sha256 {table.sha256[:12]}... as in {FILE_NAME}, found {digest[:12]}... in {table.path}"
    return None
