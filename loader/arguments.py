"""The loader's command line: words to checked options."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from loader.kinds import FIRST_YEAR, LAST_YEAR
from loader.load import Policy
from loader.manifest import SOURCE
from loader.sources import FORMATS, FORMATS_WITHOUT_CALENDAR

_EXAMPLES = """\
examples:
  python -m loader load .data/generated
  python -m loader append .data/generated/ticks/2026-01-01
  python -m loader import --from azure-llm AzureLLMInferenceTrace_code.csv
  python -m loader import --from azure-llm --source azure-llm-conv AzureLLMInferenceTrace_conv.csv
  python -m loader import --from litellm --add spend-2026-11-20.csv
  python -m loader import --from burstgpt --epoch 2023-03-06T00:00:00Z BurstGPT_1.csv
  python -m loader remove synthetic
  python -m loader status

A load replaces its own source, whole or not at all, and leaves every other alone; --add keeps what the source holds
and brings the requests that are not there yet. The load of a generated set appends its ticks (days added with
--continue) as well, each whole or not at all, and only those that are not there yet. Rows that do not fit are in
raw_staging.rejected_rows with file, line and reason; so are a log's requests before 2020 or after tomorrow. The server
is the one that PGHOST and the other libpq variables name, else the embedded one.
"""


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    """Return the options of one command; prints help or exits with status 2 on misuse."""
    parser = argparse.ArgumentParser(
        prog="python -m loader",
        description="Load generated data sets and real request logs into raw_staging.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    load = commands.add_parser("load", help="load a generated data set (a folder with manifest.json) and its ticks")
    load.add_argument("directory", type=_path, metavar="DIR", help="the folder generate_data.py wrote")
    log = commands.add_parser(
        "import",
        help="load a real log (one file)",
        epilog="formats:\n" + "\n".join(f"  {name:<12}{text}" for name, text in FORMATS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    log.add_argument("file", type=_path, metavar="FILE", help="the log")
    log.add_argument("--from", dest="format", required=True, choices=FORMATS, help="the log's format")
    log.add_argument("--source", type=_source, metavar="NAME", help="what to call it (default: the format's name)")
    log.add_argument("--add", action="store_true", help="add to what the source holds instead of replacing it")
    log.add_argument("--epoch", type=_instant, metavar="TIME", help="when the log's clock was 0, if it has no calendar")
    removal = commands.add_parser("remove", help="take a source out again, whole; dbt-build takes it out of the models")
    removal.add_argument("source", metavar="SOURCE", help="its name as `status` shows it")
    for command in (load, log):
        command.add_argument("--force", action="store_true", help="load even what is up to date")
    for command in (load, log, removal):
        wait = "fail when readers hold the swap back for longer (default: 300)"
        command.add_argument("--swap-wait-s", type=_seconds, default=Policy.swap_wait_s, metavar="SECONDS", help=wait)
    tick = commands.add_parser("append", help="append one tick (a folder DIR/ticks/YYYY-MM-DD) to the loaded data set")
    tick.add_argument("directory", type=_path, metavar="TICK", help="the folder generate_data.py --continue wrote")
    for command in (load, log, tick):
        ratio = "fail beyond this share of rejected rows (default: 0.01)"
        command.add_argument(
            "--max-reject-ratio", type=_ratio, default=Policy.max_reject_ratio, metavar="SHARE", help=ratio
        )
    commands.add_parser("init", help="create or update roles, schemas and raw tables; set the roles' passwords")
    commands.add_parser("status", help="print the latest loads")
    options = parser.parse_args(words)
    if options.command == "import":
        if (options.format in FORMATS_WITHOUT_CALENDAR) != (options.epoch is not None):
            log.error(f"--epoch: expected for {', '.join(FORMATS_WITHOUT_CALENDAR)} and for no other format")
        options.source = options.source or options.format
    return options


def _path(text: str) -> Path:
    if not text:  # Path("") is the folder we are in
        raise argparse.ArgumentTypeError("expected a path, found an empty text; name the file or folder (make: FILE=)")
    return Path(text)


def _source(text: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", text) or len(text) > 32 or text == SOURCE:
        raise argparse.ArgumentTypeError(
            f"expected up to 32 small letters, digits and single dashes, other than {SOURCE}, found {text!r}"
        )
    return text


def _ratio(text: str) -> float:
    return _number(text, 1)


def _seconds(text: str) -> float:
    return _number(text, 86_400)


def _number(text: str, high: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= high:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {high}, found {text!r}")
    return number


def _instant(text: str) -> datetime:
    problem = argparse.ArgumentTypeError(
        f"expected a time from {FIRST_YEAR} to {LAST_YEAR} such as 2023-03-06T00:00:00Z, found {text!r}"
    )
    try:
        instant = datetime.fromisoformat(text)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # of a zone at the ends of the calendar
        raise problem from None
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise problem
    return instant
