from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from forecaster.series import SeriesError, series_from_stamps, series_from_values

START = datetime(2025, 1, 6, tzinfo=UTC)
HOURS = [START + timedelta(hours=hour) for hour in range(6)]
VALUES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_series_keeps_hourly_values_and_their_times():
    series = series_from_stamps("chat", "requests", HOURS, VALUES)
    assert series.values.tolist() == VALUES
    assert (series.starts_at, series.ends_at) == (START, START + timedelta(hours=6))
    assert series.notes == ()


def test_series_sorts_rows_and_says_so():
    order = [3, 0, 5, 1, 4, 2]
    series = series_from_stamps("chat", "requests", [HOURS[i] for i in order], [VALUES[i] for i in order])
    assert series.values.tolist() == VALUES
    assert series.notes == ("rows were not in time order: sorted",)


def test_series_makes_an_absent_row_a_missing_hour_and_not_a_zero():
    series = series_from_stamps("chat", "requests", HOURS[:2] + HOURS[3:], VALUES[:2] + VALUES[3:])
    assert np.flatnonzero(np.isnan(series.values)).tolist() == [2]


def test_series_reads_stamps_without_a_zone_as_utc_and_says_so():
    series = series_from_stamps("chat", "requests", [stamp.replace(tzinfo=None) for stamp in HOURS], VALUES)
    assert series.starts_at == START
    assert series.notes == ("time stamps carry no zone: read as UTC",)


def test_series_refuses_a_mixture_of_zoned_and_unzoned_stamps():
    mixed = [HOURS[0].replace(tzinfo=None), *HOURS[1:]]
    with pytest.raises(SeriesError, match="with a zone or all without, found 1 of 6 without"):
        series_from_stamps("chat", "requests", mixed, VALUES)


def test_series_converts_several_offsets_to_utc():
    mixed = [stamp.astimezone(timezone(timedelta(hours=i % 2))) for i, stamp in enumerate(HOURS)]
    series = series_from_stamps("chat", "requests", mixed, VALUES)
    assert series.values.tolist() == VALUES
    assert "several UTC offsets" in series.notes[0]


def test_series_counts_equal_duplicates_once():
    series = series_from_stamps("chat", "requests", [*HOURS, HOURS[2]], [*VALUES, 3.0])
    assert series.values.tolist() == VALUES
    assert any("more than once: 1" in note for note in series.notes)


@pytest.mark.parametrize(("rule", "expected"), [("sum", 12.0), ("last", 9.0)])
def test_series_resolves_conflicting_duplicates_only_when_told_how(rule, expected):
    stamps, values = [*HOURS, HOURS[2]], [*VALUES, 9.0]
    with pytest.raises(SeriesError, match=r"found 1 stamps with different values, the first 2025-01-06T02:00:00Z"):
        series_from_stamps("chat", "requests", stamps, values)
    assert series_from_stamps("chat", "requests", stamps, values, rule).values[2] == expected


def test_series_lets_an_observed_value_win_over_a_missing_one():
    series = series_from_stamps("chat", "requests", [*HOURS, HOURS[2]], [*VALUES, float("nan")])
    assert series.values[2] == 3.0


def test_series_adds_finer_rows_up_and_drops_incomplete_hours():
    stamps = [START + timedelta(minutes=15 * step) for step in range(22)]
    series = series_from_stamps("chat", "requests", stamps, [1.0] * 22)
    assert series.values.tolist() == [4.0] * 5
    assert any("incomplete hours left out: 1" in note for note in series.notes)


def test_series_accepts_hours_that_start_at_half_past():
    half = [stamp + timedelta(minutes=30) for stamp in HOURS]
    series = series_from_stamps("chat", "requests", half, VALUES)
    assert series.starts_at == half[0]
    assert series.values.tolist() == VALUES


def test_series_refuses_daily_rows():
    days = [START + timedelta(days=day) for day in range(5)]
    with pytest.raises(SeriesError, match="expected hourly rows, found none closer than 24 h"):
        series_from_stamps("chat", "requests", days, [1.0] * 5)


def test_series_refuses_a_span_that_can_only_be_a_mistyped_year():
    with pytest.raises(SeriesError, match="mistyped year"):
        series_from_stamps("chat", "requests", [*HOURS, datetime(2125, 1, 1, tzinfo=UTC)], [*VALUES, 1.0])


def test_series_refuses_nothing_and_nothing_but_missing_hours():
    with pytest.raises(SeriesError, match="at least one row, found none"):
        series_from_stamps("chat", "requests", [], [])
    with pytest.raises(SeriesError, match="at least one observed hour, found 3 missing"):
        series_from_values("chat", "requests", START, [float("nan")] * 3)


@pytest.mark.parametrize("wrong", [-1.0, float("inf"), 1e300])
def test_series_refuses_values_no_hour_can_have(wrong):
    with pytest.raises(SeriesError, match=r"expected values from 0 to 1e\+18"):
        series_from_values("chat", "requests", START, [1.0, wrong])


def test_series_starts_and_ends_with_an_observed_hour():
    series = series_from_values("chat", "requests", START, [float("nan"), 1.0, 2.0, float("nan")])
    assert series.values.tolist() == [1.0, 2.0]
    assert series.starts_at == START + timedelta(hours=1)
    assert "hours missing at the end: 1" in series.notes[0]


def test_series_since_keeps_later_hours_only():
    series = series_from_values("chat", "requests", START, VALUES).since(START + timedelta(hours=4))
    assert series.values.tolist() == [5.0, 6.0]
    assert series.ends_at == START + timedelta(hours=6)
    with pytest.raises(SeriesError):
        series.since(START + timedelta(days=9))
