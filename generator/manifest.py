"""Describe a generated data set: its arguments and, for each file, rows, bytes and checksum.

Standard library only, so that finding a data set up to date costs no import of NumPy, Arrow and Faker.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

MANIFEST_NAME = "manifest.json"
PARTIAL_NAME = ".partial"  # a folder that holds files until they are whole
MANIFEST_FORMAT = 1
SOURCE = "synthetic"
MOST_DAYS = 7_305  # twenty years, ticks included, which the loader takes
PROFILE = "default"  # the set of distributions in distributions.py


@dataclass(frozen=True)
class Arguments:
    """What a data set's bytes depend on; `start` is YYYY-MM-DD."""

    seed: int
    rows: int
    start: str
    days: int
    users: int
    format: str
    profile: str = PROFILE


@dataclass(frozen=True)
class TableFile:
    """One written file."""

    file: str
    rows: int
    bytes: int
    sha256: str


def manifest_text(arguments: Arguments, tables: dict[str, TableFile], place: dict[str, object] | None = None) -> str:
    """Return the manifest: sorted keys, final newline, nothing that depends on the time or the machine.

    `place` says of a tick where in the chain it stands: day, sequence and previous_sha256.
    """
    content = (place or {}) | {
        "format": MANIFEST_FORMAT,
        "source": SOURCE,
        "arguments": asdict(arguments),
        "generator_sha256": generator_sha256(),
        "tables": {name: asdict(table) for name, table in tables.items()},
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def data_sha256(tables: dict[str, TableFile], previous_sha256: str = "") -> str:
    """Return the identity of a set's data: of its files and, of a tick, of all the sets before it.

    Version and comments of the generator do not count, so that an edit there does not break a chain of ticks.
    """
    lines = [f"{name} {table.sha256}\n" for name, table in sorted(tables.items())]
    previous = f"previous {previous_sha256}\n" if previous_sha256 else ""
    return hashlib.sha256((previous + "".join(lines)).encode()).hexdigest()


def generator_sha256() -> str:
    """Return a digest of what turns arguments into bytes: this package's sources, line ends aside, and Faker's version.

    NumPy's version is left out: it differs between Python versions in the locked requirements, and the golden test
    proves that the bytes do not.
    """
    digest = hashlib.sha256(f"faker {version('faker')}\n".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(f"{path.name}\n".encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def read_manifest(folder: Path) -> dict[str, object] | None:
    """Return the manifest in `folder`, or None where there is none that can be read."""
    try:
        content = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def is_up_to_date(folder: Path, arguments: Arguments) -> bool:
    """Say whether `folder` holds what `arguments` would write: same manifest, and files with its checksums."""
    content = read_manifest(folder)
    if content is None or content.get("arguments") != asdict(arguments):
        return False
    if content.get("format") != MANIFEST_FORMAT or content.get("generator_sha256") != generator_sha256():
        return False
    try:
        return all(has_checksum(folder / table.file, table) for table in listed_tables(content).values())
    except (OSError, ValueError):
        return False


def listed_tables(content: dict[str, object]) -> dict[str, TableFile]:
    """Return the files of a manifest by table; raises ValueError where it is none of ours."""
    tables = content.get("tables")
    if not isinstance(tables, dict):
        raise ValueError("no list of tables")
    return {name: _table_file(name, entry) for name, entry in tables.items()}


def _table_file(name: str, entry: object) -> TableFile:
    try:
        table = TableFile(**entry)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"no file of {name!r:.40} ({error})") from None
    is_name = isinstance(table.file, str) and table.file not in ("", "..") and table.file.isprintable()
    if not is_name or Path(table.file).name != table.file:
        raise ValueError(f"the path {table.file!r:.80} instead of a plain file name")
    counts_are_whole = all(type(count) is int and 0 <= count < 2**63 for count in (table.rows, table.bytes))
    if not counts_are_whole or not isinstance(table.sha256, str) or not re.fullmatch("[0-9a-f]{64}", table.sha256):
        raise ValueError(f"no counts and checksum of {table.file!r:.80}")
    return table


def listed_arguments(content: dict[str, object]) -> Arguments:
    """Return the arguments of a manifest; raises ValueError where they are none of ours."""
    try:
        arguments = Arguments(**content["arguments"])  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no arguments ({error})") from None
    for name, value in asdict(arguments).items():
        expected = str if name in ("start", "format", "profile") else int
        if type(value) is not expected:
            raise ValueError(f"{value!r:.40} as the argument {name}")
    if not 0 < arguments.days <= MOST_DAYS:
        raise ValueError(f"{arguments.days!r:.40} as the argument days")
    if not 1970 <= date.fromisoformat(arguments.start).year <= 2100:
        raise ValueError(f"the start {arguments.start}")
    return arguments


def listed_files(folder: Path) -> set[str]:
    """Return the names of the data files in `folder`'s manifest; empty where there is none."""
    tables = (read_manifest(folder) or {}).get("tables")
    entries = tables.values() if isinstance(tables, dict) else ()
    names = [str(entry.get("file")) for entry in entries if isinstance(entry, dict)]
    return {name for name in names if Path(name).name == name and Path(name).suffix in (".csv", ".parquet")}


def has_checksum(path: Path, table: TableFile) -> bool:
    """Say whether the file at `path` is the one listed; raises OSError where it cannot be read."""
    if path.stat().st_size != table.bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == table.sha256
