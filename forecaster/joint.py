"""Forecasts of weighted sums: cost from tokens and prices, several models together, one plan against another.

The sum of two 80 % ranges is no 80 % range. A sum's own backtest is: at every past origin the parts were forecast
together, so their misses are added hour by hour, and the ranges come from those sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecaster.backtest import Backtest, Combined
from forecaster.forecast import HOURLY_HOURS, Forecast, assemble
from forecaster.intervals import Band
from forecaster.models import DAY
from forecaster.series import HourlySeries, SeriesError, Values

TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, eq=False)
class Part:
    """One summand: a forecast and what one unit of it counts for (such as USD per token)."""

    forecast: Forecast
    weight: float


def joint_forecast(workload: str, metric: str, parts: Sequence[Part], horizon: int, seed: int = 0) -> Forecast:
    """Forecast a weighted sum of series that end at the same hour, with bands from their joint residuals.

    All parts must have been forecast for `horizon`; the sum is hourly as far as all of them are. A part that starts
    later than the others counts as 0 before. Raises SeriesError when the parts do not end together or are too short.
    """
    ends = {part.forecast.series.ends_at for part in parts}
    if len(ends) != 1:
        found = ", ".join(
            f"{part.forecast.series.name} {part.forecast.series.ends_at:%Y-%m-%dT%H:%MZ}" for part in parts
        )
        raise SeriesError(
            f"forecast of {workload} {metric}: expected parts that end at the same hour, found {found or 'none'};"
            " cut them to a common end"
        )
    longest = max(parts, key=lambda part: len(part.forecast.history)).forecast
    hours = len(longest.history)
    length = min(part.forecast.test.forecasts.shape[1] for part in parts)
    if length < min(horizon, HOURLY_HOURS):
        raise SeriesError(
            f"forecast of {workload} {metric}: expected parts forecast for {horizon} hours, found {length};"
            " forecast them with the same horizon"
        )
    values = np.sum([part.weight * _padded(part.forecast.series.values, hours) for part in parts], axis=0)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.forecast.series.notes))
    series = HourlySeries(workload, metric, longest.series.starts_at, values, notes)
    now = Combined(
        origin=hours,
        forecast=np.sum([part.weight * part.forecast.point[:length] for part in parts], axis=0),
        weights={},
        is_fallback=any(part.forecast.is_fallback for part in parts),
    )
    return assemble(series, now, _joint_test(parts, longest.test, length), horizon, seed)


def cost_forecast(
    workload: str, tokens: tuple[Forecast, Forecast], usd_per_mtok: tuple[float, float], horizon: int, seed: int = 0
) -> Forecast:
    """Forecast cost in USD from the forecasts of input and output tokens and their prices per million tokens."""
    parts = [Part(part, price / TOKENS_PER_PRICE) for part, price in zip(tokens, usd_per_mtok, strict=True)]
    return joint_forecast(workload, "cost_usd", parts, horizon, seed)


def scaled(forecast: Forecast, factors: Values) -> Forecast:
    """Return a forecast with hour i of the future multiplied by `factors[i]`, bands, totals and paths with it.

    `factors` covers the whole horizon; a day without a factor of its own takes the last one.
    """
    point = forecast.point * _fitted(factors, len(forecast.point))
    by_day = point.reshape(-1, DAY).sum(axis=1) / np.maximum(forecast.point.reshape(-1, DAY).sum(axis=1), 1e-300)
    daily = forecast.daily
    if daily is not None:
        days = _fitted(factors, daily.paths.shape[1] * DAY).reshape(-1, DAY).mean(axis=1)
        daily = replace(daily, band=_times(daily.band, days), paths=daily.paths * days)
    return replace(
        forecast,
        point=point,
        scale=forecast.scale * _fitted(factors, len(forecast.point)),
        hourly=_times(forecast.hourly, _fitted(factors, len(forecast.hourly.forecast))),
        totals=_times(forecast.totals, by_day),
        maxima=_times(forecast.maxima, by_day),
        daily=daily,
    )


def _joint_test(parts: Sequence[Part], longest: Backtest, length: int) -> Backtest:
    """Return the backtest of the weighted sum, on the origins of the part with the longest history."""
    tests = [part.forecast.test for part in parts]
    count = len(longest.origins)

    def summed(arrays: Sequence[Values], rows: int = count) -> Values:
        weighted = [part.weight * _padded(one[:, :length], rows) for part, one in zip(parts, arrays, strict=True)]
        total: Values = np.sum(weighted, axis=0)
        return total

    def seen(position: int) -> Values:
        own = [position - count + len(test.origins) for test in tests]
        known = [test.seen[at] if at >= 0 else np.empty((0, length)) for test, at in zip(tests, own, strict=True)]
        return summed(known, position)

    return Backtest(
        made_at=longest.made_at,
        origins=longest.origins,
        actuals=summed([test.actuals for test in tests]),
        seen=tuple(seen(position) for position in range(count)),
        forecasts=summed([test.forecasts for test in tests]),
        baseline=summed([test.baseline for test in tests]),
        members={},
    )


def _padded(array: Values, rows: int) -> Values:
    """Put rows of 0 before an array until it has `rows` rows: a part that did not exist yet adds nothing."""
    return np.concatenate((np.zeros((rows - len(array), *array.shape[1:])), array))


def _fitted(factors: Values, length: int) -> Values:
    """Cut factors to a length, or repeat the last one up to it."""
    return np.concatenate((factors[:length], np.full(max(length - len(factors), 0), factors[-1])))


def _times(band: Band, factors: Values) -> Band:
    return Band(*(part * factors for part in band.parts()))
