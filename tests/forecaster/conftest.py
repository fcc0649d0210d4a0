"""Made-up traffic for the forecaster's tests: a daily shape, a drifting level and noise, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from forecaster.series import HourlySeries, Values, series_from_values

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
