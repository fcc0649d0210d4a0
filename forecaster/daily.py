"""Totals per 24 hours beyond the hourly horizon: a level with the spread of past days, never an extrapolated trend.

A path is drawn block by block: the level is the smoothed total of the days before, and each block repeats how some past
stretch of days compared with the level before it. Paths keep what single days do not show: that a high day is followed
by high days. So sums over them (a month's spend) have honest ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecaster.backtest import Backtest
from forecaster.intervals import (
    LEVELS,
    SHORT_LEVELS,
    Band,
    Coverage,
    day_residuals,
    is_inside,
    uncalibrated_band,
)
from forecaster.models import CAP_RATIO, DAY
from forecaster.series import Values

SMOOTHING = 0.5  # weight of the newest day in the level; 0.2 to 0.7, means and medians were no better at 1 to 7 days
BLOCK_DAYS = 7
MIN_LEVEL_DAYS = 3
MIN_DAYS = 5  # below this there are no two blocks to draw from
MAX_DAYS = 26 * 7
WEEKLY_DAYS = 4 * 7  # from here on days of the week are told apart, as far as they differ by more than noise
PATHS = 2000
COVERAGE_DAYS = 7
COVERAGE_ORIGINS = 26
COVERAGE_PATHS = 400


@dataclass(frozen=True, eq=False)
class DailyOutlook:
    """Totals per 24 hours (`band`, one value per day), the paths behind them (paths x days) and how such bands held.

    `coverage` counts past 7-day sums, each with the range that would have been drawn before it.
    """

    band: Band
    paths: Values
    coverage: tuple[Coverage, ...]


def daily_outlook(history: Values, totals: Band, test: Backtest, days: int, seed: int) -> DailyOutlook:
    """Draw the next `days` totals of 24 hours; the first ones are those of the hourly forecast (`totals`).

    With less than 5 days of history nothing can be drawn: the level repeats under a wide, uncalibrated band, and there
    are no paths.
    """
    past = day_totals(history)
    head = len(totals.forecast)
    if len(past) < MIN_DAYS:
        level = np.full(days, totals.forecast[-1])
        return DailyOutlook(uncalibrated_band(level, np.append(past, 0.0)), np.empty((0, days)), _no_coverage())
    paths = daily_paths(past, totals.forecast, _head_errors(test), days, np.random.default_rng(seed), PATHS)
    band = path_band(paths)
    first = Band(
        *(np.concatenate((own[:days], rest[head:])) for own, rest in zip(totals.parts(), band.parts(), strict=True))
    )
    return DailyOutlook(first, paths, path_coverage(past, seed))


def day_totals(history: Values) -> Values:
    """Return the totals of the whole 24-hour blocks that end with the history, oldest first, at most 26 weeks."""
    count = min(len(history) // DAY, MAX_DAYS)
    totals: Values = history[len(history) - count * DAY :].reshape(count, DAY).sum(axis=1)
    return totals


def daily_paths(
    past: Values, head: Values, head_errors: Values, days: int, random: np.random.Generator, count: int
) -> Values:
    """Return `count` possible futures of daily totals (count x days), never negative.

    The first days are `head` (from the hourly forecast) plus one row of `head_errors` (past misses, rows x those days);
    both may be empty. After them, blocks of days drawn from `past` (at least 5 daily totals), no day above CAP_RATIO
    times the largest of them: where most days are 0, the ratios of the others to their level know no bounds.
    """
    weekday = _weekday_factors(past)
    level_days = past / weekday[np.arange(-len(past), 0) % 7]
    blocks = _ratio_blocks(level_days)
    length = blocks.shape[1]
    cap = CAP_RATIO * level_days.max()
    paths = np.empty((count, days + length))
    done = min(len(head), days) if len(head_errors) else 0
    factors = weekday[np.arange(days + length) % 7]
    if done:
        errors = head_errors[random.integers(len(head_errors), size=count), :done]
        paths[:, :done] = np.maximum(head[:done] + errors, 0) / factors[:done]
    level = _next_level(np.full(count, _levels(level_days)[-1]), paths[:, :done])
    while done < days:
        block = blocks[random.integers(len(blocks), size=count)]
        paths[:, done : done + length] = np.minimum(level[:, None] * block, cap)
        level = _next_level(level, paths[:, done : done + length])
        done += length
    futures: Values = paths[:, :days] * factors[:days]
    return futures


def path_band(paths: Values) -> Band:
    """Return the median of the paths and their central ranges for each day, at the raised levels of short histories.

    Even half a year holds few independent weeks: unraised, 80 % ranges of 7-day sums held 76 % (synthetic drift).
    """
    shares = [0.5, *(0.5 + sign * level / 2 for level in SHORT_LEVELS.values() for sign in (-1, 1))]
    return Band(*np.quantile(paths, shares, axis=0))


def path_coverage(past: Values, seed: int) -> tuple[Coverage, ...]:
    """Return how often the range drawn for the next 7 days held their sum, at up to 26 past days, 80 then 95 %."""
    last = len(past) - COVERAGE_DAYS
    origins = range(max(MIN_DAYS + 2, last - COVERAGE_ORIGINS + 1), last + 1)
    inside = {80: 0, 95: 0}
    for origin in origins:
        paths = daily_paths(
            past[:origin], np.empty(0), np.empty((0, 0)), COVERAGE_DAYS, np.random.default_rng(seed), COVERAGE_PATHS
        )
        band = path_band(paths.sum(axis=1, keepdims=True))
        happened = past[origin : origin + COVERAGE_DAYS].sum(keepdims=True)
        inside[80] += bool(is_inside(happened, band.low_80, band.high_80)[0])
        inside[95] += bool(is_inside(happened, band.low_95, band.high_95)[0])
    count = len(origins)
    return tuple(Coverage(level, hits / count if count else None, count, count) for level, hits in inside.items())


def _levels(past: Values) -> Values:
    """Return the exponentially smoothed level after each day, weights summing to 1 from the first day on."""
    levels = np.empty(len(past))
    weighted = weights = 0.0
    for day, total in enumerate(past):
        weighted = (1 - SMOOTHING) * weighted + total
        weights = (1 - SMOOTHING) * weights + 1
        levels[day] = weighted / weights
    return levels


def _next_level(level: Values, block: Values) -> Values:
    """Return the level after more days (paths x days)."""
    for day in range(block.shape[1]):
        level = (1 - SMOOTHING) * level + SMOOTHING * block[:, day]
    return level


def _weekday_factors(past: Values) -> Values:
    """Return 7 factors with mean 1 for days of the week, the first for the day after the past; all 1 below 4 weeks.

    A factor is the median, over the last 8 weeks, of a day over the mean of the 7 days around it, shrunk to 1 as far as
    the factors' differences are noise.
    """
    count = min(len(past) // 7, 8)
    if count * 7 < WEEKLY_DAYS:
        return np.ones(7)
    recent = past[-count * 7 :]
    around = np.convolve(recent, np.ones(7) / 7, mode="valid")
    ratios = np.full(len(recent), np.nan)
    ratios[3:-3] = np.where(around > 0, recent[3:-3] / np.where(around > 0, around, 1.0), 1.0)
    weeks = ratios.reshape(count, 7)
    factors = np.nanmedian(weeks, axis=0)
    noise = np.nanmean((weeks - factors) ** 2) / count
    signal = factors.var() / (factors.var() + noise) if factors.var() > 0 else 0.0
    factors = np.maximum(1 + signal * (factors - factors.mean()), 0.05)
    mean_one: Values = factors / factors.mean()
    return mean_one


def _ratio_blocks(past: Values) -> Values:
    """Return runs of days over the level before them (blocks x days).

    Each day of the blocks is divided by its mean over all of them, so that a path neither rises nor falls on average:
    growth is a scenario, not a trend.
    """
    length = max(1, min(BLOCK_DAYS, (len(past) - MIN_LEVEL_DAYS) // 2))
    starts = np.arange(MIN_LEVEL_DAYS, len(past) - length + 1)
    level = _levels(past)[starts - 1]
    blocks = past[starts[:, None] + np.arange(length)]
    usable = level > 0
    if not usable.any():
        return np.ones((1, length))
    ratios = blocks[usable] / level[usable, None]
    drift = np.exp(np.log(np.maximum(ratios, 1e-2)).mean(axis=0))
    level_ratios: Values = ratios / drift
    return level_ratios


def _head_errors(test: Backtest) -> Values:
    """Return past misses of the hourly forecast's daily totals, only origins whose days have all been seen.

    Their median is taken out: that the past was climbing is no reason to go on climbing.
    """
    errors = day_residuals(test.actuals, test.forecasts, "total")
    whole = errors[np.isfinite(errors).all(axis=1)]
    return whole - np.median(whole, axis=0) if len(whole) else whole


def _no_coverage() -> tuple[Coverage, ...]:
    return tuple(Coverage(level, None, 0, 0) for level in LEVELS)
