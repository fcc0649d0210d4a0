"""The forecaster's commands: what they take, and from a file or the warehouse to what is printed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from forecaster import output
from forecaster.backtest import MAX_ORIGINS
from forecaster.batch import TOP_COMPANIES, TOP_MODELS, run_batch
from forecaster.data import KINDS, read_by
from forecaster.evaluate import Pooled, SeriesEvaluation, Skipped, evaluate_series, outage_flags, pooled
from forecaster.forecast import HOURLY_HOURS, Forecast, forecast
from forecaster.joint import cost_forecast
from forecaster.metrics import METRICS, forecast_metric
from forecaster.reading import Table, read_table
from forecaster.series import Flags, HourlySeries, SeriesError
from warehouse.child import die_with_parent
from warehouse.connection import READER, connect

SHAPE = """
files:
  CSV with a header, one row per hour, a time column (ds) and measures; a workload column if there are several:
    ds,requests                   workload,ds,requests,input_tokens,output_tokens
    2025-01-06T00:00:00Z,1204     chat,2025-01-06T00:00:00Z,1204,480211,96310
  Empty cells and absent rows are missing hours. Times without a zone are UTC, or --timezone says which.
  tokens = input_tokens + output_tokens, cost_usd = both at --usd-per-mtok IN OUT.
"""
FORECAST_EXAMPLES = """
examples:
  python -m forecaster forecast --series requests.csv
  python -m forecaster forecast --series usage.csv --workload chat --metric tokens --horizon 168 --format json
  python -m forecaster forecast --series usage.csv --workload chat --metric cost_usd --usd-per-mtok 0.5 1.5
  python -m forecaster forecast --metric tokens --by model --horizon 48     (from the warehouse)
"""
BATCH_EXAMPLES = """
examples:
  python -m forecaster batch
  python -m forecaster batch --models 10 --companies 5 --workers 1
"""
EVALUATE_EXAMPLES = """
examples:
  python -m forecaster evaluate usage.csv
  python -m forecaster evaluate usage.csv --metric requests --format json --workers 1
"""
TUNING_METRICS = ("requests", "input_tokens", "output_tokens")
DEFAULT_EVALUATION_ORIGINS = 60
Job = tuple[HourlySeries, Flags, int]


def parser() -> argparse.ArgumentParser:
    """Build the command line; its help is the manual."""
    kind = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m forecaster",
        description="Forecast hourly LLM traffic with measured error, or measure the forecaster on a file.",
        epilog=FORECAST_EXAMPLES + EVALUATE_EXAMPLES,
        formatter_class=kind,
    )
    commands = top.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "forecast", help="forecast one series", formatter_class=kind, epilog=SHAPE + FORECAST_EXAMPLES
    )
    one.add_argument(
        "--series", type=Path, metavar="FILE", help="CSV file to read, - for standard input; default: the warehouse"
    )
    one.add_argument("--by", choices=KINDS, default="all", help="of the warehouse: one forecast for each of these")
    one.add_argument("--workload", help="which workload, if the file has several")
    one.add_argument("--metric", help="which column, or tokens, or cost_usd; needed if the file has several")
    one.add_argument("--horizon", type=count, default=HOURLY_HOURS, metavar="HOURS", help="default %(default)s")
    one.add_argument(
        "--origins", type=count, default=MAX_ORIGINS, help="backtest origins, 12 h apart, default %(default)s"
    )
    one.add_argument("--since", type=datetime.fromisoformat, metavar="TIME", help="train on this time and later only")
    one.add_argument("--usd-per-mtok", type=price, nargs=2, metavar=("IN", "OUT"), help="prices for cost_usd")
    one.add_argument("--seed", type=int, default=0, help="seed of the paths beyond the hourly forecast")
    one.add_argument("--format", choices=("csv", "json"), default="csv", help="default %(default)s")
    three = commands.add_parser(
        "batch",
        help="forecast the warehouse and store it there",
        description="Forecast all traffic and its largest parts, every metric, into the schema forecast of the"
        " warehouse. One run is one transaction; with the same data and code as the last one nothing is done.",
        formatter_class=kind,
        epilog=BATCH_EXAMPLES,
    )
    three.add_argument("--models", type=count, default=TOP_MODELS, help="how many of the busiest, default %(default)s")
    three.add_argument("--companies", type=count, default=TOP_COMPANIES, help="likewise, default %(default)s")
    three.add_argument("--workers", type=count, default=None, help="processes, default: one per core")
    two = commands.add_parser(
        "evaluate", help="measure the forecaster on a file", formatter_class=kind, epilog=SHAPE + EVALUATE_EXAMPLES
    )
    two.add_argument("file", type=Path, help="CSV file to read, - for standard input")
    two.add_argument("--metric", action="append", help="only this column (repeatable); default: all measures")
    two.add_argument(
        "--origins", type=count, default=DEFAULT_EVALUATION_ORIGINS, help="newest origins to score, default %(default)s"
    )
    two.add_argument("--workers", type=count, default=None, help="processes, default: one per core")
    two.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    for command in (one, two):
        command.add_argument("--timezone", help="zone of times that carry none, such as Europe/Berlin; default UTC")
        command.add_argument(
            "--duplicates", choices=("error", "sum", "last"), default="error", help="rows for one hour"
        )
    return top


def count(text: str) -> int:
    """Read a number of things, at least 1."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {number}")
    return number


def price(text: str) -> float:
    """Read a price, 0 or more."""
    if not 0 <= (number := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a price of 0 or more, found {text}")
    return number


def run(arguments: argparse.Namespace) -> str:
    """Run a parsed command and return what to print; a summary goes to standard error. Raises SeriesError."""
    if arguments.command == "batch":
        print(run_batch(arguments.models, arguments.companies, arguments.workers), file=sys.stderr)
        return ""
    if arguments.command == "forecast":
        return run_forecast(arguments) if arguments.series else run_warehouse_forecast(arguments)
    return run_evaluate(arguments)


def run_forecast(arguments: argparse.Namespace) -> str:
    """Forecast one series of a file."""
    started = time.perf_counter()
    table = read_file(arguments.series)
    if arguments.metric == "cost_usd" and "cost_usd" not in table.metrics:
        if not arguments.usd_per_mtok:
            raise SeriesError(
                f"{table.source}: expected a cost_usd column or prices, found neither; give --usd-per-mtok IN OUT"
            )
        tokens = [_series(arguments, table, metric) for metric in ("input_tokens", "output_tokens")]
        parts = [forecast(one, arguments.horizon, arguments.origins, arguments.seed) for one in tokens]
        prices = (arguments.usd_per_mtok[0], arguments.usd_per_mtok[1])
        result = cost_forecast(tokens[0].workload, (parts[0], parts[1]), prices, arguments.horizon, arguments.seed)
    else:
        series = _series(arguments, table, arguments.metric)
        result = forecast(series, arguments.horizon, arguments.origins, arguments.seed)
    seconds = time.perf_counter() - started
    print(f"forecast: {output.forecast_summary(result)}; {seconds:.1f} s", file=sys.stderr)
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    return output.forecast_csv([result]) if arguments.format == "csv" else output.forecast_json([result])


def run_warehouse_forecast(arguments: argparse.Namespace) -> str:
    """Forecast a metric of all traffic or of each model, tier, company or source in the warehouse, busiest first."""
    started = time.perf_counter()
    metric = arguments.metric or "requests"
    if metric not in METRICS:
        raise SeriesError(f"forecast: expected a metric out of {', '.join(METRICS)}, found {metric!r}; choose one")
    with connect(user=READER) as connection:
        histories = read_by(connection, arguments.by)

    def fit(series: HourlySeries) -> Forecast:
        return forecast(series, arguments.horizon, arguments.origins, arguments.seed)

    results: list[Forecast] = []
    for history in tqdm(histories, unit="segment", disable=None, delay=2):
        try:
            results.append(forecast_metric(history, metric, fit, arguments.horizon))
        except SeriesError as error:
            print(f"skipped: {error}", file=sys.stderr)
    for result in results:
        print(f"forecast: {output.forecast_summary(result)}", file=sys.stderr)
    seconds = time.perf_counter() - started
    print(f"forecast: {len(results)} of {len(histories)} series in {seconds:.1f} s", file=sys.stderr)
    return output.forecast_csv(results) if arguments.format == "csv" else output.forecast_json(results)


def run_evaluate(arguments: argparse.Namespace) -> str:
    """Measure the forecaster on every series of a file."""
    started = time.perf_counter()
    table = read_file(arguments.file)
    present = [metric for metric in TUNING_METRICS if metric in table.metrics]
    metrics = arguments.metric or present or list(table.metrics)
    jobs: list[Job] = []
    unread: list[Skipped] = []
    for metric in metrics:
        found, refused = evaluation_jobs(table, metric, arguments)
        jobs += found
        unread += refused
    if not jobs:
        raise SeriesError(unread[0].reason)
    evaluations = list(evaluate_all(jobs, arguments.workers))
    evaluations += [SeriesEvaluation((), skipped, 0.0) for skipped in unread]
    results = [result for evaluation in evaluations for result in evaluation.results]
    groups: list[Pooled] = []
    if len(metrics) > 1:
        for metric in metrics:
            groups += pooled(metric, [result for result in results if result.metric == metric])
    groups += pooled("all series", results)
    seconds = time.perf_counter() - started
    print(f"evaluate: {output.evaluation_summary(evaluations, seconds)}", file=sys.stderr)
    if arguments.format == "json":
        return output.evaluation_json(evaluations, groups, seconds)
    return output.evaluation_text(evaluations, groups, seconds)


def evaluation_jobs(table: Table, metric: str, arguments: argparse.Namespace) -> tuple[list[Job], list[Skipped]]:
    """Return what to evaluate of one metric, and the series that cannot be read, with the reason."""
    rows: list[HourlySeries] = []
    refused: list[Skipped] = []
    for workload in table.workloads:
        try:
            rows.append(table.series(workload, metric, arguments.timezone, arguments.duplicates))
        except SeriesError as error:
            refused.append(Skipped(workload, metric, str(error)))
    outages = outage_flags(rows)
    return [(one, outages[one.workload], arguments.origins) for one in rows], refused


def evaluate_all(jobs: Sequence[Job], workers: int | None) -> Iterator[SeriesEvaluation]:
    """Evaluate series in processes (`workers` of them, None = one per core), in the order given."""
    progress = tqdm(total=len(jobs), unit="series", disable=None, delay=2)
    if workers == 1 or len(jobs) <= 2:
        for job in jobs:
            yield evaluate_series(*job)
            progress.update()
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=die_with_parent) as pool:
            for evaluation in pool.map(evaluate_series, *zip(*jobs, strict=True)):
                yield evaluation
                progress.update()
    progress.close()


def read_file(path: Path) -> Table:
    """Read a CSV file, or standard input for `-`; raises SeriesError when it cannot be read as text."""
    source = "standard input" if str(path) == "-" else str(path)
    try:
        if str(path) == "-":
            return read_table(sys.stdin, source)
        with path.open(encoding="utf-8", newline="") as lines:
            return read_table(lines, source)
    except UnicodeDecodeError as error:
        raise SeriesError(f"{source}: expected UTF-8 text, found {error.reason}; save it as CSV in UTF-8") from None
    except OSError as error:
        raise SeriesError(f"{source}: expected a readable file, found {error.strerror}; check the path") from None


def _series(arguments: argparse.Namespace, table: Table, metric: str | None) -> HourlySeries:
    series = table.series(arguments.workload, metric, arguments.timezone, arguments.duplicates)
    if arguments.since is None:
        return series
    since = arguments.since if arguments.since.tzinfo else arguments.since.replace(tzinfo=UTC)
    return series.since(since)
