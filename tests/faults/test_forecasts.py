"""The n-th request of a batch of forecasts fails: see test_connections.py; fewer n, each takes longer."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from forecaster import batch
from forecaster.__main__ import main
from tests.conftest import Databases
from tests.faults.proxy import AFTER, BEFORE, Proxy
from tests.faults.trial import POINTS, Trial
from tests.forecaster.small_warehouse import cut
from warehouse.unexpected import guarded

Environment = dict[str, str]
FORECASTS = """
select array[
    (select count(*) from forecast.runs), (select count(*) from forecast.series),
    (select count(*) from forecast.points), (select count(*) from forecast.backtests),
    (select sum(series_count) from forecast.runs)
]::text
"""


@pytest.fixture(scope="session")
def forecast_before(databases: Databases, warehouse_template: Environment) -> Environment:
    """Return the template of a built warehouse that is small enough to be forecast in moments."""
    template = databases.create(warehouse_template["PGDATABASE"], prefix="template")
    cut(template)
    return template


def test_a_batch_of_forecasts_survives_a_lost_connection_at_any_request(
    databases: Databases, forecast_before: Environment, front: Proxy, monkeypatch: Any, capsys: Any
) -> None:
    computed: list[Any] = []
    fit = batch.outlooks_of

    def fitted_once(histories: Any, workers: int | None) -> Any:
        """Return the real results, the same for the same data; what is under test is what comes before and after."""
        if not computed:
            computed.extend(fit(histories, workers))
        return iter(computed)

    monkeypatch.setattr(batch, "outlooks_of", fitted_once)
    words = ["forecaster", "batch", "--models", "1", "--companies", "1", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", words)
    for when in (BEFORE, AFTER):
        trial = Trial(
            databases, forecast_before, front, lambda: guarded(main, "forecaster"), FORECASTS, monkeypatch, capsys
        )
        trial.sweep(when, points=min(POINTS, 5))
