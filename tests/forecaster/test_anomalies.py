from __future__ import annotations

import numpy as np
import pytest

from forecaster.anomalies import anomalies, contributors
from forecaster.forecast import forecast
from forecaster.gaps import level_shifts
from forecaster.series import series_from_values
from tests.forecaster.conftest import START


def test_anomalies_find_a_spike_once(make_traffic):
    values = make_traffic(24 * 14)
    values[300] *= 6
    result = forecast(series_from_values("chat", "requests", START, values), 24, origins=20)
    (spike,) = [one for one in anomalies(result.test) if one.excess_ratio > 2]
    assert spike.hour == 300
    assert spike.actual == values[300] > spike.high_95 > spike.forecast


def test_anomalies_are_rare_on_ordinary_traffic(make_series):
    result = forecast(make_series(24 * 14), 24, origins=20)
    assert len(anomalies(result.test)) < 0.15 * 14 * 12


def test_contributors_name_who_moved_the_level(make_traffic):
    steady, moving = np.full(240, 100.0), np.full(240, 50.0)
    moving[150:] = 170.0
    (shift,) = level_shifts(steady + moving)
    first, second = contributors(shift, {"steady": steady, "moving": moving})
    assert (first.name, second.name) == ("moving", "steady")
    assert first.share_ratio == pytest.approx(1.0)
    assert second.change == 0
