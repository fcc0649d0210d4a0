"""Measure the forecaster on real series: error against the seasonal naive, coverage, width, CRPS and time.

Every 12 hours from hour 168 on a forecast is made from the hours before it, exactly as `forecast` would, and compared
with what followed. Logging gaps are not scored: hours in which the whole workload (the series named before the first
"/", else the sum of that name's series) lost its logs, and missing values. The seasonal naive repeats repaired hours
too: against raw gaps it would look worse.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from forecaster.backtest import MAX_ORIGINS, STEP_HOURS, backtest, combine, fit_at
from forecaster.gaps import gap_flags
from forecaster.intervals import Band, hourly_band, is_inside
from forecaster.models import DAY, MIN_POOL_HOURS, WEEK
from forecaster.series import Flags, HourlySeries, Values

HORIZONS = (DAY, 2 * DAY)
FIRST_ORIGIN = WEEK
SHORT_FIRST_ORIGIN = 3 * DAY  # for files with less than 9 days
QUANTILES = np.array([0.025, 0.1, 0.5, 0.9, 0.975])


@dataclass(frozen=True)
class Result:
    """Figures of one series at one horizon, over `origin_count` origins and `hour_count` scored hours.

    `mae` and `naive_mae` in units of the series; widths and CRPS (from five quantiles) relative to the seasonal naive's
    MAE, so that series compare; `naive_crps` the same for the seasonal naive with bands of its own residuals.
    """

    workload: str
    metric: str
    horizon: int
    origin_count: int
    hour_count: int
    mae: float
    naive_mae: float
    coverage_80: float
    coverage_95: float
    width_80: float
    width_95: float
    crps: float
    naive_crps: float

    @property
    def relative_mae(self) -> float:
        """Return MAE over the seasonal naive's."""
        return self.mae / self.naive_mae


@dataclass(frozen=True)
class Skipped:
    """A series that cannot be scored, and why."""

    workload: str
    metric: str
    reason: str


@dataclass(frozen=True)
class SeriesEvaluation:
    """All figures of one series, or why there are none, and the seconds it took."""

    results: tuple[Result, ...]
    skipped: Skipped | None
    seconds: float


@dataclass(frozen=True)
class Pooled:
    """Figures over many series at one horizon: geometric means of ratios, plain means of shares."""

    group: str
    horizon: int
    series_count: int
    hour_count: int
    relative_mae: float
    won_share: float
    worst_relative_mae: float
    coverage_80: float
    coverage_95: float
    width_80: float
    width_95: float
    relative_crps: float


@dataclass(frozen=True, eq=False)
class _Row:
    """One origin's forecast with its bands, and the seasonal naive with its own."""

    origin: int
    band: Band
    naive: Band


def evaluate_series(series: HourlySeries, outages: Flags, most_origins: int) -> SeriesEvaluation:
    """Score one series at 24 and 48 hours; `outages` flags hours that are not scored, from its first hour on."""
    started = time.perf_counter()
    count = len(series.values)
    first = FIRST_ORIGIN if count >= FIRST_ORIGIN + 2 * DAY else SHORT_FIRST_ORIGIN
    origins = list(range(first, count - DAY + 1, STEP_HOURS))[-most_origins:]
    if not origins:
        reason = f"{count} hours are too few: {SHORT_FIRST_ORIGIN + DAY} needed to score one day after three"
        return SeriesEvaluation((), Skipped(series.workload, series.metric, reason), time.perf_counter() - started)
    earliest = max(origins[0] - MAX_ORIGINS * STEP_HOURS, MIN_POOL_HOURS + (origins[0] - MIN_POOL_HOURS) % STEP_HOURS)
    fits = [fit_at(series.values, origin, max(HORIZONS)) for origin in range(earliest, origins[-1] + 1, STEP_HOURS)]
    combined = combine(series.values, fits)
    rows = []
    for position, fit in enumerate(fits):
        if fit.origin < origins[0]:
            continue
        before = slice(max(position - MAX_ORIGINS, 0), position)
        test = backtest(series.values, fits[before], combined[before], fit)
        band = hourly_band(combined[position].forecast, test.residuals, test.origins, fit.origin)
        naive = hourly_band(fit.baseline, test.actuals - test.baseline, test.origins, fit.origin)
        rows.append(_Row(fit.origin, band, naive))
    results = tuple(_result(series, outages, rows, horizon) for horizon in HORIZONS)
    found = tuple(result for result in results if result)
    never = Skipped(series.workload, series.metric, "the same hour yesterday never erred: no ratio to score")
    return SeriesEvaluation(found, None if found else never, time.perf_counter() - started)


def _result(series: HourlySeries, outages: Flags, rows: Sequence[_Row], horizon: int) -> Result | None:
    """Return the figures at one horizon over the origins that leave it; None when the naive forecast never erred."""
    whole = [row for row in rows if row.origin + horizon <= len(series.values)]
    if not whole:
        return None
    index = np.array([row.origin for row in whole])[:, None] + np.arange(horizon)
    actuals = np.where(outages[index], np.nan, series.values[index])
    seen = np.isfinite(actuals)
    happened = actuals[seen]
    ours = np.stack([row.band.stacked()[:, :horizon] for row in whole], axis=1)[:, seen]
    naive = np.stack([row.naive.stacked()[:, :horizon] for row in whole], axis=1)[:, seen]
    naive_mae = float(np.abs(happened - naive[2]).mean()) if happened.size else 0.0
    if naive_mae == 0:
        return None
    return Result(
        workload=series.workload,
        metric=series.metric,
        horizon=horizon,
        origin_count=len(whole),
        hour_count=int(seen.sum()),
        mae=float(np.abs(happened - ours[2]).mean()),
        naive_mae=naive_mae,
        coverage_80=float(is_inside(happened, ours[1], ours[3]).mean()),
        coverage_95=float(is_inside(happened, ours[0], ours[4]).mean()),
        width_80=float((ours[3] - ours[1]).mean()) / naive_mae,
        width_95=float((ours[4] - ours[0]).mean()) / naive_mae,
        crps=_crps(happened, ours) / naive_mae,
        naive_crps=_crps(happened, naive) / naive_mae,
    )


def _crps(actuals: Values, quantiles: Values) -> float:
    """Return twice the mean pinball loss over the five quantiles, which approximates the CRPS (Gneiting 2011)."""
    misses = actuals - quantiles
    shares = QUANTILES[:, None]
    return float(2 * np.maximum(shares * misses, (shares - 1) * misses).mean())


def pooled(group: str, results: Iterable[Result]) -> tuple[Pooled, ...]:
    """Pool results by horizon; horizons without any are left out."""
    rows = list(results)
    found = []
    for horizon in HORIZONS:
        own = [row for row in rows if row.horizon == horizon]
        if own:
            found.append(_pooled(group, horizon, own))
    return tuple(found)


def _pooled(group: str, horizon: int, rows: Sequence[Result]) -> Pooled:
    ratios = [row.relative_mae for row in rows]
    return Pooled(
        group=group,
        horizon=horizon,
        series_count=len(rows),
        hour_count=sum(row.hour_count for row in rows),
        relative_mae=_geometric_mean(ratios),
        won_share=sum(ratio < 1 for ratio in ratios) / len(rows),
        worst_relative_mae=max(ratios),
        coverage_80=sum(row.coverage_80 for row in rows) / len(rows),
        coverage_95=sum(row.coverage_95 for row in rows) / len(rows),
        width_80=_geometric_mean([row.width_80 for row in rows]),
        width_95=_geometric_mean([row.width_95 for row in rows]),
        relative_crps=_geometric_mean([row.crps / row.naive_crps for row in rows]),
    )


def _geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean; zeros count as one millionth, so that one perfect series does not decide it."""
    return math.exp(sum(math.log(max(value, 1e-6)) for value in values) / len(values))


def outage_flags(series: Sequence[HourlySeries]) -> dict[str, Flags]:
    """Return, per workload of one metric, the hours in which its whole group lost its logs.

    A group is what comes before the first "/": its total is the series of that name, else the sum of its members.
    """
    groups: dict[str, list[HourlySeries]] = {}
    for one in series:
        groups.setdefault(one.workload.split("/")[0], []).append(one)
    flags: dict[str, Flags] = {}
    for group, members in groups.items():
        start = min(one.starts_at for one in members)
        places = {one.workload: slice(at := -one.index_at(start), at + len(one.values)) for one in members}
        whole = [one for one in members if one.workload == group] or members
        total = np.zeros(max(place.stop for place in places.values()))
        observed = np.zeros(len(total), dtype=np.bool_)
        for one in whole:
            total[places[one.workload]] += np.nan_to_num(one.values)
            observed[places[one.workload]] |= np.isfinite(one.values)
        lost = gap_flags(np.where(observed, total, np.nan)) & observed
        flags |= {one.workload: lost[places[one.workload]] for one in members}
    return flags
