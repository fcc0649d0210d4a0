"""Command line of the loader: `python -m loader load | append | import | remove | init | status`."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from loader.additions import add_file
from loader.arguments import parse_arguments
from loader.commands import append_day, import_log, initialise_database, load_data_set, load_status, take_out_source
from loader.errors import LoadError, encodable
from loader.load import Policy, replace_unless_up_to_date
from warehouse.connection import WarehouseUnavailable, connect, connection_environment
from warehouse.events import pipeline_run
from warehouse.unexpected import guarded


def main(words: list[str] | None = None) -> int:
    """Run one command; return the exit status (0 done, 1 failed, 2 misuse, 130 interrupted)."""
    options = parse_arguments(words)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # its warnings repeat errors that are reported here
    try:
        os.environ.update(connection_environment())  # found once, for all connections of this process
        if options.command == "status":
            print(load_status())
        else:
            print(f"{options.command}: {_run(options)}", file=sys.stderr)
        return 0
    except (LoadError, WarehouseUnavailable) as error:
        print(f"{options.command}: {encodable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.command}: interrupted; the tables are as they were", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> str:
    """Run a command that changes the warehouse; return its summary."""
    if options.command == "init":
        return initialise_database()
    with pipeline_run(lambda: connect(autocommit=True), options.command):
        if options.command == "append":
            return append_day(options.directory, Policy(options.max_reject_ratio))
        if options.command == "remove":
            return take_out_source(options.source, Policy(swap_wait_s=options.swap_wait_s))
        policy = Policy(options.max_reject_ratio, options.swap_wait_s, options.force)
        if options.command == "load":
            return load_data_set(options.directory, policy)
        put = add_file if options.add else replace_unless_up_to_date
        return import_log(options.file, options.format, options.source, options.epoch, policy, put)


if __name__ == "__main__":
    sys.exit(guarded(main, "loader"))
