"""Conformal prediction intervals from the backtest's own residuals, and how often they have held.

Residuals are what the forecast in use missed by at earlier origins, only in hours already seen. They are pooled by
lead, weighed towards recent origins and towards the same time of day, and their signed quantiles are added to the
forecast (split conformal prediction, Vovk et al. 2005; weighted after Barber et al. 2023, doi:10.1214/23-AOS2276).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forecaster.backtest import STEP_HOURS, Backtest
from forecaster.models import DAY
from forecaster.series import Flags, Values

LEAD_BUCKETS = (0, 3, 12, 24, 48, 96, 168)
HALF_LIFE_HOURS = 4 * DAY
TIME_OF_DAY_WIDTH = 4.0  # standard deviation, in hours, of the weight around the same time of day
TIME_OF_DAY_FLOOR = 0.15
# Traffic is not exchangeable: quantiles of less than three weeks of residuals cover 4 points too little (measured).
SHORT_LEVELS = {80: 0.84, 95: 0.97}
LEVELS = {80: 0.80, 95: 0.95}
LONG_CALIBRATION_HOURS = 21 * DAY
MIN_CALIBRATION_ORIGINS = 6  # fewer earlier origins say nothing about how often a band holds
NORMAL_95_TO_80 = 1.96 / 1.2816
MIN_DAY_HOURS = 18  # a day with more than 6 hours missing has no total to compare with

Summary = Literal["total", "maximum"]


@dataclass(frozen=True, eq=False)
class Band:
    """A forecast with its central 80 % and 95 % ranges; five arrays of one shape, ordered and never negative."""

    forecast: Values
    low_80: Values
    high_80: Values
    low_95: Values
    high_95: Values

    def parts(self) -> tuple[Values, Values, Values, Values, Values]:
        """Return the five arrays in the order of the fields."""
        return self.forecast, self.low_80, self.high_80, self.low_95, self.high_95

    def stacked(self) -> Values:
        """Return the quantiles 2.5, 10, 50, 90 and 97.5 % as one array (5 x hours); the forecast is the median."""
        return np.array([self.low_95, self.low_80, self.forecast, self.high_80, self.high_95])


@dataclass(frozen=True)
class Coverage:
    """How often the bands made at past origins held what came after them.

    `level_pct` is what they aim at, `achieved_ratio` the share of `count` observed hours (or days) inside, of
    `origin_count` origins. Nothing was known of those hours when their band was made. NaN never: no count, no coverage.
    """

    level_pct: int
    achieved_ratio: float | None
    count: int
    origin_count: int


def hourly_band(forecast: Values, residuals: Values, origins: Sequence[int], at: int) -> Band:
    """Put bands around a forecast made at index `at`.

    `residuals` (origins x hours) is NaN where not seen yet; leads without any use those of the nearest shorter bucket.
    Raises ValueError when no residual is observed at all.
    """
    levels = _levels(origins)
    offsets = np.zeros((4, len(forecast)))
    for leads, misses, weights in _calibration(len(forecast), residuals, origins, at):
        for row, (level, side) in enumerate(((80, -1), (80, 1), (95, -1), (95, 1))):
            share = 0.5 + levels[level] / 2
            offsets[row, leads] = side * weighted_quantiles(side * misses, weights, share)
    return _band(forecast, offsets)


def exceedance(forecast: Values, residuals: Values, origins: Sequence[int], at: int, limit: Values) -> Values:
    """Return the probability of each hour to exceed its `limit`: the weighted share of past misses that lift it over.

    The other arguments are those of `hourly_band`, and so is the error.
    """
    chances = np.zeros(len(forecast))
    for leads, misses, weights in _calibration(len(forecast), residuals, origins, at):
        over = misses[None, :] > (limit - forecast)[leads][:, None]
        chances[leads] = (weights * over).sum(axis=1) / weights.sum(axis=1)
    return chances


def _calibration(
    horizon: int, residuals: Values, origins: Sequence[int], at: int
) -> Iterator[tuple[NDArray[np.int64], Values, Values]]:
    """Yield, for each bucket of leads, its leads, the residuals that speak for them and their weights (leads x these).

    Weights fall with age and with distance in time of day.
    """
    seen = np.isfinite(residuals)
    if not seen.any():
        raise ValueError("bands: expected at least one observed residual, found none")
    age = at - np.asarray(origins, dtype=np.float64)
    recency = np.broadcast_to((0.5 ** (age / HALF_LIFE_HOURS))[:, None], residuals.shape)
    leads = np.broadcast_to(np.arange(residuals.shape[1]), residuals.shape)
    hours = (np.asarray(origins)[:, None] + leads) % DAY
    chosen = seen
    for first, after in pairwise(LEAD_BUCKETS):
        if first >= horizon:
            break
        bucket = seen & (leads >= first) & (leads < after)
        chosen = bucket if bucket.any() else chosen
        target = np.arange(first, min(after, horizon))
        apart = np.abs(hours[chosen][None, :] - ((at + target) % DAY)[:, None])
        apart = np.minimum(apart, DAY - apart)
        near = TIME_OF_DAY_FLOOR + (1 - TIME_OF_DAY_FLOOR) * np.exp(-0.5 * (apart / TIME_OF_DAY_WIDTH) ** 2)
        yield target, residuals[chosen], near * recency[chosen]


def summary_band(forecast: Values, residuals: Values, origins: Sequence[int], at: int, summary: Summary) -> Band:
    """Put bands around one figure per day (a total or a maximum); `residuals` is origins x days, NaN where not seen.

    There is one residual per origin and day, too few for a quantile of each side: bands are symmetric, from absolute
    residuals. Where even those are fewer than a 95 % rank needs, that band keeps the normal distribution's distance to
    the 80 % one. The highest of many hours is higher than their medians' highest, so a maximum is first lifted by its
    median residual. A day without any residual uses those of the nearest earlier day.
    """
    age = at - np.asarray(origins, dtype=np.float64)
    levels = _levels(origins)
    centre = forecast.copy()
    reach = np.zeros((2, len(forecast)))
    chosen = 0
    for day in range(len(forecast)):
        chosen = day if np.isfinite(residuals[:, day]).any() else chosen
        seen = np.isfinite(residuals[:, chosen])
        if not seen.any():
            continue
        misses, weights = residuals[seen, chosen], 0.5 ** (age[None, seen] / HALF_LIFE_HOURS)
        lift = float(np.median(misses)) if summary == "maximum" else 0.0
        centre[day] = max(forecast[day] + lift, 0.0)
        near, far = (weighted_quantiles(np.abs(misses - lift), weights, levels[level])[0] for level in (80, 95))
        reach[:, day] = near, max(far, near * NORMAL_95_TO_80)
    return _band(centre, np.array([-reach[0], reach[0], -reach[1], reach[1]]))


def day_residuals(actuals: Values, forecasts: Values, summary: Summary) -> Values:
    """Return actual minus forecast of each 24-hour total or maximum (origins x days) of hours (origins x leads).

    Both sides use the observed hours only, totals scaled to 24 hours; a day with fewer than 18 of them is NaN.
    """
    happened, expected = (day_summaries(actuals, side, summary) for side in (actuals, forecasts))
    return happened - expected


def day_summaries(actuals: Values, hours: Values, summary: Summary) -> Values:
    """Return the 24-hour totals or maxima of `hours` where `actuals` (same shape) were observed, see day_residuals."""
    days = actuals.shape[1] // DAY
    shape = (len(actuals), days, DAY)
    is_observed = np.isfinite(actuals[:, : days * DAY].reshape(shape))
    known = np.where(is_observed, hours[:, : days * DAY].reshape(shape), 0.0)
    count = is_observed.sum(axis=2)
    figures = known.sum(axis=2) * DAY / np.maximum(count, 1) if summary == "total" else known.max(axis=2)
    return np.where(count >= MIN_DAY_HOURS, figures, np.nan)


def past_hour_bands(test: Backtest) -> dict[int, Band]:
    """Return the band of every past origin that had at least 6 origins before it, by its position in the backtest.

    Each is made with what had been seen at that origin and nothing later.
    """
    bands = {}
    for position in range(MIN_CALIBRATION_ORIGINS, len(test.origins)):
        residuals = test.seen[position] - test.forecasts[:position]
        if np.isfinite(residuals).any():
            at, before = test.origins[position], test.origins[:position]
            bands[position] = hourly_band(test.forecasts[position], residuals, before, at)
    return bands


def above_hours(maxima: Band, hourly: Band) -> Band:
    """Raise the low ends of daily maxima to the highest low end of their hours: a maximum is no lower than any hour."""
    days = len(maxima.forecast)
    low_80, low_95 = (part[: days * DAY].reshape(days, DAY).max(axis=1) for part in (hourly.low_80, hourly.low_95))
    low_80 = np.minimum(np.maximum(maxima.low_80, low_80), maxima.forecast)
    low_95 = np.minimum(np.maximum(maxima.low_95, low_95), low_80)
    return replace(maxima, low_80=low_80, low_95=low_95)


def past_day_bands(test: Backtest, summary: Summary, hour_bands: dict[int, Band]) -> dict[int, Band]:
    """Return the band on totals or maxima of every past origin with at least 6 origins before it.

    `hour_bands` are those of `past_hour_bands`.
    """
    bands = {}
    for position in range(MIN_CALIBRATION_ORIGINS, len(test.origins)):
        residuals = day_residuals(test.seen[position], test.forecasts[:position], summary)
        if np.isfinite(residuals).any():
            row = slice(position, position + 1)
            expected = day_summaries(test.actuals[row], test.forecasts[row], summary)[0]
            at, before = test.origins[position], test.origins[:position]
            band = summary_band(np.nan_to_num(expected), residuals, before, at, summary)
            bands[position] = band if summary == "total" else above_hours(band, hour_bands[position])
    return bands


def uncalibrated_band(forecast: Values, history: Values) -> Band:
    """Put a wide band around a forecast that nothing can be calibrated on, from the spread of the last two days.

    80 %: the largest departure of those hours from their mean, at least half the forecast; 95 %: twice that.
    """
    recent = history[-2 * DAY :]
    reach = np.maximum(np.abs(recent - recent.mean()).max(), forecast / 2)
    return _band(forecast, np.array([-reach, reach, -2 * reach, 2 * reach]))


def coverage(bands: dict[int, Band], actuals: Values, first: int = 0, after: int | None = None) -> tuple[Coverage, ...]:
    """Return how often past bands held `actuals` (origins x leads), leads `first` to `after` - 1 only; 80 then 95 %."""
    found = []
    for level in LEVELS:
        inside = count = origins = 0
        for position, band in bands.items():
            seen = actuals[position, first:after]
            low = (band.low_80 if level == 80 else band.low_95)[first:after]
            high = (band.high_80 if level == 80 else band.high_95)[first:after]
            observed = np.isfinite(seen)
            inside += int(is_inside(seen[observed], low[observed], high[observed]).sum())
            count += int(observed.sum())
            origins += bool(observed.any())
        found.append(Coverage(level, inside / count if count else None, count, origins))
    return tuple(found)


def is_inside(actuals: Values, low: Values, high: Values) -> Flags:
    """Tell which actuals lie between low and high, ends included (up to rounding in the last digits)."""
    slack = 1e-9 * np.maximum(np.abs(actuals), 1e-300)
    inside: Flags = (actuals >= low - slack) & (actuals <= high + slack)
    return inside


def weighted_quantiles(values: Values, weights: Values, share: float) -> Values:
    """Return the upper `share` quantile of `values` under each row of `weights` (targets x values), one per row.

    The conformal rank rule: the rank is (n + 1) x share with n the effective number of values under the weights, and
    the largest value when that exceeds n.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1)
    total = reached[:, -1]
    effective = total**2 / (weights**2).sum(axis=1)
    wanted = np.minimum(share * (effective + 1) / effective, 1.0) * total
    rank = np.argmax(reached >= (wanted * (1 - 1e-12))[:, None], axis=1)
    quantiles: Values = values[order][rank]
    return quantiles


def _levels(origins: Sequence[int]) -> dict[int, float]:
    """Return the quantile level to use for each nominal one: raised while there are less than 21 days of residuals."""
    span = origins[-1] - origins[0] + STEP_HOURS if len(origins) else 0
    return LEVELS if span >= LONG_CALIBRATION_HOURS else SHORT_LEVELS


def _band(forecast: Values, offsets: Values) -> Band:
    """Add offsets to a forecast, never below 0, the forecast inside its band and the 80 % band inside the 95 % one."""
    low_80, high_80, low_95, high_95 = np.maximum(forecast + offsets, 0.0)
    low_80, high_80 = np.minimum(low_80, forecast), np.maximum(high_80, forecast)
    return Band(forecast, low_80, high_80, np.minimum(low_95, low_80), np.maximum(high_95, high_80))
