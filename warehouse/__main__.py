"""Command line of the warehouse: `python -m warehouse exec | psql | summary`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from warehouse.connection import WarehouseUnavailable, connect, connection_environment
from warehouse.summary import summary_text


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status (0 done, 1 failed, 2 misuse)."""
    parser = argparse.ArgumentParser(
        prog="python -m warehouse",
        description="Reach the warehouse: the server libpq's variables name, else the embedded one.",
        epilog="examples: python -m warehouse psql -c 'table raw_staging.load_batches' | "
        "python -m warehouse exec -- dbt build",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # What follows `exec` and `psql` is not ours to parse: everything behind the command's name goes on unread.
    commands.add_parser("exec", help="run a command with the server's libpq variables set: exec [--] CMD ...")
    commands.add_parser("psql", help="open psql, or run it with the options that follow")
    commands.add_parser("summary", help="print what is in the warehouse")
    words = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(words[:1] if words[:1] in (["exec"], ["psql"]) else words)
    try:
        if options.command == "summary":
            with connect() as connection:
                print(summary_text(connection))
            return 0
        command = words[2:] if words[1:2] == ["--"] else words[1:]
        if options.command == "psql":
            command = [psql_program(), *command]
        if not command:
            parser.error("exec: expected a command, as in `exec -- dbt build`")
        return replace_process(command)
    except WarehouseUnavailable as error:
        print(error, file=sys.stderr)
        return 1


def psql_program() -> str:
    """Return the psql to use: the wheel's, which knows the server's version, else the one on the path."""
    try:
        from embedded.postgres import EmbeddedPostgresError, binary
    except ImportError:
        return shutil.which("psql") or "psql"
    try:
        return str(binary("psql"))
    except EmbeddedPostgresError:
        return shutil.which("psql") or "psql"


def replace_process(words: list[str]) -> int:
    """Become the command `words` with the server's variables; return 127 with a message where it does not exist."""
    environment = {**os.environ, **connection_environment()}
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 (no shell wanted)
    except FileNotFoundError:
        print(f"exec: expected a program, found no {words[0]} on PATH; run `make setup`", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main())
