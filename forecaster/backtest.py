"""Rolling-origin backtest: what would have been forecast every 12 hours, from nothing but the hours before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecaster.gaps import gap_flags, repaired
from forecaster.models import DAY, MIN_POOL_HOURS, TRAIN_HOURS, member_forecasts, seasonal_naive, weighted_median
from forecaster.series import Flags, Values

STEP_HOURS = 12
MAX_ORIGINS = 42  # 21 days: from there on the bands need no allowance for traffic that does not repeat itself
WINDOW_HOURS = TRAIN_HOURS + 7 * DAY  # what one origin looks at: training, and a week more to judge gaps by
WEIGHT_POWER = 2.0
# Error of "as good as yesterday", as many origins of it, that every member starts with: with few origins they
# would otherwise be ranked by luck.
WEIGHT_SHRINK_ORIGINS = 4.0
SMALLEST_ERROR = 1e-9  # below any unit of ours: what is divided by it stays finite
GUARD_ORIGINS = 21  # the guard at 8 origins cost 1 % on the tuning data: it fired on luck
GUARD_RATIO = 1.05


@dataclass(frozen=True, eq=False)
class Fit:
    """All members' forecasts made at one origin, and which hours before it were then known to be gaps.

    `origin` is the index of the first hour forecast; `members` maps a name to `horizon` values; `window_start` is the
    index of the first hour looked at, `gaps[i]` tells of hour `window_start + i`.
    """

    origin: int
    members: dict[str, Values]
    baseline: Values
    window_start: int
    gaps: Flags

    def actuals(self, values: Values, origins: Sequence[int], horizon: int) -> Values:
        """Return what followed each earlier origin (origins x horizon): NaN for gaps and all not yet seen here.

        The origins lie inside the window, which is longer than any backtest.
        """
        seen = np.where(self.gaps, np.nan, values[self.window_start : self.origin])
        known = np.concatenate((seen, np.full(horizon, np.nan)))
        first = np.array(origins, dtype=np.int64).reshape(-1, 1) - self.window_start
        actuals: Values = known[first + np.arange(horizon)]
        return actuals


@dataclass(frozen=True, eq=False)
class Combined:
    """The forecast made at one origin: hourly values, the members' weights, and whether the guard stepped in."""

    origin: int
    forecast: Values
    weights: dict[str, float]
    is_fallback: bool


@dataclass(frozen=True, eq=False)
class Backtest:
    """Past forecasts beside what happened, as known at `made_at` (an index); arrays are origins x horizon.

    `actuals` holds NaN for gaps and for hours at or after `made_at`; `seen[i]` is the same as known at the i-th origin,
    for the origins before it. `members` holds NaN where one did not take part.
    """

    made_at: int
    origins: tuple[int, ...]
    actuals: Values
    seen: tuple[Values, ...]
    forecasts: Values
    baseline: Values
    members: dict[str, Values]

    @property
    def residuals(self) -> Values:
        """Return actual minus forecast (origins x horizon)."""
        return self.actuals - self.forecasts


def fit_at(values: Values, origin: int, horizon: int) -> Fit:
    """Fit every member on the hours before `origin`, gaps found and filled with those hours only."""
    start = max(origin - WINDOW_HOURS, 0)
    seen = values[start:origin]
    gaps = gap_flags(seen)
    history = repaired(seen, gaps)[-TRAIN_HOURS:]
    return Fit(origin, member_forecasts(history, horizon), seasonal_naive(history, horizon), start, gaps)


def backtest_origins(made_at: int, most: int = MAX_ORIGINS) -> tuple[int, ...]:
    """Return the origins before `made_at`, oldest first: every 12 hours back, none with less than 48 h of history."""
    count = min(most, max((made_at - MIN_POOL_HOURS) // STEP_HOURS, 0))
    return tuple(made_at - STEP_HOURS * back for back in range(count, 0, -1))


def combine(values: Values, fits: Sequence[Fit]) -> list[Combined]:
    """Combine the members at each of `fits` (in time order), each time weighing them by what had been seen by then.

    The forecast is the hourly weighted median, weight = (mean absolute error relative to the seasonal naive) to the
    power -2 over the first 24 hours of the earlier origins. When the combination itself has lost to the seasonal naive
    by more than 5 % over at least 21 origins, the seasonal naive is used and `is_fallback` set.
    """
    combined: list[Combined] = []
    for position, fit in enumerate(fits):
        past = slice(max(position - MAX_ORIGINS, 0), position)
        actuals = fit.actuals(values, [earlier.origin for earlier in fits[past]], DAY)
        naive = _mean_abs(actuals, [earlier.baseline for earlier in fits[past]])
        weights = {name: _weight(name, fits[past], actuals, naive) for name in fit.members}
        forecast = weighted_median(np.array(list(fit.members.values())), np.array(list(weights.values())))
        errors = _mean_abs(actuals, [earlier.forecast for earlier in combined[past]])
        is_fallback = len(errors) >= GUARD_ORIGINS and bool(np.nansum(errors) > GUARD_RATIO * np.nansum(naive))
        combined.append(Combined(fit.origin, fit.baseline if is_fallback else forecast, weights, is_fallback))
    return combined


def backtest(values: Values, fits: Sequence[Fit], combined: Sequence[Combined], now: Fit) -> Backtest:
    """Set past forecasts beside what had happened at the origin of `now`; `fits` and `combined` lie before it."""
    horizon = len(now.baseline)
    origins = tuple(fit.origin for fit in fits)
    names = list(dict.fromkeys(name for fit in fits for name in fit.members))
    missing = np.full(horizon, np.nan)
    return Backtest(
        made_at=now.origin,
        origins=origins,
        actuals=now.actuals(values, origins, horizon),
        seen=tuple(fit.actuals(values, origins[:position], horizon) for position, fit in enumerate(fits)),
        forecasts=_stacked([one.forecast for one in combined], horizon),
        baseline=_stacked([fit.baseline for fit in fits], horizon),
        members={name: _stacked([fit.members.get(name, missing) for fit in fits], horizon) for name in names},
    )


def _weight(name: str, fits: Sequence[Fit], actuals: Values, naive: Values) -> float:
    """Return a member's weight from its errors at the origins it took part in, shrunk towards 1."""
    took_part = np.array([name in fit.members for fit in fits], dtype=np.bool_) & np.isfinite(naive)
    if not took_part.any():
        return 1.0
    errors = _mean_abs(actuals[took_part], [fit.members[name] for fit, own in zip(fits, took_part, strict=True) if own])
    prior = WEIGHT_SHRINK_ORIGINS * naive[took_part].mean()
    ratio = (errors.sum() + prior) / max(naive[took_part].sum() + prior, SMALLEST_ERROR)
    return float(max(ratio, 0.05) ** -WEIGHT_POWER)


def _mean_abs(actuals: Values, forecasts: Sequence[Values]) -> Values:
    """Return the mean absolute error of each origin over its observed hours (NaN where none is)."""
    if not len(forecasts):
        return np.empty(0)
    errors = np.abs(actuals - np.array(forecasts)[:, : actuals.shape[1]])
    counts = np.isfinite(errors).sum(axis=1)
    means: Values = np.where(counts > 0, np.nansum(errors, axis=1) / np.maximum(counts, 1), np.nan)
    return means


def _stacked(rows: Sequence[Values], horizon: int) -> Values:
    return np.array(rows, dtype=np.float64).reshape(len(rows), horizon)
