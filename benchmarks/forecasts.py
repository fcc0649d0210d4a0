"""What the forecaster costs: one fit with its backtest, the stored forecasts, and a page for its visitor."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import psutil

from benchmarks.measure import MEBIBYTE, PYTHON, Measurement, run_command, run_function, table_text
from embedded.paths import REPOSITORY
from embedded.proxy import free_port
from embedded.serve import answers

HOURS = 90 * 24
ORIGINS = 21
FIGURE = "[data-testid=stMetricValue]"
CHART = ".js-plotly-plot .main-svg"
HOST = "127.0.0.1"


def measure_forecasts(rows: int, _directory: Path, database: Mapping[str, str]) -> str:
    """Measure one fit, the batch of the warehouse behind `database` and the app over it; return the table."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import_module("forecaster.forecast")
    measured = [
        run_function("forecast", fit, f"{HOURS // 24} days of hours, {ORIGINS} backtest origins, bands; after import"),
        run_command("make forecast", [PYTHON, "-m", "forecaster", "batch"], database, "all series of the warehouse"),
        *measure_app(database),
    ]
    return table_text(f"{rows:,} requests, forecasts", measured)


def fit() -> None:
    """Forecast a made-up series with a daily and a weekly rhythm, as the app does."""
    import numpy as np

    from forecaster.forecast import HOURLY_HOURS, forecast
    from forecaster.series import HourlySeries

    hours = np.arange(HOURS)
    level = 1000 + 400 * np.sin(hours / 24 * 2 * np.pi) - 300 * (hours // 24 % 7 > 4)
    values = np.random.default_rng(42).poisson(level).astype(float)
    forecast(HourlySeries("bench", "requests", datetime(2025, 1, 1, tzinfo=UTC), values), HOURLY_HOURS, ORIGINS)


def measure_app(database: Mapping[str, str]) -> Iterator[Measurement]:
    """Measure the app's start, and from its address to the drawn chart in Chromium: the first visitor and the next."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("bench: expected Chromium, found none on PATH; apt-get install chromium")
    started = time.perf_counter()
    with serving_app(database) as (address, process), sync_playwright() as playwright:
        yield Measurement("start of the app", time.perf_counter() - started, note="until it answers")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for visitor in ("first visitor", "next visitor"):
            page = browser.new_page()
            page.goto("about:blank")  # the browser's own start is not the app's
            started = time.perf_counter()
            page.goto(address)
            page.wait_for_selector(FIGURE)
            figures = time.perf_counter() - started
            page.wait_for_selector(CHART)
            charts = time.perf_counter() - started
            memory = psutil.Process(process.pid).memory_info().rss / MEBIBYTE
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
            note = f"to the forecast's figures; first paint {paint:.2f} s, chart {charts:.2f} s; memory of the app"
            yield Measurement(visitor, figures, memory, note)
        browser.close()


@contextmanager
def serving_app(database: Mapping[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the app on a free port until the block ends; yield its address and process."""
    port = free_port(HOST)
    command = [str(PYTHON), "-m", "forecaster.serve", "--server.address", HOST, "--server.port", str(port)]
    environment = {**os.environ, **database, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command, cwd=REPOSITORY / "forecaster", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        address = f"http://{HOST}:{port}/forecaster"
        while not answers(f"{address}/_stcore/health"):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}")
            time.sleep(0.02)
        yield address, process
    finally:
        process.terminate()
        process.wait()
