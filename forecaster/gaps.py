"""Logging gaps, long silences and level shifts: what a history holds besides traffic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forecaster.series import Flags, Values

DAY = 24
# An hour is a gap when it holds less than 15 % of what the same hour usually holds and less than 30 % of what the hours
# around it hold: on the tuning data this finds every wholly lost hour and invents none.
SAME_HOUR_SHARE = 0.15
NEIGHBOUR_SHARE = 0.30
NEIGHBOUR_HOURS = 6
SAME_HOUR_DAYS = 7
# A series that often drops to half of its surroundings does so by itself (few requests an hour, a batch job): its lows
# are traffic. Lost logs are rare and leave nothing in between.
MAX_GAP_SHARE = 0.10
MAX_NEAR_GAP_SHARE = 0.02
MAX_GAP_COUNT_SHORT = 6  # in a short history 10 % would be less than one ordinary outage

SHIFT_HOURS = 12
SHIFT_DAYS = 3
SHIFT_RATIO = 0.25
SILENCE_HOURS = 7  # longer than the neighbours on one side


@dataclass(frozen=True)
class Stretch:
    """A run of hours `first` to `last`, both inside it."""

    first: int
    last: int

    @property
    def hours(self) -> int:
        """Count the hours."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class LevelShift:
    """A time when 12 hours together differed by more than 25 % from the same hours of the 3 days before.

    `ratio` is the largest departure seen (0.5 = half, 2 = double), `first` the first hour of the first such 12 hours.
    """

    first: int
    last: int
    ratio: float


def gap_flags(values: Values) -> Flags:
    """Flag hours that are missing (NaN) or whose logs were lost: far below the same hour and below their neighbours.

    Seven and more zero hours in a row are not flagged: they may be a shutdown, see `silences`.
    """
    missing = ~np.isfinite(values)
    usual = _same_hour_medians(values)
    near = _neighbour_medians(values)
    with np.errstate(invalid="ignore"):
        lost = (values < SAME_HOUR_SHARE * usual) & (values < NEIGHBOUR_SHARE * near)
        almost = (values < 0.4 * usual) & (values < 0.5 * near) & ~lost
    observed = max(int((~missing).sum()), 1)
    often = lost.sum() > max(MAX_GAP_SHARE * observed, MAX_GAP_COUNT_SHORT)
    if often or almost.sum() > max(MAX_NEAR_GAP_SHARE * observed, MAX_GAP_COUNT_SHORT):
        return missing
    for run in _zero_runs(values):
        lost[run.first : run.last + 1] = False
    flags: Flags = missing | lost
    return flags


def repaired(values: Values, gaps: Flags) -> Values:
    """Return the values with every flagged hour filled: same hour of nearby days, at the level of the hours around it.

    For training only; a filled hour is never scored. Where no day has that hour, neighbours are joined by a line.
    """
    if not gaps.any():
        return values
    known = np.where(gaps, np.nan, values)
    usual = _same_hour_medians(known)
    both = np.isfinite(known) & np.isfinite(usual)
    around = _window_sums(np.where(both, known, 0.0))
    expected = _window_sums(np.where(both, usual, 0.0))
    level = np.where(expected > 0, around / np.where(expected > 0, expected, 1.0), 1.0)
    filled = np.where(gaps, usual * np.clip(level, 0.5, 2.0), values)
    holes = ~np.isfinite(filled)
    if holes.any():
        sound = np.flatnonzero(~holes)
        filled[holes] = np.interp(np.flatnonzero(holes), sound, filled[sound]) if sound.size else 0.0
    return filled


def stretches(flags: Flags) -> tuple[Stretch, ...]:
    """Return the runs of consecutive flagged hours, in time order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return tuple(Stretch(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True))


def silences(values: Values) -> tuple[Stretch, ...]:
    """Return runs of 7 or more zero hours, some of which usually hold traffic: an outage or a shutdown, ask."""
    usual = _same_hour_medians(values)
    return tuple(run for run in _zero_runs(values) if (usual[run.first : run.last + 1] > 0).any())


def level_shifts(values: Values) -> tuple[LevelShift, ...]:
    """Return when the level moved by more than 25 %, given repaired values; overlapping 12-hour windows are merged."""
    ratios = shift_ratios(values)
    moved = np.abs(np.nan_to_num(ratios, nan=1.0) - 1) > SHIFT_RATIO
    found = []
    for run in stretches(moved):
        window = ratios[run.first : run.last + 1]
        peak = float(window[np.argmax(np.abs(np.log(np.maximum(window, 1e-9))))])
        found.append(LevelShift(max(run.first - SHIFT_HOURS + 1, 0), run.last, peak))
    return tuple(found)


def shift_ratios(values: Values) -> Values:
    """Return, for each hour, the 12 hours ending with it over the mean of the same 12 hours of the 3 days before.

    NaN in the first 84 hours and where those days held nothing.
    """
    ratios = np.full(len(values), np.nan)
    sums = np.convolve(values, np.ones(SHIFT_HOURS))[: len(values)]
    first = SHIFT_DAYS * DAY + SHIFT_HOURS - 1
    if len(values) <= first:
        return ratios
    days = [sums[first - DAY * day : len(sums) - DAY * day] for day in range(1, SHIFT_DAYS + 1)]
    before = np.mean(days, axis=0)
    ratios[first:] = np.where(before > 0, sums[first:] / np.where(before > 0, before, 1.0), np.nan)
    return ratios


def _zero_runs(values: Values) -> tuple[Stretch, ...]:
    return tuple(run for run in stretches(values == 0) if run.hours >= SILENCE_HOURS)


def _same_hour_medians(values: Values) -> Values:
    """Return for each hour the median of the same hour within 7 days either side, itself included."""
    lead = -len(values) % DAY
    days = np.concatenate((np.full(lead, np.nan), values)).reshape(-1, DAY)
    padded = np.pad(days, ((SAME_HOUR_DAYS, SAME_HOUR_DAYS), (0, 0)), constant_values=np.nan)
    windows = sliding_window_view(padded, 2 * SAME_HOUR_DAYS + 1, axis=0)
    return _medians(windows).ravel()[lead:]


def _neighbour_medians(values: Values) -> Values:
    """Return for each hour the median of the 6 hours before and the 6 after it, itself left out."""
    padded = np.pad(values, NEIGHBOUR_HOURS, constant_values=np.nan)
    windows = sliding_window_view(padded, 2 * NEIGHBOUR_HOURS + 1).copy()
    windows[:, NEIGHBOUR_HOURS] = np.nan
    return _medians(windows)


def _window_sums(values: Values) -> Values:
    """Return the sum of the 6 hours either side of each hour, itself included."""
    padded = np.pad(values, NEIGHBOUR_HOURS)
    sums: Values = sliding_window_view(padded, 2 * NEIGHBOUR_HOURS + 1).sum(axis=-1)
    return sums


def _medians(windows: Values) -> Values:
    """Return the median over the last axis, missing values left out (np.nanmedian is 20 times slower on short rows)."""
    ordered = np.sort(windows, axis=-1)  # NaN sorts last
    count = np.isfinite(windows).sum(axis=-1)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[..., None] // 2, axis=-1)[..., 0]
    high = np.take_along_axis(ordered, (count // 2)[..., None].clip(max=windows.shape[-1] - 1), axis=-1)[..., 0]
    medians: Values = np.where(count > 0, (low + high) / 2, np.nan)
    return medians
