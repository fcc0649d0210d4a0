"""What did not go as expected: hours outside the band that was drawn before them, and who moved a level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecaster.backtest import STEP_HOURS, Backtest
from forecaster.gaps import SHIFT_DAYS, SHIFT_HOURS, LevelShift
from forecaster.intervals import is_inside, past_hour_bands
from forecaster.models import DAY
from forecaster.series import Values


@dataclass(frozen=True)
class Anomaly:
    """An hour outside its 95 % band; `excess_ratio` is the distance from the nearer edge in half band widths."""

    hour: int
    actual: float
    forecast: float
    low_95: float
    high_95: float
    excess_ratio: float


@dataclass(frozen=True)
class Contributor:
    """How much one part changed in a level shift: per hour, and as a share of the whole change (may exceed 1)."""

    name: str
    change: float
    share_ratio: float


def anomalies(test: Backtest) -> tuple[Anomaly, ...]:
    """Return the observed hours outside the 95 % band of the newest forecast made before them, in time order.

    Forecasts are 12 hours apart, so each hour is judged once, 1 to 12 hours ahead.
    """
    found = []
    for position, band in past_hour_bands(test).items():
        part = slice(0, STEP_HOURS)
        actuals = test.actuals[position, part]
        seen = np.isfinite(actuals)
        outside = np.flatnonzero(seen & ~is_inside(np.where(seen, actuals, 0.0), band.low_95[part], band.high_95[part]))
        for lead in outside:
            low, high, actual = float(band.low_95[lead]), float(band.high_95[lead]), float(actuals[lead])
            excess = max(low - actual, actual - high) / max((high - low) / 2, 1e-300)
            hour = test.origins[position] + int(lead)
            found.append(Anomaly(hour, actual, float(band.forecast[lead]), low, high, excess))
    return tuple(found)


def contributors(shift: LevelShift, parts: Mapping[str, Values]) -> tuple[Contributor, ...]:
    """Return who caused a level shift, largest change first.

    `parts` are the repaired hourly values of clients or models that add up to the shifted series, on its time axis. The
    change compares the shift's first 12 hours with the mean of the same hours of the 3 days before.
    """
    after = slice(shift.first, shift.first + SHIFT_HOURS)
    changes = {}
    for name, values in parts.items():
        days = [
            values[shift.first - DAY * day : shift.first - DAY * day + SHIFT_HOURS] for day in range(1, SHIFT_DAYS + 1)
        ]
        changes[name] = float(values[after].mean() - np.mean([day.mean() for day in days]))
    whole = sum(changes.values())
    ranked = sorted(changes.items(), key=lambda item: -abs(item[1]))
    return tuple(Contributor(name, change, change / whole if whole else 0.0) for name, change in ranked)
