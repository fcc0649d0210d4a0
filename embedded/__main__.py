"""Command line of the embedded stack: `python -m embedded env | start | serve | stop | status`."""

from __future__ import annotations

import argparse
import sys

from embedded.errors import EmbeddedPostgresError
from embedded.postgres import EmbeddedPostgres
from warehouse.unexpected import guarded


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
    serve_parser = commands.add_parser("serve", help="serve what has been built behind Traefik until Ctrl-C")
    serve_parser.add_argument("--detach", action="store_true", help="serve in the background; return when all answers")
    commands.add_parser("stop", help="stop everything that runs in the background")
    commands.add_parser("status", help="say what runs")
    options = parser.parse_args(arguments)
    try:
        if options.command == "env":  # every other component's command asks this first: nothing more is imported for it
            return print_environment()
        return run(options)
    except EmbeddedPostgresError as error:
        print(error, file=sys.stderr)
        return 1


def print_environment() -> int:
    """Print the libpq variables of this clone's server, started if needed."""
    for name, value in EmbeddedPostgres().ensure_running().items():
        print(f"{name}={value}")
    return 0


def run(options: argparse.Namespace) -> int:
    """Carry out a command on this clone's stack."""
    from embedded import serve
    from embedded.proxy import ProxyError

    server = EmbeddedPostgres()
    if options.command == "serve":
        try:
            return serve.serve_detached() if options.detach else serve.serve()
        except ProxyError as error:
            print(error, file=sys.stderr)
            return 1
    if options.command == "start":
        server.ensure_running()
        print(f"PostgreSQL runs in {server.cluster}", file=sys.stderr)
    elif options.command == "stop":
        print("front door stopped" if serve.stop_server() else "front door was not running", file=sys.stderr)
        print("PostgreSQL stopped" if server.stop() else "PostgreSQL was not running", file=sys.stderr)
    else:
        door = serve.running_server()
        print(f"front door {f'running at http://localhost:{door[1]}/' if door else 'stopped'}")
        print(f"postgres {'running' if server.is_running() else 'stopped'} {server.cluster}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main, "embedded"))
