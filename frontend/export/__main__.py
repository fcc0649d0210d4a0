"""Write the site's data: `python -m frontend.export`, called by `make site-data`."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from frontend.export import artifacts, contract, distributions, forecasts, operations, repository, traffic
from warehouse.connection import READER, WarehouseUnavailable, connect
from warehouse.unexpected import guarded

Json = dict[str, Any]

# What an empty warehouse cannot say: this export's own figures on 500,000 synthetic requests, 2 cores (benchmarks/).
_BENCHMARKED = {
    "bytes_per_event": 243.3,
    "batch_fixed_s": 10.3,
    "peak_to_mean_ratio": 2.37,
    "scan_rows_per_s": 1_704_000.0,
    "transform_rows_per_s": 511_700.0,
}
_EPILOG = """examples:
  python -m frontend.export                         write .data/site/*.json from the warehouse and the last dbt run
  python -m frontend.export --out /tmp/site-data    write them elsewhere (the build reads SITE_DATA_DIR)
"""


class ExportError(Exception):
    """Something the site shows cannot be read; the message names it and the next step."""


def main(arguments: list[str] | None = None) -> int:
    """Parse, export, report; return the exit code."""
    options = _parser().parse_args(arguments)
    begin = time.perf_counter()
    try:
        documents = _documents(options.target, options.generated)
        _check(documents)
    except (ExportError, LookupError, WarehouseUnavailable) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    except psycopg.Error as error:
        cause = " ".join(str(error).split())
        print(f"export: expected the modelled warehouse, found: {cause}; run `make pipeline` first", file=sys.stderr)
        return 1
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            _write(options.out / f"{name}.json", document)
    except OSError as error:
        where = f"expected to write to {options.out}, found: {error.strerror}"
        print(f"export: {where}; make room, or choose a folder with --out", file=sys.stderr)
        return 1
    seconds = time.perf_counter() - begin
    print(f"export: wrote {len(documents)} files to {options.out} in {seconds:.1f} s", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    data = Path(os.environ.get("TOKENSCOPE_DATA_DIR") or repository.REPOSITORY / ".data")
    target = Path(os.environ.get("DBT_TARGET_PATH") or repository.REPOSITORY / "dbt_project" / "target")
    parser = argparse.ArgumentParser(
        prog="python -m frontend.export",
        description="Export what the site shows from the warehouse, dbt's artifacts and this repository.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=data / "site", help="folder to write (default: %(default)s)")
    parser.add_argument("--target", type=Path, default=target, help="dbt's target folder (default: %(default)s)")
    parser.add_argument(
        "--generated", type=Path, default=data / "generated", help="generated data set (default: %(default)s)"
    )
    return parser


def _documents(target: Path, generated: Path) -> dict[str, Json]:
    """Read everything inside one snapshot and return the files' contents by name."""
    manifest, run_results = (_artifact(target / f"{name}.json") for name in ("manifest", "run_results"))
    run = artifacts.run_summary(run_results)
    with connect(user=READER) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        headline = traffic.headline(connection)
        source = headline["sources"][0]["source"] if headline["sources"] else None
        sizes = traffic.table_bytes(connection)
        hours = traffic.hourly(connection, source)
        return {
            "site": {
                "exported_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "headline": headline,
                "run": run,
                "dashboards": repository.dashboards_defined(),
                "components": repository.components(),
                "reproducibility": repository.reproducibility(generated),
                "compose": repository.compose_excerpt(),
                "warehouse_bytes": sum(sizes.values()),
            },
            "traffic": hours | {"cost": traffic.monthly_cost(connection, source)},
            "forecast": forecasts.forecast(connection),
            "lineage": artifacts.lineage(manifest, run_results),
            "quality": {"tests": artifacts.tests(manifest, run_results)} | operations.operations(connection),
            "distributions": distributions.distributions(connection),
            "calibration": _calibration(connection, headline, sizes, hours, run["seconds"]),
        }


def _check(documents: dict[str, Json]) -> None:
    """Refuse documents that the site's build would refuse."""
    found = contract.misfits(documents)
    if found:
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise ExportError(
            f"expected files that fit frontend/schemas, found {'; '.join(found[:5])}{more}; "
            "run `make dbt-build`, and if that does not help adapt the schema and the page that reads it"
        )


def _calibration(
    connection: psycopg.Connection, headline: Json, sizes: dict[str, int], hours: Json, run_s: float
) -> Json:
    """Measure the simulator's own coefficients, see frontend/src/lib/simulator/coefficients.ts."""
    rows = headline["requests"]
    if not rows:
        return _BENCHMARKED | {"rows_measured": 0}
    return {
        "bytes_per_event": sizes[traffic.FACT] / rows,
        "batch_fixed_s": operations.quickest_build_s(connection, otherwise=run_s),
        "peak_to_mean_ratio": _peak_to_mean(hours["days"]),
        "rows_measured": rows,
    } | traffic.speeds(connection, headline["last_on"])


def _peak_to_mean(days: list[list[int]]) -> float:
    """Return the busiest of the 168 hours of a week over the mean hour."""
    sums = [[0, 0] for _ in range(168)]
    for day, counts in enumerate(days):
        for hour, requests in enumerate(counts):
            slot = sums[(day % 7) * 24 + hour]
            slot[0] += requests
            slot[1] += 1
    means = [requests / seen for requests, seen in sums if seen]
    return max(means) / (sum(means) / len(means))


def _artifact(path: Path) -> Json:
    try:
        document: Json = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(
            f"expected dbt's {path.name}, found {error.strerror} for {path}; run `make dbt-build`"
        ) from None
    except ValueError:
        raise ExportError(f"expected JSON, found something else in {path}; run `make dbt-build`") from None
    return document


def _write(path: Path, document: Json) -> None:
    """Replace `path` whole, so that a build never reads half a file."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(guarded(main, "site-data"))
