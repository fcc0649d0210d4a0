from __future__ import annotations

import numpy as np
import pytest

from forecaster.gaps import Stretch, gap_flags, level_shifts, repaired, shift_ratios, silences, stretches


def test_gap_flags_find_lost_hours_and_nothing_else(make_traffic):
    values = make_traffic(24 * 14)
    lost = [50, 130, 131, 132, 200, 300]
    values[lost] *= 0.02
    values[77] = np.nan
    assert np.flatnonzero(gap_flags(values)).tolist() == sorted([*lost, 77])


def test_gap_flags_leave_a_daily_pause_alone(make_traffic):
    values = make_traffic(24 * 14)
    values[np.arange(len(values)) % 24 < 5] = 0
    assert not gap_flags(values).any()


@pytest.mark.parametrize("mean", [1, 2, 3, 5, 8, 20])
def test_gap_flags_take_few_requests_an_hour_for_traffic(mean):
    values = np.random.default_rng(0).poisson(mean, 1000).astype(float)
    assert not gap_flags(values).any()


def test_gap_flags_give_up_where_drops_are_the_rule(make_traffic):
    values = make_traffic(24 * 14)
    values[::6] = 0
    assert not gap_flags(values).any()


def test_repaired_fills_with_the_same_hour_at_the_level_around_it(make_traffic):
    values = make_traffic(24 * 14)
    broken = values.copy()
    broken[[150, 151, 222]] = np.nan
    filled = repaired(broken, np.isnan(broken))
    assert np.abs(filled / values - 1).max() < 0.3
    assert np.isfinite(filled).all()


def test_repaired_fills_an_hour_that_no_day_has_from_its_neighbours():
    values = np.array([2.0, np.nan, 4.0])
    assert repaired(values, np.isnan(values)).tolist() == [2.0, 3.0, 4.0]


def test_repaired_returns_zeros_where_nothing_is_known():
    values = np.full(5, np.nan)
    assert repaired(values, np.isnan(values)).tolist() == [0.0] * 5


def test_stretches_join_consecutive_hours():
    flags = np.array([True, True, False, False, True, False, True])
    assert stretches(flags) == (Stretch(0, 1), Stretch(4, 4), Stretch(6, 6))
    assert [run.hours for run in stretches(flags)] == [2, 1, 1]
    assert stretches(np.zeros(3, dtype=bool)) == ()


def test_silences_report_a_long_run_of_zeros_that_is_not_usual(make_traffic):
    values = make_traffic(24 * 14)
    values[100:112] = 0
    assert silences(values) == (Stretch(100, 111),)
    assert not gap_flags(values).any()


def test_silences_ignore_a_nightly_pause_and_a_short_gap(make_traffic):
    values = make_traffic(24 * 14)
    values[np.arange(len(values)) % 24 < 8] = 0
    values[110:113] = 0
    assert silences(values) == ()


def test_level_shifts_report_when_and_how_far(make_traffic):
    values = np.full(24 * 10, 100.0)
    values[150:] = 200.0
    (shift,) = level_shifts(values)
    assert shift.first < 150 <= shift.first + 12
    assert shift.ratio == pytest.approx(2.0)


def test_level_shifts_stay_silent_on_a_steady_shape():
    values = np.tile(100 + 50 * np.sin(np.arange(24) / 4), 14)
    assert level_shifts(values) == ()


def test_shift_ratios_need_three_days_and_something_in_them():
    assert np.isnan(shift_ratios(np.ones(84))[:-1]).all()
    assert shift_ratios(np.ones(84))[-1] == 1
    assert np.isnan(shift_ratios(np.zeros(200))).all()
