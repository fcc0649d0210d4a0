"""Write a seeded synthetic data set: users, models, endpoints, dates, api_requests and manifest.json."""

import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

if __package__ in (None, ""):  # run as a script: find the package, and let none of its modules shadow another
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from generator.folder import GenerationError, held_for_writing
from generator.goal import towards_goal
from generator.manifest import MANIFEST_NAME, MOST_DAYS, PARTIAL_NAME, TableFile, is_up_to_date, listed_files
from generator.options import LATEST_END, Continuation, Job, build_parser, checked_continuation, checked_job
from generator.ticks import Chain, Command, finish_publishing, read_chain, tick_folders
from warehouse.unexpected import guarded

# NumPy, Arrow, Faker and tqdm are imported where they are needed: an up-to-date data set is found without them.

TABLES = ("users", "models", "endpoints", "dates", "api_requests")


def run(job: Job) -> str:
    """Write what is missing and return the summary line. Raises GenerationError."""
    began = time.monotonic()
    with held_for_writing(job.out, "choose another --out", is_created=True):
        if not job.force and is_up_to_date(job.out, job.arguments):
            return f"up to date: {job.arguments.rows:,} requests in {job.out} (checksums verified); --force rewrites"
        _refuse_foreign_files(job)
        ticks_before = len(tick_folders(job.out))
        tables = _write(job)
        dropped = ticks_before - len(tick_folders(job.out))
    counts = ", ".join(f"{table.rows:,} {name}" for name, table in tables.items())
    megabytes = sum(table.bytes for table in tables.values()) / 1e6
    removed = f"; removed the {dropped:,} ticks of the data set before" if dropped else ""
    return f"wrote {counts} to {job.out} ({megabytes:,.1f} MB) in {time.monotonic() - began:.1f} s{removed}"


def run_continuation(job: Continuation) -> str:
    """Append the days asked for and return the summary line. Raises GenerationError."""
    began = time.monotonic()
    command: Command = {"days": job.days, "until": job.until and job.until.isoformat(), "rows": job.rows}
    with held_for_writing(job.folder, "continue a data set elsewhere"):
        finished = finish_publishing(job.folder)
        chain = read_chain(job.folder)
        last = chain.next_day - timedelta(days=1)
        if finished == command and job.goal is None:
            return f"finished what a killed run of this command had written: {job.folder} reaches {last}"
        first = date.fromisoformat(chain.arguments.start)
        days_to_write(job, first, last)  # before a goal is noted that cannot be reached
        if job.goal is not None:
            job = towards_goal(job, job.goal, last)
        count = days_to_write(job, first, last)
        if count <= 0:
            return f"up to date: {job.folder} reaches {last}"
        ticks = _write_ticks(job, chain, count, command)
    rows = {table: sum(tick[table].rows for tick in ticks) for table in ("api_requests", "users", "models")}
    days = f"{chain.next_day}" + (f" to {last + timedelta(days=count)}" if count > 1 else "")
    return (
        f"appended {days}: {rows['api_requests']:,} api_requests, {rows['users']:,} changed or new users, "
        f"{rows['models']:,} changed models, in {job.folder}/ticks in {time.monotonic() - began:.1f} s"
    )


def days_to_write(job: Continuation, first: date, last: date) -> int:
    """Return how many days after `last` the job asks for.

    Raises GenerationError for days beyond the calendar, or beyond the longest set that begins on `first`.
    """
    count = (job.days or 0) if job.until is None else (job.until - last).days
    end = min(LATEST_END, first + timedelta(days=MOST_DAYS - 1))
    if count > (end - last).days:
        option = "--days" if job.until is None else "--until"
        raise GenerationError(
            f"cannot continue the data set: expected days up to {end}, found {count:,} days after {last} in "
            f"{option}; ask for fewer"
        )
    return count


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
    job, problems = (checked_job if options.continued is None else checked_continuation)(options)
    if job is None:
        print(f"generate_data: wrong arguments: {'; '.join(problems)}; see --help", file=sys.stderr)
        return 2
    try:
        summary = run(job) if isinstance(job, Job) else run_continuation(job)
    except GenerationError as error:
        print(f"generate_data: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        folder = job.out if isinstance(job, Job) else job.folder
        print(f"generate_data: interrupted; {folder} shows what it showed before", file=sys.stderr)
        return 130
    print(f"generate_data: {summary}", file=sys.stderr)
    return 0


def _write(job: Job) -> dict[str, TableFile]:
    """Write the data set, with a progress bar on a terminal once it takes over two seconds."""
    from tqdm import tqdm

    from generator.writer import Work, write_data_set

    with tqdm(total=job.arguments.rows, unit=" rows", unit_scale=True, disable=None, delay=2, leave=False) as bar:
        return write_data_set(job.out, job.arguments, Work(job.workers, job.chunk_rows), bar.update)


def _write_ticks(job: Continuation, chain: Chain, count: int, command: Command) -> list[dict[str, TableFile]]:
    """Write `count` ticks, with a progress bar on a terminal once it takes over two seconds."""
    from tqdm import tqdm

    from generator.continuation import row_counts, write_ticks
    from generator.writer import Work

    counts = row_counts(chain, count, job.rows)
    with tqdm(total=sum(counts), unit=" rows", unit_scale=True, disable=None, delay=2, leave=False) as bar:
        return write_ticks(job.folder, chain, counts, command, Work(job.workers, job.chunk_rows), bar.update)


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
    sys.exit(guarded(main, "generate"))
