from __future__ import annotations

import numpy as np
import pytest

from forecaster.daily import daily_paths, day_totals, path_band, path_coverage

NOTHING = np.empty(0)


def paths(past, days=28, head=NOTHING, errors=None, count=500):
    errors = np.empty((0, 0)) if errors is None else errors
    return daily_paths(np.asarray(past, dtype=float), head, errors, days, np.random.default_rng(1), count)


def noisy(days, seed=0):
    return 1000 * np.exp(np.random.default_rng(seed).normal(0, 0.1, days))


def test_day_totals_are_of_whole_days_that_end_with_the_history():
    assert day_totals(np.ones(60)).tolist() == [24.0, 24.0]
    assert len(day_totals(np.ones(24 * 400))) == 182
    assert day_totals(np.ones(10)).tolist() == []


def test_daily_paths_do_not_go_on_growing():
    growing = 100 * 1.1 ** np.arange(28)
    assert np.median(paths(growing), axis=0) == pytest.approx(np.full(28, growing[-1]), rel=0.15)


def test_daily_paths_spread_more_the_further_they_go():
    wandering = 1000 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.1, 60)))
    band = path_band(paths(wandering))
    width = band.high_80 - band.low_80
    assert width[-1] > 1.5 * width[0]


def test_daily_paths_keep_the_shape_of_the_week_after_four_weeks():
    week = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.3, 0.3])
    past = np.tile(week, 5) * noisy(35)
    centre = np.median(paths(past, days=14), axis=0)
    assert centre[[5, 6, 12, 13]].max() < 0.5 * centre[[0, 1, 2, 3, 4, 7, 8]].min()


def test_daily_paths_begin_with_the_hourly_forecast_and_its_misses():
    found = paths(noisy(20), head=np.array([5000.0, 6000.0]), errors=np.array([[-100.0, -50.0], [100.0, 50.0]]))
    assert set(np.unique(found[:, 0].round())) == {4900.0, 5100.0}
    assert set(np.unique(found[:, 1].round())) == {5950.0, 6050.0}
    assert np.array_equal(found[:, 0].round() == 5100, found[:, 1].round() == 6050)  # one origin's misses stay together


@pytest.mark.parametrize("past", [np.zeros(30), np.r_[np.zeros(20), 5.0, np.zeros(9)], np.full(5, 3.0), noisy(5)])
def test_daily_paths_of_odd_histories_are_finite_and_not_negative(past):
    found = paths(past)
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_daily_paths_of_a_series_that_is_mostly_zero_stay_within_bounds():
    past = np.zeros(180)
    past[[20, 61, 90, 122, 178]] = [2.0, 0.5, 8.5, 1.0, 3.0]
    assert paths(past, days=90).max() <= 3 * past.max()


def test_path_coverage_is_near_its_level_on_steady_days():
    eighty, ninety_five = path_coverage(noisy(120), 0)
    assert eighty.count == 26
    assert 0.6 <= eighty.achieved_ratio <= ninety_five.achieved_ratio


def test_path_coverage_has_no_ratio_without_a_past_week():
    assert [one.achieved_ratio for one in path_coverage(noisy(9), 0)] == [None, None]
