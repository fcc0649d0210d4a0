"""Print the performance figures: `python -m benchmarks [--rows 500000,5000000]`. Needs a quiet machine."""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from psycopg import sql

from benchmarks.daily import measure_daily
from benchmarks.forecasts import measure_forecasts
from benchmarks.measure import machine_text
from benchmarks.pipeline import measure_pipeline
from warehouse.connection import WarehouseUnavailable, connect, connection_environment
from warehouse.unexpected import guarded

APP_ROWS = 500_000
"""The forecaster is measured up to this many requests: it reads hours, so that more of them change nothing."""


@contextmanager
def scratch_database() -> Iterator[dict[str, str]]:
    """Create a database for one measurement and drop it afterwards; yield its libpq variables."""
    name = sql.Identifier(f"tokenscope_bench_{uuid.uuid4().hex[:8]}")
    with connect(autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
        try:
            yield {**connection_environment(), "PGDATABASE": name.as_string()[1:-1]}
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(name))


def main(arguments: list[str] | None = None) -> int:
    """Measure, print Markdown to stdout; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rows",
        default="500000",
        help="numbers of requests, comma-separated (default 500000; 10000000 takes ten minutes)",
    )
    options = parser.parse_args(arguments)
    try:
        with connect() as connection:
            print(f"{datetime.now(UTC):%Y-%m-%d}: {machine_text(connection)}\n", flush=True)
        for rows in map(int, options.rows.split(",")):
            with scratch_database() as database, tempfile.TemporaryDirectory(prefix="tokenscope-bench-") as folder:
                for measure in (measure_pipeline, measure_daily, *([measure_forecasts] if rows <= APP_ROWS else [])):
                    print(measure(rows, Path(folder), database) + "\n", flush=True)
    except (WarehouseUnavailable, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main, "benchmarks"))
