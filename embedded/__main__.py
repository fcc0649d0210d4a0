"""Command line of the embedded stack: `python -m embedded env | start | stop | status`."""

from __future__ import annotations

import argparse
import sys

from embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status (0 done, 1 failed, 2 misuse)."""
    parser = argparse.ArgumentParser(
        prog="python -m embedded",
        description="The stack without Docker. Data lives in .data/ (TOKENSCOPE_DATA_DIR moves it).",
        epilog="example: eval $(python -m embedded env | sed 's/^/export /')",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("env", help="start PostgreSQL if needed and print its libpq variables")
    commands.add_parser("start", help="start PostgreSQL if needed")
    commands.add_parser("stop", help="stop everything that runs in the background")
    commands.add_parser("status", help="say what runs")
    options = parser.parse_args(arguments)
    try:
        return run(options.command)
    except EmbeddedPostgresError as error:
        print(error, file=sys.stderr)
        return 1


def run(command: str) -> int:
    """Carry out `command` on this clone's server."""
    server = EmbeddedPostgres()
    if command == "env":
        for name, value in server.ensure_running().items():
            print(f"{name}={value}")
    elif command == "start":
        server.ensure_running()
        print(f"PostgreSQL runs in {server.cluster}", file=sys.stderr)
    elif command == "stop":
        print("PostgreSQL stopped" if server.stop() else "PostgreSQL was not running", file=sys.stderr)
    else:
        print(f"postgres {'running' if server.is_running() else 'stopped'} {server.cluster}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
