"""Command line of the pipeline container: `python -m pipeline roles | run`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import psycopg

from pipeline.roles import create_databases
from pipeline.steps import PipelineError, Settings, run_pipeline, wait_for_server


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status (0 done, 1 failed, 2 misuse)."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline",
        description="Fill the warehouse of the full stack. The server is the one libpq's variables name; "
        "PGPASSWORD_FILE names a file with the password.",
        epilog="examples: python -m pipeline run | ROWS=1000 python -m pipeline run | python -m pipeline run --force",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("roles", help="create roles, databases and raw tables; set passwords (needs a superuser)")
    run = commands.add_parser("run", help="generate, load, model and forecast what is not there yet")
    run.add_argument("--force", action="store_true", help="run every step, done or not")
    options = parser.parse_args(arguments)
    try:
        use_password_file()
        wait_for_server()
        if options.command == "roles":
            create_databases()
        else:
            run_pipeline(Settings.from_environment(os.environ), force=options.force)
    except subprocess.CalledProcessError as error:
        print(f"pipeline: {' '.join(map(str, error.cmd[:5]))} exited with {error.returncode}", file=sys.stderr)
        return 1
    except psycopg.Error as error:
        print(f"pipeline: {' '.join(str(error).split())}; check PGHOST, PGUSER and its password file", file=sys.stderr)
        return 1
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


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
    sys.exit(main())
