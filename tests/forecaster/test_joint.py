from __future__ import annotations

import numpy as np
import pytest

from forecaster.forecast import forecast
from forecaster.joint import Part, cost_forecast, joint_forecast, scaled
from forecaster.series import SeriesError, series_from_values
from tests.forecaster.conftest import START


def test_joint_forecast_of_one_part_is_that_part(make_series):
    alone = forecast(make_series(300), 200, origins=10)
    joint = joint_forecast("chat", "requests", [Part(alone, 1.0)], 200)
    for name in ("hourly", "totals", "maxima"):
        assert getattr(joint, name).stacked() == pytest.approx(getattr(alone, name).stacked())
    assert joint.hourly_coverage == alone.hourly_coverage
    assert joint.total_coverage == alone.total_coverage
    assert joint.daily and alone.daily
    assert joint.daily.paths == pytest.approx(alone.daily.paths)


def test_cost_forecast_prices_tokens_and_bands_their_joint_misses(make_traffic):
    tokens = make_traffic(300)
    rest = 3000 - tokens  # when input is high output is low: the sum is steady
    assert rest.min() > 0
    parts = [
        forecast(series_from_values("chat", name, START, values), 48, origins=12)
        for name, values in (("input_tokens", tokens), ("output_tokens", rest))
    ]
    cost = cost_forecast("chat", (parts[0], parts[1]), (1e6, 1e6), 48)
    assert cost.series.metric == "cost_usd"
    assert cost.hourly.forecast == pytest.approx(parts[0].hourly.forecast + parts[1].hourly.forecast)
    added = sum(part.hourly.high_80 - part.hourly.low_80 for part in parts)
    assert (cost.hourly.high_80 - cost.hourly.low_80).mean() < 0.5 * added.mean()


def test_joint_forecast_counts_a_new_part_as_nothing_before_it_began(make_series):
    old = forecast(make_series(300), 48, origins=12)
    values = make_series(300, seed=5).values
    new = forecast(series_from_values("new", "requests", old.series.hour_at(180), values[180:]), 48, origins=12)
    joint = joint_forecast("both", "requests", [Part(old, 1.0), Part(new, 2.0)], 48)
    assert np.array_equal(joint.series.values[:180], old.series.values[:180])
    assert np.array_equal(joint.series.values[180:], old.series.values[180:] + 2 * values[180:])
    assert joint.test.residuals.shape == old.test.residuals.shape
    assert len(new.test.origins) < len(old.test.origins)


def test_joint_forecast_mixes_hourly_reach(make_series):
    old, young = forecast(make_series(400), 240, origins=3), forecast(make_series(200), 240, origins=3)
    shifted = series_from_values("young", "requests", old.series.hour_at(200), young.series.values)
    young = forecast(shifted, 240, origins=3)
    joint = joint_forecast("both", "requests", [Part(old, 1.0), Part(young, 1.0)], 240)
    assert len(joint.hourly.forecast) == 48
    assert joint.daily and len(joint.daily.band.forecast) == 10


def test_joint_forecast_refuses_parts_that_do_not_fit(make_series):
    long, short = forecast(make_series(100), 24, origins=2), forecast(make_series(99), 24, origins=2)
    with pytest.raises(SeriesError, match="parts that end at the same hour, found chat requests"):
        joint_forecast("both", "requests", [Part(long, 1.0), Part(short, 1.0)], 24)
    with pytest.raises(SeriesError, match="parts forecast for 48 hours, found 24"):
        joint_forecast("both", "requests", [Part(long, 1.0)], 48)


def test_scaled_multiplies_hours_totals_and_paths(make_series):
    base = forecast(make_series(200), 96, origins=6)
    double = scaled(base, np.full(96, 2.0))
    for name in ("hourly", "totals", "maxima"):
        assert getattr(double, name).stacked() == pytest.approx(2 * getattr(base, name).stacked())
    assert base.daily and double.daily
    assert double.daily.paths == pytest.approx(2 * base.daily.paths)
    assert np.array_equal(double.series.values, base.series.values)
