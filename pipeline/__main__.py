"""Command line of the pipeline container: `python -m pipeline run | work | import | schedule | ...`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from pipeline import jobs, steps
from pipeline.jobs import JobError
from pipeline.settings import PipelineError, Settings
from warehouse.connection import WarehouseUnavailable, connect
from warehouse.events import pipeline_run
from warehouse.unexpected import guarded

LOADER_COMMANDS = ("import", "remove", "status")
"""What goes to the loader as it is: `docker compose run --rm pipeline import --from FORMAT /inbox/file`."""
EPILOG = """
examples, each behind `docker compose exec scheduler python -m pipeline`:
  work                                          load the inbox and bring everything up to date now
  daily                                         the whole daily run now: work, retention, backup, freshness
each behind `docker compose run --rm pipeline`:
  import --from azure-llm /inbox/trace.csv      any import of `make import`; --add, --source, --epoch as there
  import --from litellm --add - < spend.csv     the same from standard input (with `run --rm -T`)
  remove synthetic                              take a source out again; `work` takes it off the pages
  status                                        the latest loads
  run --force                                   every step of the start, done or not
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status (0 done, 1 failed, 2 misuse)."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words and words[0] in LOADER_COMMANDS:
            return _prepared(lambda: _load(words))
        options = _parser().parse_args(words)
        return _prepared(lambda: _run(options))
    except subprocess.CalledProcessError as error:
        print(f"pipeline: {' '.join(map(str, error.cmd[:5]))} exited with {error.returncode}", file=sys.stderr)
    except psycopg.Error as error:
        print(f"pipeline: {' '.join(str(error).split())}; check PGHOST, PGUSER and its password file", file=sys.stderr)
    except WarehouseUnavailable as error:
        print(f"pipeline: {error}", file=sys.stderr)
    except (PipelineError, JobError) as error:
        print(error, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline",
        description="Fill the warehouse of the full stack and keep it up to date. The server is the one that libpq's"
        " variables name; PGPASSWORD_FILE names a file with the password.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("roles", help="create roles, databases and raw tables; set passwords (needs a superuser)")
    run = commands.add_parser("run", help="generate, load, model and forecast what is not there yet")
    run.add_argument("--force", action="store_true", help="run every step, done or not")
    commands.add_parser("work", help="load the inbox and bring everything up to date with it")
    commands.add_parser("daily", help="work, whatever is new or not, then retention, backup and the freshness check")
    commands.add_parser("schedule", help="look into the inbox and do the daily run at DAILY_RUN_AT, for ever")
    commands.add_parser("import", help="load a real log: the loader's own command, `import --help` lists the formats")
    commands.add_parser("remove", help="take a source out again: the loader's own command")
    commands.add_parser("status", help="print the latest loads")
    for name, text in STEPS.items():
        commands.add_parser(name, help=text)
    return parser


def _prepared(command: Callable[[], int]) -> int:
    use_password_file()
    steps.wait_for_server()
    return command()


def _run(options: argparse.Namespace) -> int:
    if options.command == "roles":
        from pipeline.roles import create_databases

        create_databases()
        return 0
    settings = Settings.from_environment(os.environ)
    if options.command == "run":
        steps.run_pipeline(settings, force=options.force)
    elif options.command in WHOLE_RUNS:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # its end is recorded, then, too
        with pipeline_run(lambda: connect(autocommit=True), options.command):
            WHOLE_RUNS[options.command](settings)
    elif options.command == "schedule":
        from pipeline.scheduler import run_scheduler

        run_scheduler(settings)
    else:
        print(_step(options.command, settings), file=sys.stderr)
    return 0


WHOLE_RUNS = {"work": steps.run_work, "daily": steps.run_daily}
"""What leaves its start and end in ops.pipeline_events around those of its steps, whoever starts it."""
STEPS = {
    "inbox": "step: import what lies in the inbox",
    "retention": "step: drop what is older than RETENTION_MONTHS",
    "export": "step: write what the site shows",
    "site": "step: wait for the site of the newest export",
    "backup": "step: have both databases dumped",
}


def _step(name: str, settings: Settings) -> str:
    """Do one step of a run in this process; return what was done."""
    if name == "inbox":
        from pipeline.importing import import_inbox  # needs the loader, which a scheduler that sleeps does not

        return import_inbox(settings)
    if name == "retention":
        from pipeline.retention import drop_old_months

        with steps.run_lock(name):
            return drop_old_months(settings)
    if name == "export":
        steps.export_site(settings)
        return "export: done"
    if name == "site":
        job = steps.site_job(settings)
        return f"site: {jobs.wait(job, job.wanted.read_text(encoding='utf-8').strip())}"
    job = steps.backup_job(settings)
    return f"backup: {jobs.wait(job, jobs.ask(job))}"


def _load(words: list[str]) -> int:
    """Run the loader's own command; a file named `-` is standard input."""
    if "-" not in words:
        return subprocess.run([sys.executable, "-m", "loader", *words]).returncode
    folder = Path(os.environ.get("PIPELINE_DATA_DIR") or "/data")
    descriptor, name = tempfile.mkstemp(prefix="stdin-", suffix=".csv", dir=folder)  # not in /tmp, which is memory here
    spool = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            while block := sys.stdin.buffer.read(1 << 20):
                file.write(block)
        named = [str(spool) if word == "-" else word for word in words]
        return subprocess.run([sys.executable, "-m", "loader", *named]).returncode
    finally:
        spool.unlink(missing_ok=True)


def use_password_file() -> None:
    """Read the password from the secret into this process alone, so that no container's settings hold it."""
    path = os.environ.get("PGPASSWORD_FILE")
    if not path:
        return
    try:
        os.environ["PGPASSWORD"] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise PipelineError(
            f"PGPASSWORD_FILE: expected a readable file, found {error.strerror} for {path}; run `make secrets`"
        ) from None


if __name__ == "__main__":
    sys.exit(guarded(main, "pipeline"))
