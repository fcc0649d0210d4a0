from __future__ import annotations

import numpy as np
import pytest

from forecaster import backtest as module
from forecaster.backtest import Fit, backtest, backtest_origins, combine, fit_at
from forecaster.intervals import past_day_bands, past_hour_bands


def run(values, made_at=None, most=8):
    made_at = made_at or len(values)
    fits = [fit_at(values, origin, 48) for origin in (*backtest_origins(made_at, most), made_at)]
    combined = combine(values, fits)
    return fits, combined, backtest(values, fits[:-1], combined[:-1], fits[-1])


@pytest.mark.parametrize("change", ["higher", "outage", "missing"])
def test_backtest_never_uses_a_value_from_the_future(make_traffic, change):
    """Changing every value from hour 300 on changes nothing that was forecast, banded or judged before it."""
    values = make_traffic(360)
    other = values.copy()
    other[300:] = {"higher": other[300:] * 7 + 3, "outage": 0.0, "missing": np.nan}[change]
    for hours in (1, 2, 13):  # a few observed values after an outage make gap repair look back
        other[-hours] = 500.0
    (fits, combined, test), (other_fits, other_combined, other_test) = run(values), run(other)
    bands, other_bands = past_hour_bands(test), past_hour_bands(other_test)
    compared = 0
    for position, origin in enumerate(test.origins):
        if origin > 300:
            continue
        compared += 1
        for name, forecast in fits[position].members.items():
            assert np.array_equal(forecast, other_fits[position].members[name]), name
        assert combined[position].weights == other_combined[position].weights
        assert np.array_equal(combined[position].forecast, other_combined[position].forecast)
        assert np.array_equal(test.seen[position], other_test.seen[position], equal_nan=True)
        if position in bands:
            assert np.array_equal(bands[position].stacked(), other_bands[position].stacked())
    assert compared >= 3


def test_backtest_bands_on_days_never_use_a_value_from_the_future(make_traffic):
    values = make_traffic(400)
    other = values.copy()
    other[376:] *= 5
    for summary in ("total", "maximum"):
        tests = [run(series, most=16)[2] for series in (values, other)]
        first, second = (past_day_bands(test, summary, past_hour_bands(test)) for test in tests)
        assert len(first) == 10
        early = [position for position in first if tests[0].origins[position] <= 376 - 48]
        assert len(early) >= 5
        for position in early:
            assert np.array_equal(first[position].stacked(), second[position].stacked())


def test_backtest_knows_nothing_after_it_is_made(make_traffic):
    _, _, test = run(make_traffic(400), made_at=300)
    hours = np.array(test.origins)[:, None] + np.arange(48)
    assert np.isnan(test.actuals[hours >= 300]).all()
    assert np.isfinite(test.actuals[hours < 300]).all()


def test_backtest_sets_forecasts_beside_the_hours_they_were_made_for(make_traffic):
    values = make_traffic(300)
    _, combined, test = run(values)
    for position, origin in enumerate(test.origins):
        assert np.array_equal(test.forecasts[position], combined[position].forecast)
        assert np.array_equal(test.baseline[position], np.resize(values[origin - 24 : origin], 48))
        seen = min(48, 300 - origin)
        assert np.array_equal(test.actuals[position, :seen], values[origin : origin + seen])


def test_backtest_does_not_score_gaps(make_traffic):
    values = make_traffic(300)
    values[[270, 271]] = 0
    _, _, test = run(values)
    hours = np.array(test.origins)[:, None] + np.arange(48)
    assert np.isnan(test.actuals[np.isin(hours, [270, 271])]).all()


def test_backtest_origins_step_back_by_12_hours_and_keep_two_days():
    assert backtest_origins(100) == (52, 64, 76, 88)
    assert backtest_origins(59) == ()
    assert len(backtest_origins(5000)) == module.MAX_ORIGINS
    assert backtest_origins(5000, 2) == (4976, 4988)


def fixed_fit(values, origin, members):
    gaps = np.zeros(origin, dtype=np.bool_)
    baseline = np.resize(values[origin - 24 : origin], 24)
    return Fit(origin, {name: np.full(24, level) for name, level in members.items()}, baseline, 0, gaps)


def test_combine_gives_more_weight_to_what_was_right_before():
    values = np.tile(np.repeat([90.0, 110.0], 24), 10)
    fits = [fixed_fit(values, origin, {"right": 100.0, "wrong": 300.0}) for origin in range(48, 240, 12)]
    combined = combine(values, fits)
    assert combined[0].weights == {"right": 1.0, "wrong": 1.0}
    assert combined[-1].weights["right"] > 10 * combined[-1].weights["wrong"]
    assert combined[-1].forecast.tolist() == [100.0] * 24


def test_combine_falls_back_to_the_naive_forecast_that_beat_it_long_enough():
    values = np.tile(np.arange(1.0, 25.0), 30)
    values += np.random.default_rng(0).normal(0, 0.1, len(values))
    fits = [fixed_fit(values, origin, {"off": 60.0}) for origin in range(48, 48 + 12 * 30, 12)]
    combined = combine(values, fits)
    assert [one.is_fallback for one in combined].index(True) == module.GUARD_ORIGINS
    assert np.array_equal(combined[-1].forecast, fits[-1].baseline)
