"""Command line of the warehouse: `python -m warehouse exec | run | alone | psql | summary | backup | restore | ...`."""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from pathlib import Path

import psycopg

from warehouse.backup import run_backup, run_restore
from warehouse.connection import WarehouseUnavailable, connect, connection_environment
from warehouse.dbt_results import RUN_VARIABLE, DbtResultsError, record_dbt_results
from warehouse.programs import program
from warehouse.run import run_alone, run_recorded
from warehouse.selection import hint
from warehouse.summary import summary_text
from warehouse.unexpected import guarded

DBT_TARGET = Path("dbt_project/target")
EXAMPLES = """examples:
  python -m warehouse psql -c 'table raw_staging.load_batches'
  python -m warehouse exec -- dbt build
  python -m warehouse run generate -- python generator/generate_data.py --continue .data/generated
  python -m warehouse run dbt-build --record-dbt dbt_project/target -- dbt build
  python -m warehouse alone backup -- pg_dump --file tokenscope.sql
  python -m warehouse record-dbt"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status (0 done, 1 failed, 2 misuse)."""
    parser = argparse.ArgumentParser(
        prog="python -m warehouse",
        description="Reach the warehouse: the server libpq's variables name, else the embedded one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # What follows `exec` and `psql` is not ours to parse: everything behind the command's name goes on unread.
    commands.add_parser("exec", help="run a command with the server's libpq variables set: exec [--] CMD ...")
    commands.add_parser("psql", help="open psql, or run it with the options that follow")
    commands.add_parser("summary", help="print what is in the warehouse")
    run = commands.add_parser("run", help="run a command and record its start and end: run PIPELINE -- CMD ...")
    run.add_argument("pipeline_id", metavar="PIPELINE", help="what to call it in ops.pipeline_events")
    run.add_argument("--record-dbt", type=Path, metavar="DIR", help="then store the dbt results found in this folder")
    only = commands.add_parser("alone", help="run a command while no other of the pipeline runs: alone NAME -- CMD ...")
    only.add_argument("name", metavar="NAME", help="what to call it to others who wait for its end")
    record = commands.add_parser("record-dbt", help="store the results of the latest dbt run in ops.dbt_results")
    record.add_argument("--target", type=Path, default=DBT_TARGET, metavar="DIR", help="default: %(default)s")
    commands.add_parser("backup", help="dump the database into backups/<UTC time>, restore that beside it, compare")
    restored = commands.add_parser("restore", help="put the database of a backup in the place of the current one")
    restored.add_argument("folder", type=Path, metavar="FOLDER", help="a folder that backup has made")
    words = sys.argv[1:] if arguments is None else arguments
    known = words[: words.index("--")] if words[:1] in (["run"], ["alone"]) and "--" in words else words
    options = parser.parse_args(words[:1] if words[:1] in (["exec"], ["psql"]) else known)
    try:
        if options.command == "summary":
            with connect() as connection:
                print(summary_text(connection))
            return 0
        if options.command == "backup":
            return run_backup()
        if options.command == "restore":
            return run_restore(options.folder)
        if options.command == "record-dbt":
            return record_dbt(options.target)
        if options.command in ("run", "alone"):
            following = words[len(known) + 1 :]
            if not following:
                parser.error(f"{options.command}: expected a command, as in `{options.command} dbt-build -- dbt build`")
            if options.command == "alone":
                return run_alone(options.name, following)
            return run_and_record_dbt(options.pipeline_id, following, options.record_dbt)
        command = words[2:] if words[1:2] == ["--"] else words[1:]
        if options.command == "psql":
            command = [program("psql"), *command]
        if not command:
            parser.error("exec: expected a command, as in `exec -- dbt build`")
        return replace_process(command)
    except WarehouseUnavailable as error:
        print(error, file=sys.stderr)
        return 1


def run_and_record_dbt(pipeline_id: str, command: list[str], target: Path | None) -> int:
    """Run a command, then store the dbt results it left in `target`, if any; return the command's exit status."""
    run_id = os.environ[RUN_VARIABLE] = uuid.uuid4().hex
    status = run_recorded(pipeline_id, command)
    if target is not None and record_dbt(target, run_id) and status:
        unknown = hint(command, target)
        if unknown:
            print(f"{pipeline_id}: expected a selection of what the project has, {unknown}", file=sys.stderr)
    return status


def record_dbt(target: Path, run_id: str | None = None) -> int:
    """Store the results of the latest dbt run found in `target`, of `run_id` alone if given; return the exit status."""
    try:
        with connect(autocommit=True) as connection:
            print(f"record-dbt: {record_dbt_results(connection, target, run_id)}", file=sys.stderr)
        return 0
    except (DbtResultsError, WarehouseUnavailable) as error:
        print(f"record-dbt: {error}", file=sys.stderr)
    except psycopg.Error as error:
        cause = " ".join(str(error).split())
        is_absent = isinstance(error, psycopg.errors.UndefinedTable)
        advice = "run `python -m loader init`" if is_absent else "correct that on the server and run it again"
        print(f"record-dbt: expected to write the tables of ops, found: {cause}; {advice}", file=sys.stderr)
    return 1


def replace_process(words: list[str]) -> int:
    """Become the command `words` with the server's variables; return 127 with a message where it does not exist."""
    environment = {**os.environ, **connection_environment()}
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 (no shell wanted)
    except FileNotFoundError:
        print(f"exec: expected a program, found no {words[0]} on PATH; run `make setup`", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(guarded(main, "warehouse"))
