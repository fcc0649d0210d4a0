"""The latest forecast of all requests, for the picture that leads to the forecaster."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from frontend.export.traffic import rows

Json = dict[str, Any]

_HOURS: LiteralString = """
select starts_at, forecast, low_80, high_80, coverage_80_ratio, coverage_count
from forecast.points
where
    run_id = (select max(run_id) from forecast.runs)
    and segment_kind = 'all' and metric = 'requests' and kind = 'hour'
order by starts_at
limit 72
"""


def forecast(connection: psycopg.Connection) -> Json:
    """Return {hours: [...]} of the next three days with their 80 % ranges; empty where nothing was forecast yet."""
    return {"hours": rows(connection, _HOURS)}
