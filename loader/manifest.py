"""The manifest of a generated data set: read it, and hold the files to it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.errors import LoadError
from loader.files import check_is_text, open_file, sha256_of

FILE_NAME = "manifest.json"
SOURCE = "synthetic"
TABLE_NAMES = ("users", "models", "endpoints", "dates", "api_requests")
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
class Manifest:
    """A data set: where it is, the digest of its manifest, and a file for each table."""

    directory: Path
    sha256: str
    arguments: dict[str, Any]
    tables: dict[str, TableFile]

    @property
    def data_sha256(self) -> str:
        """Return the identity of the data, whatever version of the generator wrote it."""
        lines = [f"{name} {file.sha256}\n" for name, file in sorted(self.tables.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest in `directory`; raises LoadError where it is missing, damaged or of another format."""
    if not directory.is_dir():
        raise LoadError(f"expected a folder with a data set, found no folder {directory}; generate one first")
    path = directory / FILE_NAME
    if not path.exists():
        raise LoadError(f"expected {FILE_NAME} in {directory}, found none; {_NEXT} (an import takes a single file)")
    with open_file(path) as file:
        octets = file.read()
    try:
        content = json.loads(octets)
        return Manifest(
            directory, hashlib.sha256(octets).hexdigest(), content["arguments"], _tables(directory, content)
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"no entry {error}" if isinstance(error, KeyError) else error
        raise LoadError(f"expected a manifest of format 1 in {path}, found {cause}; {_NEXT}") from None


def _tables(directory: Path, content: dict[str, Any]) -> dict[str, TableFile]:
    """Return the table files of parsed JSON; raises KeyError, TypeError or ValueError where it is no such manifest."""
    if content["format"] != 1 or content["source"] != SOURCE:
        raise ValueError(f"format {content['format']!r} and source {content['source']!r}")
    tables = {}
    for name in TABLE_NAMES:
        entry = content["tables"][name]
        file = str(entry["file"])
        if Path(file).name != file:
            raise ValueError(f"the path {file!r} instead of a plain file name")
        tables[name] = TableFile(directory / file, int(entry["rows"]), int(entry["bytes"]), str(entry["sha256"]))
    return tables


def verify_files(manifest: Manifest) -> None:
    """Raise LoadError naming every file that is missing, is no CSV or differs from the manifest."""
    problems = [problem for name in TABLE_NAMES if (problem := _problem(manifest.tables[name]))]
    if problems:
        raise LoadError(f"{'; '.join(problems)}; {_NEXT}, nothing was loaded")


def _problem(table: TableFile) -> str | None:
    try:
        if not table.is_parquet:
            check_is_text(table.path)
        size = table.path.stat().st_size
        if size != table.bytes:
            return f"expected {table.bytes:,} bytes as in {FILE_NAME}, found {size:,} in {table.path}"
        digest = sha256_of(table.path)
    except LoadError as error:
        return str(error)
    if digest != table.sha256:
        return f"expected sha256 {table.sha256[:12]}... as in {FILE_NAME}, found {digest[:12]}... in {table.path}"
    return None
