from __future__ import annotations

import numpy as np
import pytest

from forecaster.backtest import Backtest
from forecaster.intervals import (
    Band,
    above_hours,
    coverage,
    day_residuals,
    exceedance,
    hourly_band,
    is_inside,
    past_hour_bands,
    summary_band,
    uncalibrated_band,
    weighted_quantiles,
)

ORIGINS = tuple(range(240, 240 + 12 * 42, 12))
AT = ORIGINS[-1] + 12


def normal_residuals(scale=10.0, seed=0):
    return np.random.default_rng(seed).normal(0, scale, (len(ORIGINS), 48))


def is_ordered(band: Band) -> bool:
    steps = np.diff(band.stacked(), axis=0)
    return bool((steps >= 0).all() and (band.low_95 >= 0).all())


def test_hourly_band_holds_the_share_it_names_on_exchangeable_misses():
    band = hourly_band(np.full(48, 1000.0), normal_residuals(), ORIGINS, AT)
    later = 1000 + normal_residuals(seed=1)
    assert is_inside(later, band.low_80, band.high_80).mean() == pytest.approx(0.80, abs=0.04)
    assert is_inside(later, band.low_95, band.high_95).mean() == pytest.approx(0.95, abs=0.03)


def test_hourly_band_is_wider_while_calibration_is_short():
    forecast, residuals = np.full(48, 1000.0), normal_residuals()
    long = hourly_band(forecast, residuals, ORIGINS, AT)
    short = hourly_band(forecast, residuals[-20:], ORIGINS[-20:], AT)
    assert (short.high_80 - short.low_80).mean() > 1.05 * (long.high_80 - long.low_80).mean()


def test_hourly_band_follows_lead_time_of_day_and_recency():
    forecast = np.full(48, 1000.0)
    by_lead = normal_residuals() * np.where(np.arange(48) < 3, 0.1, 1.0)
    width = (lambda band: band.high_80 - band.low_80)(hourly_band(forecast, by_lead, ORIGINS, AT))
    assert width[:3].max() < 0.5 * width[3:].min()
    hours = (np.array(ORIGINS)[:, None] + np.arange(48)) % 24
    by_hour = normal_residuals() * np.where((hours > 6) & (hours < 18), 3.0, 1.0)
    width = (lambda band: band.high_80 - band.low_80)(hourly_band(forecast, by_hour, ORIGINS, AT))
    noon, midnight = (np.flatnonzero((AT + np.arange(48)) % 24 == hour) for hour in (12, 0))
    assert width[noon].mean() > 1.5 * width[midnight].mean()
    recent = normal_residuals() * np.where(np.arange(42) > 33, 3.0, 1.0)[:, None]
    early = normal_residuals() * np.where(np.arange(42) < 8, 3.0, 1.0)[:, None]
    wide, narrow = (hourly_band(forecast, misses, ORIGINS, AT) for misses in (recent, early))
    assert (wide.high_80 - wide.low_80).mean() > 1.3 * (narrow.high_80 - narrow.low_80).mean()


def test_hourly_band_uses_a_shorter_lead_where_none_has_been_seen():
    residuals = normal_residuals()
    residuals[:, 24:] = np.nan
    band = hourly_band(np.full(48, 1000.0), residuals, ORIGINS, AT)
    assert is_ordered(band)
    assert (band.high_80[24:] > band.forecast[24:]).all()


def test_hourly_band_refuses_to_be_made_from_nothing():
    with pytest.raises(ValueError, match="at least one observed residual"):
        hourly_band(np.ones(24), np.full((3, 24), np.nan), (48, 60, 72), 84)


def test_bands_are_never_negative_and_hold_their_forecast():
    band = hourly_band(np.linspace(0, 20, 48), normal_residuals() + 30, ORIGINS, AT)
    assert is_ordered(band)


def test_exceedance_is_the_share_of_misses_that_reach_the_limit():
    residuals = np.where(np.random.default_rng(0).random((len(ORIGINS), 48)) < 0.25, 50.0, 0.0)
    chances = exceedance(np.full(48, 100.0), residuals, ORIGINS, AT, np.full(48, 120.0))
    assert chances == pytest.approx(np.full(48, 0.25), abs=0.12)
    assert exceedance(np.full(48, 100.0), residuals, ORIGINS, AT, np.full(48, 99.0)).tolist() == [1.0] * 48
    assert exceedance(np.full(48, 100.0), residuals, ORIGINS, AT, np.full(48, 151.0)).tolist() == [0.0] * 48


def test_summary_band_keeps_95_outside_80_with_few_residuals():
    band = summary_band(np.array([100.0]), np.array([[1.0], [-2.0], [3.0]]), (48, 60, 72), 84, "total")
    assert band.low_95[0] < band.low_80[0] < 100 < band.high_80[0] < band.high_95[0]
    assert band.high_80[0] - 100 == pytest.approx(100 - band.low_80[0])


def test_summary_band_lifts_a_maximum_by_how_much_it_was_missed():
    misses = np.full((20, 1), 25.0)
    band = summary_band(np.array([100.0]), misses, tuple(range(0, 240, 12)), 240, "maximum")
    assert band.forecast.tolist() == [125.0]


def test_above_hours_raises_the_low_end_to_that_of_the_highest_hour():
    hourly = Band(*(np.arange(24.0) + shift for shift in (10, 8, 12, 6, 14)))
    peak = Band(*(np.array([level]) for level in (33.0, 5.0, 40.0, 1.0, 50.0)))
    raised = above_hours(peak, hourly)
    assert (raised.low_80[0], raised.low_95[0]) == (31.0, 29.0)
    assert (raised.forecast[0], raised.high_80[0], raised.high_95[0]) == (33.0, 40.0, 50.0)


def test_day_residuals_compare_observed_hours_only():
    actuals, forecasts = np.full((2, 24), 5.0), np.full((2, 24), 4.0)
    actuals[0, :6] = np.nan
    actuals[1, :7] = np.nan
    assert day_residuals(actuals, forecasts, "total")[0].tolist() == [24.0]
    assert day_residuals(actuals, forecasts, "maximum")[0].tolist() == [1.0]
    assert np.isnan(day_residuals(actuals, forecasts, "total")[1]).all()


def test_weighted_quantiles_apply_the_conformal_rank():
    values = np.arange(1.0, 10.0)
    assert weighted_quantiles(values, np.ones((1, 9)), 0.8).tolist() == [8.0]
    assert weighted_quantiles(values, np.ones((1, 9)), 0.95).tolist() == [9.0]
    heavy = np.array([[1.0] * 9, [1.0] * 8 + [20.0]])
    assert weighted_quantiles(values, heavy, 0.4).tolist() == [4.0, 9.0]


def test_coverage_counts_what_lay_inside_bands_made_before():
    band = Band(*(np.full(24, level) for level in (5.0, 4.0, 6.0, 3.0, 7.0)))
    actuals = np.tile(np.repeat([5.0, 6.5, 9.0, np.nan], 6), (2, 1))
    eighty, ninety_five = coverage({1: band}, actuals)
    assert (eighty.achieved_ratio, eighty.count, eighty.origin_count) == (6 / 18, 18, 1)
    assert ninety_five.achieved_ratio == 12 / 18
    assert coverage({}, actuals)[0].achieved_ratio is None
    assert coverage({1: band}, actuals, 0, 6)[0].achieved_ratio == 1


def test_past_hour_bands_need_six_origins_before_them():
    count = 9
    origins = ORIGINS[:count]
    rows = np.full((count, 48), 1000.0)
    seen = tuple(rows[:position] + normal_residuals()[:position] for position in range(count))
    test = Backtest(AT, origins, rows, seen, rows, rows, {})
    assert list(past_hour_bands(test)) == [6, 7, 8]


def test_uncalibrated_band_is_wide_and_ordered():
    band = uncalibrated_band(np.array([10.0, 0.0]), np.array([8.0, 12.0]))
    assert is_ordered(band)
    assert (band.low_80[0], band.high_80[0]) == (5.0, 15.0)
