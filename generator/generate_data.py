"""Write a seeded synthetic data set: users, models, endpoints, dates, api_requests and manifest.json."""

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

if __package__ in (None, ""):  # run as a script: find the package, and let none of its modules shadow another
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from generator.manifest import MANIFEST_NAME, PARTIAL_NAME, Arguments, TableFile, is_up_to_date, listed_files

# NumPy, Arrow, Faker and tqdm are imported where they are needed: an up-to-date data set is found without them.

LAST_DAY = date(2025, 12, 31)  # of the default window
EARLIEST_START, LATEST_END = date(1973, 1, 1), date(2100, 12, 31)  # sign-ups reach back three years, ids to 1970
FORMATS = ("csv", "parquet")
TABLES = ("users", "models", "endpoints", "dates", "api_requests")
EPILOG = """examples:
  python generator/generate_data.py --seed 42 --rows 500000
  python generator/generate_data.py --rows 5_000_000 --days 730 --out /tmp/big --format parquet
  python generator/generate_data.py --describe > distributions.json

Same seed, rows, start, days, users and format: the same bytes, on any machine, whatever --workers and --chunk-rows.
A run whose files are already there, with the right checksums and from the same generator, writes nothing.
Exit status: 0 done or up to date, 1 failed (the folder shows what it showed before), 2 wrong arguments."""


class GenerationError(Exception):
    """A failure to report in one line; nothing half-written is visible."""


@dataclass(frozen=True)
class Number:
    """A whole-number option, its default and its range."""

    option: str
    default: int
    low: int
    high: int
    help: str

    def holds(self, value: int | str) -> bool:
        """Say whether `value` is a number in the range."""
        return isinstance(value, int) and self.low <= value <= self.high


NUMBERS = (
    Number("seed", 42, 0, 2**63 - 1, "what every draw derives from"),
    Number("rows", 500_000, 1, 10_000_000_000, "number of API requests"),
    Number("days", 365, 1, 46_751, "calendar days that the requests fall on"),
    Number("users", 2_000, 1, 500_000, "number of users; about 15 companies per 100"),
    Number(
        "workers", min(os.cpu_count() or 1, 8), 1, 256, "threads that draw and format; default: the CPUs, at most 8"
    ),
    Number(
        "chunk-rows", 65_536, 1, 1_000_000_000, "requests that a worker prepares at a time (memory against overhead)"
    ),
)


@dataclass(frozen=True)
class Job:
    """A checked command line."""

    arguments: Arguments
    out: Path
    workers: int
    chunk_rows: int
    force: bool


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser; ranges are checked by `checked_job`, all at once."""
    parser = argparse.ArgumentParser(
        prog="generate_data.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for number in NUMBERS:
        shown = "" if number.option == "workers" else f" (default {number.default:,})"
        parser.add_argument(
            f"--{number.option}", metavar="N", default=str(number.default), help=f"{number.help}{shown}"
        )
    parser.add_argument(
        "--start", metavar="DATE", help=f"first day, YYYY-MM-DD (default: so that the last is {LAST_DAY})"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path(".data/generated"),
        help="folder to write to (default %(default)s)",
    )
    parser.add_argument("--format", metavar="csv|parquet", default="csv", help="of all five tables (default csv)")
    parser.add_argument("--force", action="store_true", help="write even what is up to date or not ours")
    parser.add_argument("--describe", action="store_true", help="print how each column is drawn, as JSON, and exit")
    return parser


def checked_job(options: argparse.Namespace) -> tuple[Job | None, list[str]]:
    """Return the job that `options` ask for, or None and all that is wrong with them."""
    values = {number.option: _whole_number(getattr(options, number.option.replace("-", "_"))) for number in NUMBERS}
    problems = [
        f"expected a whole number from {number.low:,} to {number.high:,}, found {values[number.option]!r}"
        f" in --{number.option}"
        for number in NUMBERS
        if not number.holds(values[number.option])
    ]
    if options.format not in FORMATS:
        problems.append(f"expected {' or '.join(FORMATS)}, found {options.format!r} in --format")
    start = None
    try:
        start = None if options.start is None else date.fromisoformat(options.start)
    except ValueError:
        problems.append(f"expected a date YYYY-MM-DD, found {options.start!r} in --start")
    if problems:
        return None, problems
    numbers = {option: int(value) for option, value in values.items()}
    days = numbers["days"]
    start = start or LAST_DAY - timedelta(days=days - 1)
    if not EARLIEST_START <= start <= LATEST_END - timedelta(days=days - 1):
        window = f"{days:,} days from {start}"
        return None, [f"expected days from {EARLIEST_START} to {LATEST_END}, found {window} in --start and --days"]
    arguments = Arguments(numbers["seed"], numbers["rows"], start.isoformat(), days, numbers["users"], options.format)
    return Job(arguments, options.out, numbers["workers"], numbers["chunk-rows"], options.force), []


def run(job: Job) -> str:
    """Write what is missing and return the summary line. Raises GenerationError."""
    began = time.monotonic()
    try:
        job.out.mkdir(parents=True, exist_ok=True)
        with _locked(job.out):
            if not job.force and is_up_to_date(job.out, job.arguments):
                return (
                    f"up to date: {job.arguments.rows:,} requests in {job.out} (checksums verified); --force rewrites"
                )
            _refuse_foreign_files(job)
            tables = _write(job)
    except OSError as error:
        expected = "a folder that can be written and room for the files"
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        found = "a file" if in_the_way else f"'{error.strerror or error}'"
        where = error.filename or job.out
        raise GenerationError(
            f"cannot write the data set: expected {expected}, found {found} at {where}; "
            "free space or choose another --out"
        ) from error
    counts = ", ".join(f"{table.rows:,} {name}" for name, table in tables.items())
    megabytes = sum(table.bytes for table in tables.values()) / 1e6
    return f"wrote {counts} to {job.out} ({megabytes:,.1f} MB) in {time.monotonic() - began:.1f} s"


def describe() -> str:
    """Return how each column is drawn: a JSON list with parameters, reason and curve of each."""
    from generator.distributions import COLUMN_DISTRIBUTIONS, description

    return json.dumps([description(column) for column in COLUMN_DISTRIBUTIONS], indent=2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = build_parser().parse_args(argv)
    if options.describe:
        try:
            print(describe(), flush=True)
        except BrokenPipeError:  # `| head` has read enough; Python's own flush at exit must not complain either
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    job, problems = checked_job(options)
    if job is None:
        print(f"generate_data: wrong arguments: {'; '.join(problems)}; see --help", file=sys.stderr)
        return 2
    try:
        summary = run(job)
    except GenerationError as error:
        print(f"generate_data: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"generate_data: interrupted; {job.out} shows what it showed before", file=sys.stderr)
        return 130
    print(f"generate_data: {summary}", file=sys.stderr)
    return 0


def _whole_number(text: str) -> int | str:
    """Return the number that `text` writes, or `text` itself where it is none."""
    try:
        return int(text)
    except ValueError:
        return text


def _write(job: Job) -> dict[str, TableFile]:
    """Write the data set, with a progress bar on a terminal once it takes over two seconds."""
    from tqdm import tqdm

    from generator.writer import Work, write_data_set

    with tqdm(total=job.arguments.rows, unit=" rows", unit_scale=True, disable=None, delay=2, leave=False) as bar:
        return write_data_set(job.out, job.arguments, Work(job.workers, job.chunk_rows), bar.update)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold `folder` against a second generator; the lock goes with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise GenerationError(
            f"cannot write the data set: expected no other writer, found one at work in {folder}; "
            "wait for it or choose another --out"
        ) from None
    finally:
        os.close(descriptor)


def _refuse_foreign_files(job: Job) -> None:
    """Raise GenerationError if the run would replace files that no generator has listed, somebody's own users.csv."""
    names = {f"{table}.{job.arguments.format}" for table in TABLES}
    foreign = sorted(name for name in names - listed_files(job.out) if (job.out / name).exists())
    if foreign and not job.force and not (job.out / PARTIAL_NAME).exists():  # it exists: our own killed run
        raise GenerationError(
            f"cannot write the data set: expected an empty folder or one with our {MANIFEST_NAME}, "
            f"found {', '.join(foreign)} in {job.out}; choose another --out or replace them with --force"
        )


if __name__ == "__main__":
    sys.exit(main())
