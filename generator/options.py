"""The generator's command line: words to a checked job. Standard library only."""

import argparse
import os
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from generator.manifest import MOST_DAYS, Arguments

LAST_DAY = date(2025, 12, 31)  # of the default window
EARLIEST_START, LATEST_END = date(1973, 1, 1), date(2100, 12, 31)  # sign-ups reach back three years, ids to 1970
FORMATS = ("csv", "parquet")
DEFAULT_OUT = Path(".data/generated")
DESCRIPTION = "Write a seeded synthetic data set: users, models, endpoints, dates, api_requests and manifest.json."
EPILOG = """examples:
  python generator/generate_data.py --seed 42 --rows 500000
  python generator/generate_data.py --rows 5_000_000 --days 730 --out /tmp/big --format parquet
  python generator/generate_data.py --continue .data/generated --days 3
  python generator/generate_data.py --continue .data/generated --until 2026-01-31 --rows 10_000
  python generator/generate_data.py --describe > distributions.json

Same seed, rows, start, days, users and format: the same bytes, on any machine, whatever --workers and --chunk-rows.
A run whose files are already there, with the right checksums and from the same generator, writes nothing.
--continue appends days to a data set, each in a folder of its own (DIR/ticks/2026-01-01) with the users and models that
changed; earlier files are not touched, and three runs of one day write what one run of three writes. To be sure of the
same result however often it runs, say --until; or --goal FILE, which holds the day to reach until you remove FILE.
Exit status: 0 done or up to date, 1 failed (the folder shows what it showed before), 2 wrong arguments."""


@dataclass(frozen=True)
class Number:
    """A whole-number option, its default and its range."""

    option: str
    default: int
    low: int
    high: int
    help: str


NUMBERS = (
    Number("seed", 42, 0, 2**63 - 1, "what every draw derives from"),
    Number("rows", 500_000, 1, 10_000_000_000, "number of API requests"),
    Number("days", 365, 1, MOST_DAYS, "calendar days that the requests fall on"),
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


@dataclass(frozen=True)
class Continuation:
    """A checked command line with --continue; of `days` and `until` one is given, `rows` are those of each day."""

    folder: Path
    days: int | None
    until: date | None
    rows: int | None
    workers: int
    chunk_rows: int
    goal: Path | None = None


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser; ranges are checked by `checked_job`, all at once."""
    parser = argparse.ArgumentParser(
        prog="generate_data.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for number in NUMBERS:
        shown = "" if number.option == "workers" else f" (default {number.default:,})"
        parser.add_argument(f"--{number.option}", metavar="N", help=f"{number.help}{shown}")
    parser.add_argument(
        "--start", metavar="DATE", help=f"first day, YYYY-MM-DD (default: so that the last is {LAST_DAY})"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help=f"folder to write to (default {DEFAULT_OUT})",
    )
    parser.add_argument("--format", metavar="csv|parquet", help="of all five tables (default csv)")
    parser.add_argument("--force", action="store_true", help="write even what is up to date or not ours")
    parser.add_argument(
        "--continue",
        dest="continued",
        metavar="DIR",
        type=Path,
        help="append days to the data set in DIR: --days N (default 1) or --until DATE; --rows N is then per day",
    )
    parser.add_argument(
        "--until", metavar="DATE", help="with --continue: append the days that are missing up to this one"
    )
    parser.add_argument(
        "--goal",
        metavar="FILE",
        type=Path,
        help="with --continue: note the day to reach in FILE, or reach the one noted there: a repeat adds no more days",
    )
    parser.add_argument("--describe", action="store_true", help="print how each column is drawn, as JSON, and exit")
    return parser


def checked_job(options: argparse.Namespace) -> tuple[Job | None, list[str]]:
    """Return the job that `options` ask for, or None and all that is wrong with them."""
    numbers, problems = _checked_numbers(options)
    data_format = options.format or FORMATS[0]
    if data_format not in FORMATS:
        problems.append(f"expected {' or '.join(FORMATS)}, found {data_format!r} in --format")
    start = _checked_date("start", options.start, problems)
    problems += [
        f"expected --continue DIR with --{name}, found none"
        for name in ("until", "goal")
        if getattr(options, name) is not None
    ]
    if problems:
        return None, problems
    days = numbers["days"]
    start = start or LAST_DAY - timedelta(days=days - 1)
    if not EARLIEST_START <= start <= LATEST_END - timedelta(days=days - 1):
        window = f"{days:,} days from {start}"
        return None, [f"expected days from {EARLIEST_START} to {LATEST_END}, found {window} in --start and --days"]
    arguments = Arguments(numbers["seed"], numbers["rows"], start.isoformat(), days, numbers["users"], data_format)
    return Job(arguments, options.out or DEFAULT_OUT, numbers["workers"], numbers["chunk-rows"], options.force), []


def checked_continuation(options: argparse.Namespace) -> tuple[Continuation | None, list[str]]:
    """Return the continuation that `options` ask for, or None and all that is wrong with them."""
    numbers, problems = _checked_numbers(options)
    until = _checked_date("until", options.until, problems)
    fixed = [f"--{name}" for name in ("seed", "users", "start", "out", "format") if getattr(options, name) is not None]
    fixed += ["--force"] * options.force
    if fixed:
        problems.append(f"expected what the data set has, found {', '.join(fixed)} with --continue")
    if options.until is not None and options.days is not None:
        problems.append("expected one of --days and --until, found both")
    if problems:
        return None, problems
    days = None if until else (1 if options.days is None else numbers["days"])
    rows = None if options.rows is None else numbers["rows"]
    work = numbers["workers"], numbers["chunk-rows"]
    return Continuation(options.continued, days, until, rows, *work, goal=options.goal), []


def _checked_numbers(options: argparse.Namespace) -> tuple[dict[str, int], list[str]]:
    """Return the whole-number options, defaults filled in, and what is wrong with them."""
    numbers, problems = {}, []
    for number in NUMBERS:
        text = getattr(options, number.option.replace("-", "_"))
        value = number.default if text is None else _whole_number(text)
        if isinstance(value, int) and number.low <= value <= number.high:
            numbers[number.option] = value
        else:
            problems.append(
                f"expected a whole number from {number.low:,} to {number.high:,}, found {value!r} in --{number.option}"
            )
    return numbers, problems


def _checked_date(option: str, text: str | None, problems: list[str]) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        problems.append(f"expected a date YYYY-MM-DD, found {text!r} in --{option}")
        return None


def _whole_number(text: str) -> int | str:
    """Return the number that `text` writes, or `text` itself where it is none."""
    try:
        return int(text)
    except ValueError:
        return text
