"""Budget and capacity: when money runs out, what a month will cost, which hours will hit a rate limit.

All of it is read off the paths of `daily.py` (sums keep their dependence between days) or the misses behind the hourly
bands (a probability per hour). Amounts are in whatever unit the forecast has, USD for budgets, tokens for limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from forecaster.daily import path_band
from forecaster.forecast import Forecast
from forecaster.intervals import SHORT_LEVELS, exceedance
from forecaster.models import DAY
from forecaster.series import SeriesError, Values

MINUTES = 60


@dataclass(frozen=True)
class Spend:
    """What will have been spent by `until`, `spent` so far included; `over_budget_ratio` is P(more than the budget)."""

    until: datetime
    spent: float
    expected: float
    low_80: float
    high_80: float
    low_95: float
    high_95: float
    budget: float | None
    over_budget_ratio: float | None


@dataclass(frozen=True)
class RunOut:
    """When a budget is used up, looking as far as `horizon_ends_at`; a time beyond that is None.

    `probability_ratio` is the chance to run out before then. `expected_at` is the median, `early_80_at` to `late_80_at`
    the central 80 % range, `by_80_at` the time by which it is gone with 80 % probability.
    """

    horizon_ends_at: datetime
    probability_ratio: float
    expected_at: datetime | None
    early_80_at: datetime | None
    late_80_at: datetime | None
    by_80_at: datetime | None


@dataclass(frozen=True)
class RiskHour:
    """An hour that may exceed a rate limit: its probability and its forecast, as an average per minute."""

    starts_at: datetime
    exceeds_ratio: float
    forecast_per_minute: float
    high_95_per_minute: float


@dataclass(frozen=True)
class RateRisk:
    """Hours at risk above a limit per minute: how many to expect, and those likely enough to be shown."""

    limit_per_minute: float
    peak_ratio: float
    hour_count: int
    expected_hours: float
    hours: tuple[RiskHour, ...]


def spend_until(
    paths: Values, starts_at: datetime, spent: float, until: datetime, budget: float | None = None
) -> Spend:
    """Return the spend by `until` (such as the end of the month).

    `paths` (paths x days of 24 hours from `starts_at`) come from a DailyOutlook and must reach `until`; a part of a day
    counts in proportion. `spent` is what this period has cost before `starts_at`. Raises SeriesError.
    """
    _check_paths(paths)
    days = (until - starts_at) / timedelta(days=1)
    if days > paths.shape[1]:
        raise SeriesError(
            f"spend: expected paths to {until:%Y-%m-%d %H:%M}, found {paths.shape[1]} days from"
            f" {starts_at:%Y-%m-%d %H:%M}; forecast {int(np.ceil(days)) * DAY} hours"
        )
    whole = max(int(days), 0)
    sums = spent + paths[:, :whole].sum(axis=1)
    if days > whole:
        sums = sums + paths[:, whole] * (days - whole)
    band = path_band(sums[:, None])
    over = None if budget is None else float((sums > budget).mean())
    expected, low_80, high_80, low_95, high_95 = (float(part[0]) for part in band.parts())
    return Spend(until, spent, expected, low_80, high_80, low_95, high_95, budget, over)


def run_out(paths: Values, starts_at: datetime, remaining: float) -> RunOut:
    """Return when `remaining` is used up, by linear interpolation inside a day; see `spend_until` for the arguments.

    Raises SeriesError when there are no paths.
    """
    _check_paths(paths)
    if remaining <= 0:
        return RunOut(starts_at + timedelta(days=paths.shape[1]), 1.0, starts_at, starts_at, starts_at, starts_at)
    sums = np.cumsum(paths, axis=1)
    has_run_out = sums[:, -1] >= remaining
    day = np.argmax(sums >= remaining, axis=1)
    rows = np.arange(len(paths))
    before = np.where(day > 0, sums[rows, day - 1], 0.0)
    inside = (remaining - before) / np.maximum(paths[rows, day], 1e-300)
    moments = np.sort(np.where(has_run_out, day + inside, np.inf))
    early, late = (_moment(moments, 0.5 + sign * SHORT_LEVELS[80] / 2, starts_at) for sign in (-1, 1))
    return RunOut(
        horizon_ends_at=starts_at + timedelta(days=paths.shape[1]),
        probability_ratio=float(has_run_out.mean()),
        expected_at=_moment(moments, 0.5, starts_at),
        early_80_at=early,
        late_80_at=late,
        by_80_at=_moment(moments, 0.8, starts_at),
    )


def rate_risk(
    forecast: Forecast, limit_per_minute: float, peak_ratio: float = 1.0, shown_from: float = 0.05
) -> RateRisk:
    """Return the hours whose rate may exceed `limit_per_minute`.

    Hourly data knows averages; `peak_ratio` is how much the busiest minute of an hour exceeds its mean (measure it, 1
    means even traffic). Raises SeriesError when the limit or the ratio is not positive or there is no backtest yet.
    """
    if limit_per_minute <= 0 or peak_ratio < 1:
        raise SeriesError(
            "rate limit: expected a limit above 0 and a peak ratio of at least 1, found"
            f" {limit_per_minute:g} and {peak_ratio:g}; correct them"
        )
    test = forecast.test
    if not np.isfinite(test.residuals).any():
        raise SeriesError(
            f"rate limit for {forecast.series.name}: expected at least 60 hours of history, found"
            f" {len(forecast.history)}; wait for more data"
        )
    hours = len(forecast.hourly.forecast)
    scale = forecast.scale[:hours]
    limit = limit_per_minute * MINUTES / peak_ratio
    chances = exceedance(forecast.point[:hours] / scale, test.residuals, test.origins, test.made_at, limit / scale)
    found = [
        RiskHour(
            starts_at=forecast.series.hour_at(len(forecast.history) + hour),
            exceeds_ratio=float(chances[hour]),
            forecast_per_minute=float(forecast.hourly.forecast[hour]) * peak_ratio / MINUTES,
            high_95_per_minute=float(forecast.hourly.high_95[hour]) * peak_ratio / MINUTES,
        )
        for hour in np.flatnonzero(chances >= shown_from).tolist()
    ]
    return RateRisk(limit_per_minute, peak_ratio, hours, float(chances.sum()), tuple(found))


def _check_paths(paths: Values) -> None:
    if not len(paths):
        raise SeriesError("budget: expected at least 5 days of history, found less; wait for more data")


def _moment(ordered_days: Values, share: float, starts_at: datetime) -> datetime | None:
    """Return the moment by which `share` of the paths have run out; None when fewer do."""
    rank = min(int(np.ceil(share * len(ordered_days))) - 1, len(ordered_days) - 1)
    days = float(ordered_days[max(rank, 0)])
    return starts_at + timedelta(days=days) if np.isfinite(days) else None
