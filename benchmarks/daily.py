"""What a running warehouse costs: one more day of requests, and the queries of its dashboards."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.measure import PYTHON, run_command, table_text
from embedded.paths import REPOSITORY

DAY_ROWS = 10_000
RUNS = 20
SLOWEST = 5


def measure_daily(rows: int, directory: Path, database: Mapping[str, str]) -> str:
    """Build everything on the loaded data set, let two days go by, run every card; return the tables.

    `directory` holds the data set that `database` (libpq variables) has been loaded from.
    """
    settings = {**database, "DBT_TARGET_PATH": str(directory / "dbt_target"), "GENERATED": str(directory)}
    build = run_command("make dbt-build", ["make", "dbt-build"], settings, "all models and their tests")
    # The second tick is measured: what every further day costs.
    tick = ["make", "tick", f"TICK_ROWS={DAY_ROWS}"]
    run_command("make tick", tick, settings)
    day = run_command("make tick", tick, settings, f"one day of {DAY_ROWS:,} requests: generate, load, build and test")
    return table_text(f"{rows:,} requests, every day", [build, day]) + "\n\n" + cards_text(rows, database)


def cards_text(rows: int, database: Mapping[str, str]) -> str:
    """Run every card of every dashboard `RUNS` times as portfolio_reader; return the slowest as a Markdown table."""
    command = [PYTHON, "-m", "metabase", "lint", "--runs", RUNS, "--budget-factor", 1000]
    said = subprocess.run(
        list(map(str, command)),
        cwd=REPOSITORY,
        env={**os.environ, **database},
        check=True,
        capture_output=True,
        text=True,
    )
    times = {row["card"]: float(row["p95_ms"]) for row in csv.DictReader(said.stdout.splitlines())}
    slowest = sorted(times, key=lambda card: -times[card])[:SLOWEST]
    lines = [f"### {rows:,} requests, {len(times)} cards", "", f"| card | p95 of {RUNS} runs, ms |", "|---|---:|"]
    lines += [f"| {card} | {times[card]:.0f} |" for card in slowest]
    return "\n".join([*lines, f"| median of all {len(times)} | {median(times.values()):.0f} |"])
