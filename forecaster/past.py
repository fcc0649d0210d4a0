"""Past forecasts hour by hour: for each hour the newest one made before it."""

from __future__ import annotations

import pandas as pd

from forecaster.backtest import STEP_HOURS
from forecaster.forecast import Forecast
from forecaster.intervals import past_hour_bands

COLUMNS = ("starts_at", "actual", "forecast", "low_80", "high_80", "low_95", "high_95")


def newest_past(forecast: Forecast) -> pd.DataFrame:
    """Return COLUMNS for the hours of the backtest whose range could be judged, each forecast 1 to 12 hours ahead."""
    test, series = forecast.test, forecast.series
    rows = []
    for position, band in past_hour_bands(test).items():
        for lead in range(min(STEP_HOURS, test.made_at - test.origins[position])):
            hour = series.hour_at(test.origins[position] + lead)
            figures = (float(part[lead]) for part in band.parts())
            rows.append((hour, float(test.actuals[position, lead]), *figures))
    return pd.DataFrame(rows, columns=[*COLUMNS])
