from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecaster.forecast import Forecast, forecast
from forecaster.intervals import is_inside, past_hour_bands
from forecaster.series import SeriesError, series_from_values
from tests.forecaster.conftest import START


def bands_of(result: Forecast):
    found = [result.hourly, result.totals, result.maxima]
    return found + ([result.daily.band] if result.daily else [])


def assert_sound(result: Forecast) -> None:
    """No NaN, nothing negative, bands in order, shares between 0 and 1."""
    for band in bands_of(result):
        quantiles = band.stacked()
        assert np.isfinite(quantiles).all()
        assert (quantiles >= 0).all()
        assert (np.diff(quantiles, axis=0) >= -1e-9 * np.abs(quantiles[1:])).all()
    judged = [*result.hourly_coverage.values(), result.total_coverage, result.maximum_coverage]
    for one in (one for pair in judged for one in pair):
        assert (one.achieved_ratio is None) == (one.count == 0)
        assert one.achieved_ratio is None or 0 <= one.achieved_ratio <= 1
    assert result.state in {"level only", "provisional", "short history", "calibrated"}


pieces = st.one_of(
    st.floats(0, 1e6),
    st.just(0.0),
    st.just(float("nan")),
    st.floats(0, 1e18),
    st.sampled_from([1e-300, 5e-324, 1.0, 100.0]),
)


@given(
    values=st.one_of(
        st.lists(pieces, min_size=1, max_size=130),
        st.builds(
            lambda day, days, holes: [float("nan") if hour in holes else v for hour, v in enumerate(day * days)],
            st.lists(st.floats(0, 1e6), min_size=24, max_size=24),
            st.integers(2, 9),
            st.sets(st.integers(0, 215), max_size=60),
        ),
    ),
    horizon=st.sampled_from([1, 24, 48, 72]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_forecast_of_any_series_is_sound_or_refused(values, horizon):
    try:
        series = series_from_values("any", "values", START, values)
    except SeriesError:
        assert np.isnan(values).all()
        return
    assert_sound(forecast(series, horizon, origins=4))


@given(seed=st.integers(0, 10_000), hours=st.integers(150, 200), zeros=st.floats(0, 1))
@settings(max_examples=5, deadline=None)
def test_forecast_of_bursty_series_is_sound_with_judged_bands(seed, hours, zeros):
    random = np.random.default_rng(seed)
    values = random.pareto(1.2, hours) * 100 * (random.random(hours) > zeros)
    values[0] = 1.0
    result = forecast(series_from_values("any", "values", START, values), 48, origins=9)
    assert_sound(result)
    assert_coverage_is_of_unseen_hours(result)


def assert_coverage_is_of_unseen_hours(result: Forecast) -> None:
    """Recount coverage from the values themselves: each hour against a band made from nothing at or after it."""
    test = result.test
    inside = count = 0
    for position, band in past_hour_bands(test).items():
        origin = test.origins[position]
        assert np.isnan(test.seen[position][np.array(test.origins[:position])[:, None] + np.arange(48) >= origin]).all()
        for lead in range(24):
            actual = test.actuals[position, lead]
            if np.isfinite(actual):
                assert actual == result.series.values[origin + lead]
                inside += bool(is_inside(actual, band.low_80[lead], band.high_80[lead]))
                count += 1
    reported = result.hourly_coverage[1, 24][0]
    assert reported.count == count
    assert reported.achieved_ratio == (pytest.approx(inside / count) if count else None)


def test_forecast_gives_each_figure_its_own_band_and_coverage(make_series):
    result = forecast(make_series(24 * 14), 48)
    assert_sound(result)
    assert_coverage_is_of_unseen_hours(result)
    assert result.state == "calibrated"
    assert len(result.hourly.forecast) == 48
    assert result.totals.forecast == pytest.approx(result.hourly.forecast.reshape(2, 24).sum(axis=1))
    assert list(result.hourly_coverage) == [(1, 24), (25, 48)]
    assert result.total_coverage[0].count > 10 and result.maximum_coverage[0].count > 10
    summed = result.hourly.high_80[:24].sum() - result.hourly.low_80[:24].sum()
    assert result.totals.high_80[0] - result.totals.low_80[0] < summed  # hours do not all miss the same way


def test_forecast_is_the_same_every_time(make_series):
    first, second = (forecast(make_series(250), 300, origins=5) for _ in range(2))
    assert np.array_equal(first.hourly.stacked(), second.hourly.stacked())
    assert first.daily and second.daily
    assert np.array_equal(first.daily.paths, second.daily.paths)


@pytest.mark.parametrize(
    ("hours", "state", "note"),
    [
        (1, "level only", "needs 167 more hours"),
        (30, "provisional", "needs 138 more hours"),
        (100, "short history", "needs 68 more hours for calibrated bands"),
        (168, "calibrated", None),
    ],
)
def test_forecast_says_what_its_history_allows(make_series, hours, state, note):
    result = forecast(make_series(hours), 24)
    assert result.state == state
    assert any(note in text for text in result.notes) if note else not result.notes
    assert_sound(result)


def test_forecast_is_not_called_calibrated_when_most_hours_are_missing(make_traffic):
    values = make_traffic(400)
    values[np.random.default_rng(0).random(400) < 0.6] = np.nan
    result = forecast(series_from_values("chat", "requests", START, values), 24, origins=8)
    assert result.state == "short history"
    assert any("most hours are missing" in note for note in result.notes)


@pytest.mark.parametrize("level", [0.0, 42.0])
def test_forecast_of_a_constant_is_that_constant_and_says_so(level):
    result = forecast(series_from_values("flat", "requests", START, [level] * 200), 24)
    assert result.hourly.forecast == pytest.approx(np.full(24, level))
    assert any("every hour is the same" in note for note in result.notes)
    assert_sound(result)


@pytest.mark.parametrize(
    ("history", "horizon", "hourly", "daily"),
    [(200, 48, 48, 0), (200, 60, 48, 3), (336, 60, 60, 0), (336, 168, 168, 0), (336, 240, 168, 10), (24, 60, 48, 3)],
)
def test_forecast_is_hourly_only_as_far_as_its_history_carries(make_series, history, horizon, hourly, daily):
    result = forecast(make_series(history), horizon, origins=4)
    assert len(result.hourly.forecast) == hourly
    assert (len(result.daily.band.forecast) if result.daily else 0) == daily
    assert any("only 24-hour totals" in note for note in result.notes) == bool(daily)
    assert any("beyond the second day" in note for note in result.notes) == (hourly > 48)


def test_forecast_learns_a_weekend_once_it_has_seen_three(make_traffic):
    values = make_traffic(24 * 42, weekend=0.3)
    friday_evening = 24 * 40
    result = forecast(series_from_values("office", "requests", START, values[: friday_evening - 24]), 48)
    saturday = values[friday_evening - 24 :][:48]
    error = np.abs(result.hourly.forecast - saturday).mean() / saturday.mean()
    naive = np.abs(result.test.baseline[-1].mean() - saturday.mean()) / saturday.mean()
    assert error < 0.5 * naive


def test_forecast_reports_gaps_silences_and_level_shifts(make_traffic):
    values = make_traffic(24 * 14)
    values[100:102] = 0
    values[200:210] = 0
    values[320:] *= 2.5
    result = forecast(series_from_values("chat", "requests", START, values), 24, origins=4)
    assert [(gap.first, gap.hours) for gap in result.gaps] == [(100, 2)]
    assert [(run.first, run.hours) for run in result.silences] == [(200, 10)]
    assert result.shifts[-1].ratio > 1.8
    assert any("silences of 7 or more zero hours: 1" in note for note in result.notes)
    assert any("the level moved to" in note for note in result.notes)
    assert (result.history[100:102] > 0).all() and (result.history[200:210] == 0).all()


@pytest.mark.parametrize("horizon", [0, -1, 9000])
def test_forecast_refuses_a_horizon_it_has_no_rule_for(make_series, horizon):
    with pytest.raises(SeriesError, match="expected a horizon of 1 to 8784 hours"):
        forecast(make_series(100), horizon)


def test_scores_rank_methods_against_the_seasonal_naive(make_series):
    scores = forecast(make_series(24 * 14), 48).scores
    day = [score for score in scores if (score.first_lead, score.last_lead) == (1, 24)]
    assert [score.relative_mae for score in day] == sorted(score.relative_mae for score in day)
    by_method = {score.method: score for score in day}
    assert by_method["yesterday"].relative_mae == 1
    assert by_method["combined"].relative_mae < 1
    assert all(score.relative_sd >= 0 and score.origin_count > 0 for score in day)


def test_forecast_of_ten_years_looks_at_the_newest_weeks_only(make_traffic):
    values = make_traffic(87_600, seed=3) + 1
    long = forecast(series_from_values("old", "requests", START, values), 24, origins=4)
    recent = forecast(series_from_values("old", "requests", START, values[-24 * 90 :]), 24, origins=4)
    assert np.array_equal(long.hourly.forecast, recent.hourly.forecast)
