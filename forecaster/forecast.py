"""Forecast one hourly series: point forecast, calibrated bands, backtest, and what a reader must know about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from forecaster.backtest import MAX_ORIGINS, Backtest, Combined, backtest, backtest_origins, combine, fit_at
from forecaster.daily import DailyOutlook, daily_outlook
from forecaster.gaps import LevelShift, Stretch, gap_flags, level_shifts, repaired, silences, stretches
from forecaster.intervals import (
    Band,
    Coverage,
    Summary,
    above_hours,
    coverage,
    day_residuals,
    day_summaries,
    hourly_band,
    past_day_bands,
    past_hour_bands,
    summary_band,
    uncalibrated_band,
)
from forecaster.models import DAY, MIN_POOL_HOURS, POOL, WEEK
from forecaster.series import HourlySeries, SeriesError, Values

State = Literal["level only", "provisional", "short history", "calibrated"]

HOURLY_HOURS = 2 * DAY
LONG_HOURLY_HOURS = WEEK
LONG_HOURLY_NEEDS = 14 * DAY
MAX_HORIZON = 366 * DAY
CALIBRATED_HOURS = WEEK
COVERAGE_LEADS = (0, DAY, HOURLY_HOURS, LONG_HOURLY_HOURS)
MIN_CALIBRATED_SHARE = 0.5


@dataclass(frozen=True)
class Score:
    """How one method did in the backtest at leads `first_lead` to `last_lead` (hours, 1 = the first hour forecast).

    `mae` is in units of the series, `relative_mae` the same over the seasonal naive's on the same hours (None when that
    one never erred), `relative_sd` the standard deviation over origins of an origin's MAE in those units.
    """

    method: str
    label: str
    first_lead: int
    last_lead: int
    mae: float
    relative_mae: float | None
    relative_sd: float | None
    origin_count: int


@dataclass(frozen=True, eq=False)
class Forecast:
    """Everything known about the hours after `series`.

    `hourly` has one value per hour from `series.ends_at` (`point` the same without bands, to the end of its last day);
    `totals` and `maxima` one per whole 24 hours from there, each with its own interval; `daily` one total per 24 hours
    when the horizon reaches beyond the hourly forecast, else None. The coverages say how often past bands held:
    `hourly_coverage` by lead range (first, last), the others for the first day. `history` is the series with its gaps
    filled. `scale` is what a scenario multiplied each hour of `point` by, else 1. `state` and `notes` are to be shown.
    """

    series: HourlySeries
    state: State
    notes: tuple[str, ...]
    point: Values
    scale: Values
    hourly: Band
    totals: Band
    maxima: Band
    daily: DailyOutlook | None
    hourly_coverage: dict[tuple[int, int], tuple[Coverage, ...]]
    total_coverage: tuple[Coverage, ...]
    maximum_coverage: tuple[Coverage, ...]
    scores: tuple[Score, ...]
    weights: dict[str, float]
    is_fallback: bool
    history: Values
    gaps: tuple[Stretch, ...]
    silences: tuple[Stretch, ...]
    shifts: tuple[LevelShift, ...]
    test: Backtest


def forecast(series: HourlySeries, horizon: int = HOURLY_HOURS, origins: int = MAX_ORIGINS, seed: int = 0) -> Forecast:
    """Forecast `horizon` hours after the end of a series, backtested at up to `origins` earlier times.

    Hour by hour to 48 hours, to 7 days with at least 14 days of history; beyond, 24-hour totals. `seed` is for the
    paths of those totals only. Raises SeriesError for a horizon that is not 1 to 8,784 hours.
    """
    if not 1 <= horizon <= MAX_HORIZON:
        raise SeriesError(f"forecast: expected a horizon of 1 to {MAX_HORIZON} hours, found {horizon}; choose another")
    values = series.values
    hours = hourly_hours(len(values), horizon)
    length = -(-hours // DAY) * DAY
    fits = [fit_at(values, origin, length) for origin in (*backtest_origins(len(values), origins), len(values))]
    combined = combine(values, fits)
    test = backtest(values, fits[:-1], combined[:-1], fits[-1])
    return assemble(series, combined[-1], test, horizon, seed)


def assemble(series: HourlySeries, now: Combined, test: Backtest, horizon: int, seed: int = 0) -> Forecast:
    """Put bands, totals, coverages and notes around a combined forecast and its backtest (see `forecast`)."""
    flags = gap_flags(series.values)
    history = repaired(series.values, flags)
    hours = min(hourly_hours(len(history), horizon), len(now.forecast))
    state = history_state(int((~flags).sum()), len(history))
    hourly, totals, maxima = _bands(now.forecast, history, test)
    hour_bands = past_hour_bands(test)
    ranges = [(first + 1, min(hours, after)) for first, after in pairwise(COVERAGE_LEADS) if first < hours]
    quiet = silences(series.values)
    shifts = level_shifts(history)
    return Forecast(
        series=series,
        state=state,
        notes=series.notes + _notes(series, state, now.is_fallback, history, horizon, hours, quiet, shifts),
        point=now.forecast,
        scale=np.ones(len(now.forecast)),
        hourly=Band(*(part[:hours] for part in hourly.parts())),
        totals=totals,
        maxima=maxima,
        daily=daily_outlook(history, totals, test, -(-horizon // DAY), seed) if horizon > hours else None,
        hourly_coverage={(a, b): coverage(hour_bands, test.actuals, a - 1, b) for a, b in ranges},
        total_coverage=_day_coverage(test, "total", hour_bands),
        maximum_coverage=_day_coverage(test, "maximum", hour_bands),
        scores=scores(test),
        weights=now.weights,
        is_fallback=now.is_fallback,
        history=history,
        gaps=stretches(flags),
        silences=quiet,
        shifts=shifts,
        test=test,
    )


def hourly_hours(history_hours: int, horizon: int) -> int:
    """Return how many hours of a horizon are forecast hour by hour with so much history."""
    return min(horizon, LONG_HOURLY_HOURS if history_hours >= LONG_HOURLY_NEEDS else HOURLY_HOURS)


def history_state(observed_hours: int, history_hours: int) -> State:
    """Name what so much history allows: bands are called calibrated from 168 observed hours, at least half of all."""
    if observed_hours < DAY:
        return "level only"
    if observed_hours < MIN_POOL_HOURS:
        return "provisional"
    if observed_hours < CALIBRATED_HOURS or observed_hours < MIN_CALIBRATED_SHARE * history_hours:
        return "short history"
    return "calibrated"


def scores(test: Backtest) -> tuple[Score, ...]:
    """Rank every method by its backtest error relative to the seasonal naive, for each range of leads."""
    labels = {"combined": "Weighted median (in use)"} | {member.name: member.label for member in POOL}
    methods = {"combined": test.forecasts, "yesterday": test.baseline} | test.members
    found = []
    for first, last in ((1, 3), (4, 12), (13, 24), (25, 48), (1, 24), (1, 48)):
        part = slice(first - 1, last)
        rows = [
            _score(
                name, labels.get(name, name), first, last, test.actuals[:, part], row[:, part], test.baseline[:, part]
            )
            for name, row in methods.items()
            if row.shape[1] >= last
        ]
        found += sorted(
            (row for row in rows if row), key=lambda row: (row.relative_mae is None, row.relative_mae, row.mae)
        )
    return tuple(found)


def _score(
    method: str, label: str, first: int, last: int, actuals: Values, forecasts: Values, baseline: Values
) -> Score | None:
    errors = np.abs(actuals - forecasts)
    seen = np.isfinite(errors)
    origins = seen.any(axis=1)
    if not origins.any():
        return None
    naive = np.abs(actuals - baseline)[seen].mean()
    per_origin = np.where(seen, errors, 0).sum(axis=1)[origins] / seen.sum(axis=1)[origins]
    mae = float(errors[seen].mean())
    relative, spread = (float(mae / naive), float((per_origin / naive).std())) if naive > 0 else (None, None)
    return Score(method, label, first, last, mae, relative, spread, int(origins.sum()))


def _bands(now: Values, history: Values, test: Backtest) -> tuple[Band, Band, Band]:
    """Return the bands on hours, on 24-hour totals and on daily maxima."""
    totals, maxima = now.reshape(-1, DAY).sum(axis=1), now.reshape(-1, DAY).max(axis=1)
    if not np.isfinite(test.residuals).any():
        hourly = uncalibrated_band(now, history)
        reach = hourly.stacked().reshape(5, -1, DAY)
        return hourly, _from_stacked(reach.sum(axis=2)), _from_stacked(reach.max(axis=2))
    total_errors = day_residuals(test.actuals, test.forecasts, "total")
    peak_errors = day_residuals(test.actuals, test.forecasts, "maximum")
    hourly = hourly_band(now, test.residuals, test.origins, test.made_at)
    if not np.isfinite(total_errors).any():  # less than a day seen: the sum of hourly bands is wider, never narrower
        reach = hourly.stacked().reshape(5, -1, DAY)
        return hourly, _from_stacked(reach.sum(axis=2)), _from_stacked(reach.max(axis=2))
    peaks = summary_band(maxima, peak_errors, test.origins, test.made_at, "maximum")
    return hourly, summary_band(totals, total_errors, test.origins, test.made_at, "total"), above_hours(peaks, hourly)


def _from_stacked(quantiles: Values) -> Band:
    low_95, low_80, forecast, high_80, high_95 = quantiles
    return Band(forecast, low_80, high_80, low_95, high_95)


def _day_coverage(test: Backtest, summary: Summary, hour_bands: dict[int, Band]) -> tuple[Coverage, ...]:
    happened = day_summaries(test.actuals, test.actuals, summary)
    return coverage(past_day_bands(test, summary, hour_bands), happened, 0, 1)


def _notes(
    series: HourlySeries,
    state: State,
    is_fallback: bool,
    history: Values,
    horizon: int,
    hours: int,
    quiet: Sequence[Stretch],
    shifts: Sequence[LevelShift],
) -> tuple[str, ...]:
    """Return what a reader must know before using the figures, most important first."""
    missing = CALIBRATED_HOURS - len(history)
    notes = []
    if state != "calibrated" and missing > 0:
        notes.append(f"{state}: needs {missing} more hours for calibrated bands")
    elif state != "calibrated":
        notes.append(f"{state}: most hours are missing, so the bands are not calibrated")
    if len(history) > 1 and np.ptp(history) == 0:
        notes.append("every hour is the same: the bands are as narrow as a past that has never varied")
    if is_fallback:
        notes.append("the weighted median lost to the same hour yesterday in the backtest: that is used instead")
    if hours > HOURLY_HOURS:
        notes.append("hours beyond the second day: errors grow, do not plan single hours on them")
    if horizon > hours:
        notes.append(f"beyond {hours} hours only 24-hour totals are forecast, from the level of past days")
    if quiet:
        ended = series.hour_at(quiet[-1].last + 1)
        notes.append(
            f"silences of 7 or more zero hours: {len(quiet)}, the last until {ended:%Y-%m-%d %H:%M}, taken as traffic;"
            " if they were outages, empty those values"
        )
    if shifts and shifts[-1].last >= len(history) - DAY:
        begun = series.hour_at(shifts[-1].first)
        notes.append(
            f"the level moved to {shifts[-1].ratio:.2f} times the 3 days before at {begun:%Y-%m-%d %H:%M};"
            " if it is there to stay, train from there"
        )
    return tuple(notes)
