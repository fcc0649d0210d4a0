from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecaster.budget import rate_risk, run_out, spend_until
from forecaster.forecast import forecast
from forecaster.joint import scaled
from forecaster.series import SeriesError

START = datetime(2025, 3, 10, tzinfo=UTC)
STEADY = np.full((100, 30), 10.0)


def test_spend_until_adds_whole_and_part_days_to_what_was_spent():
    spend = spend_until(STEADY, START, 50.0, START + timedelta(days=4, hours=12), budget=95.0)
    assert spend.expected == pytest.approx(95.0)
    assert spend.over_budget_ratio == 0
    assert spend_until(STEADY, START, 50.0, START + timedelta(days=5), budget=95.0).over_budget_ratio == 1


def test_spend_until_the_past_is_what_was_spent():
    assert spend_until(STEADY, START, 50.0, START - timedelta(days=2)).expected == 50.0


def test_spend_until_has_the_range_of_its_paths():
    paths = np.arange(1, 101)[:, None] * np.ones((1, 10))
    spend = spend_until(paths, START, 0.0, START + timedelta(days=10), budget=900.0)
    assert spend.low_95 < spend.low_80 < spend.expected < spend.high_80 < spend.high_95
    assert spend.expected == pytest.approx(505.0)
    assert spend.over_budget_ratio == pytest.approx(0.10)


def test_spend_until_asks_for_paths_that_reach_the_date():
    with pytest.raises(SeriesError, match=r"found 30 days .*forecast 960 hours"):
        spend_until(STEADY, START, 0.0, START + timedelta(days=40))


def test_run_out_names_the_moment_on_steady_spend():
    moment = START + timedelta(days=4, hours=12)
    found = run_out(STEADY, START, 45.0)
    assert found.probability_ratio == 1
    assert found.early_80_at == found.expected_at == found.late_80_at == found.by_80_at == moment


def test_run_out_gives_a_range_and_leaves_out_what_lies_beyond_the_paths():
    paths = np.linspace(0.5, 10.5, 101)[:, None] * np.ones((1, 20))
    found = run_out(paths, START, 60.0)
    assert found.probability_ratio == pytest.approx(0.75, abs=0.02)
    assert found.early_80_at < found.expected_at
    assert found.expected_at < START + timedelta(days=12)
    assert found.late_80_at is None and found.by_80_at is None


def test_a_budget_needs_paths():
    for judge in (
        lambda: run_out(np.empty((0, 30)), START, 5.0),
        lambda: spend_until(np.empty((0, 30)), START, 0, START),
    ):
        with pytest.raises(SeriesError, match="at least 5 days of history"):
            judge()


def test_run_out_of_nothing_is_now():
    assert run_out(STEADY, START, 0.0).expected_at == START


def test_rate_risk_lists_the_hours_a_limit_may_not_hold(make_series):
    result = forecast(make_series(24 * 14), 48, origins=20)
    peak = result.hourly.forecast.max() / 60
    calm, tight, broken = (rate_risk(result, limit) for limit in (peak * 10, peak, peak / 100))
    assert (calm.expected_hours, calm.hours) == (0.0, ())
    assert broken.expected_hours == pytest.approx(48.0)
    assert 0 < len(tight.hours) < 48
    busiest = max(tight.hours, key=lambda hour: hour.exceeds_ratio)
    assert 0.2 < busiest.exceeds_ratio < 0.95
    assert busiest.forecast_per_minute > 0.8 * peak


def test_rate_risk_grows_with_bursts_inside_the_hour_and_with_traffic(make_series):
    result = forecast(make_series(24 * 14), 48, origins=20)
    limit = result.hourly.forecast.max() / 60 * 1.3
    even = rate_risk(result, limit).expected_hours
    assert rate_risk(result, limit, peak_ratio=1.3).expected_hours > even
    assert rate_risk(scaled(result, np.full(48, 1.3)), limit).expected_hours > even


def test_rate_risk_needs_a_backtest_and_a_limit(make_series):
    with pytest.raises(SeriesError, match="at least 60 hours of history, found 50"):
        rate_risk(forecast(make_series(50), 24), 10.0)
    with pytest.raises(SeriesError, match="a limit above 0"):
        rate_risk(forecast(make_series(100), 24, origins=2), 0.0)
