from __future__ import annotations

import numpy as np
import pytest

from forecaster import models
from forecaster.models import POOL, member_forecasts, seasonal_naive, short_forecast, weighted_median


def test_every_member_answers_with_finite_values_of_the_right_length(make_traffic):
    found = member_forecasts(make_traffic(24 * 28), 48)
    assert set(found) == {member.name for member in POOL}
    assert all(len(forecast) == 48 and np.isfinite(forecast).all() for forecast in found.values())


def test_every_member_follows_a_clean_daily_shape():
    shape = 100 + 50 * np.sin(2 * np.pi * np.arange(24) / 24)
    noise = np.random.default_rng(0).normal(0, 0.5, 24 * 28)
    for name, forecast in member_forecasts(np.tile(shape, 28) + noise, 24).items():
        assert np.abs(forecast - shape).max() < 8, name


def test_arima_forecasts_depend_on_the_last_hours(make_traffic):
    history = make_traffic(24 * 14)
    lifted = history.copy()
    lifted[-3:] *= 1.5
    for name in ("arima_seasonal", "arima_seasonal_log", "arima_daily"):
        before, after = (member_forecasts(values, 24)[name][0] for values in (history, lifted))
        assert after > before * 1.05, name


def test_members_join_as_history_grows(make_traffic):
    traffic = make_traffic(24 * 28)
    joined = [set(member_forecasts(traffic[:hours], 24)) for hours in (20, 30, 48, 72, 168, 192, 504)]
    assert joined[0] == joined[1] == {"short_history"}
    assert joined[2] == {"yesterday", "daily_profile"}
    assert "arima_seasonal" in joined[3] and "last_week" not in joined[3]
    assert "last_week" in joined[4] and "last_week_level" not in joined[4]
    assert "last_week_level" in joined[5] and "weekly_profile" not in joined[5]
    assert "weekly_profile" in joined[6]


def test_member_forecasts_stay_between_zero_and_three_times_the_recent_peak():
    history = np.exp(np.arange(24 * 10) / 10) % 1e6
    history[::17] = 0
    for forecast in member_forecasts(history, 48).values():
        assert forecast.min() >= 0
        assert forecast.max() <= 3 * history[-24 * 14 :].max()


@pytest.mark.parametrize("level", [0.0, 5.0, 1e-12, 1e17])
def test_member_forecasts_of_a_constant_are_that_constant(level):
    for forecast in member_forecasts(np.full(24 * 14, level), 48).values():
        assert forecast == pytest.approx(np.full(48, level))


def test_a_member_that_fails_is_left_out(make_traffic, monkeypatch):
    def broken(history, horizon):
        raise ValueError("no fit")

    pool = (POOL[0], models.Member("broken", "Broken", 24, broken))
    monkeypatch.setattr(models, "POOL", pool)
    assert set(member_forecasts(make_traffic(200), 24)) == {"yesterday"}


def test_seasonal_naive_repeats_the_last_day():
    assert seasonal_naive(np.arange(48.0), 30).tolist() == [*range(24, 48), *range(24, 30)]


def test_short_forecast_is_a_level_first_and_then_half_of_yesterday():
    assert short_forecast(np.array([1.0, 3.0]), 3).tolist() == [2.0, 2.0, 2.0]
    history = np.arange(24.0)
    assert short_forecast(history, 2).tolist() == [(0 + 11.5) / 2, (1 + 11.5) / 2]


def test_weighted_median_is_the_median_when_weights_are_equal():
    rows = np.random.default_rng(0).normal(size=(6, 40))
    assert weighted_median(rows, np.ones(6)) == pytest.approx(np.median(rows, axis=0))
    assert weighted_median(rows[:5], np.full(5, 0.1)) == pytest.approx(np.median(rows[:5], axis=0))


def test_weighted_median_follows_a_weight_of_more_than_half():
    rows = np.array([[1.0], [2.0], [10.0]])
    assert weighted_median(rows, np.array([1.0, 1.0, 2.1])).tolist() == [10.0]
    assert weighted_median(rows, np.array([1.0, 1.0, 1.9])).tolist() == [2.0]
