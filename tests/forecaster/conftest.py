"""Traffic for the forecaster's tests: made up (a daily shape, a drifting level, noise) or of a real small warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from forecaster.series import HourlySeries, Values, series_from_values
from tests.forecaster.small_warehouse import cut

START = datetime(2025, 1, 6, tzinfo=UTC)
MakeTraffic = Callable[..., Values]
MakeSeries = Callable[..., HourlySeries]


@pytest.fixture(scope="session")
def make_traffic() -> MakeTraffic:
    def traffic(hours: int, seed: int = 0, weekend: float = 1.0) -> Values:
        random = np.random.default_rng(seed)
        hour = np.arange(hours)
        shape = 1 + 0.6 * np.sin(2 * np.pi * (hour - 8) / 24)
        shape *= np.where(hour // 24 % 7 >= 5, weekend, 1.0)
        level = np.exp(np.cumsum(random.normal(0, 0.01, hours)) + random.normal(0, 0.05, hours))
        return np.round(1000 * shape * level)

    return traffic


@pytest.fixture(scope="session")
def make_series(make_traffic: MakeTraffic) -> MakeSeries:
    def series(hours: int, seed: int = 0, workload: str = "chat", metric: str = "requests") -> HourlySeries:
        return series_from_values(workload, metric, START, make_traffic(hours, seed))

    return series


@pytest.fixture(scope="session")
def small_template(databases: Any, warehouse_template: dict[str, str]) -> dict[str, str]:
    """Return the template of a real warehouse cut to 12 days of one billing tier, so that fits take moments."""
    template: dict[str, str] = databases.create(warehouse_template["PGDATABASE"], prefix="template")
    cut(template)
    return template


@pytest.fixture(scope="session")
def forecast_template(
    databases: Any, small_template: dict[str, str], run_command: Callable[..., Any]
) -> dict[str, str]:
    """Return the template of that warehouse with one stored run of all traffic, the tier and one model."""
    template: dict[str, str] = databases.create(small_template["PGDATABASE"], prefix="template")
    run_command("-m", "forecaster", "batch", "--models", 1, "--companies", 1, "--workers", 1, env=template)
    return template


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Return a function that makes a database the warehouse of this test."""

    def choose(database: dict[str, str]) -> None:
        for name, value in database.items():
            monkeypatch.setenv(name, value)

    return choose


@pytest.fixture
def small_warehouse(
    databases: Any, small_template: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Use a fresh copy of the cut warehouse, without forecasts, as the warehouse of this test."""
    yield from _used(databases, small_template, monkeypatch)


@pytest.fixture
def forecast_warehouse(
    databases: Any, forecast_template: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Use a fresh copy of the cut warehouse with one stored run as the warehouse of this test."""
    yield from _used(databases, forecast_template, monkeypatch)


def _used(databases: Any, template: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    clone: dict[str, str] = databases.create(template["PGDATABASE"])
    for name, value in clone.items():
        monkeypatch.setenv(name, value)
    yield clone
    databases.drop(clone)
