from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from forecaster.reading import read_table
from forecaster.series import SeriesError

TUNING_SHAPE = """workload,ds,requests,input_tokens,output_tokens
chat,2025-01-06T00:00:00Z,10,100,20
chat,2025-01-06T01:00:00Z,11,110,21
batch,2025-01-06T00:00:00Z,5,,7
"""


def read(text: str):
    return read_table(text.splitlines(keepends=True), "usage.csv")


def test_read_table_reads_the_tuning_shape():
    table = read(TUNING_SHAPE)
    assert table.workloads == ("chat", "batch")
    assert table.metrics == ("requests", "input_tokens", "output_tokens", "tokens")
    assert table.series("chat", "requests").values.tolist() == [10.0, 11.0]
    assert table.series("chat", "tokens").values.tolist() == [120.0, 131.0]


def test_read_table_makes_tokens_missing_when_one_side_is():
    with pytest.raises(SeriesError, match="found 1 missing"):
        read(TUNING_SHAPE).series("batch", "tokens")


def test_read_table_needs_no_choice_when_there_is_one_series():
    series = read("ds,value\n2025-01-06T00:00:00Z,1\n").series(None, None)
    assert (series.workload, series.metric, series.values.tolist()) == ("all", "value", [1.0])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_read_table_takes_the_separator_of_the_header_and_a_byte_order_mark(separator):
    text = "\ufeffds,value\r\n2025-01-06T00:00:00Z,1\r\n\r\n".replace(",", separator)
    assert read(text).series(None, None).values.tolist() == [1.0]


def test_read_table_lists_the_choices_when_a_name_is_wrong_or_absent():
    table = read(TUNING_SHAPE)
    with pytest.raises(SeriesError, match="a workload out of chat, batch, found 'chart'; choose one with --workload"):
        table.series("chart", "requests")
    with pytest.raises(SeriesError, match=r"a metric out of requests, .*found none given"):
        table.series("chat", None)


def test_read_table_names_every_kind_of_bad_value_with_its_line():
    table = read("ds,value\n2025-01-06T00:00:00Z,-3\n2025-01-06T01:00:00Z,abc\n2025-01-06T02:00:00Z,inf\n")
    with pytest.raises(SeriesError, match="found '-3' in line 2, 'abc' in line 3, 'inf' in line 4; correct"):
        table.series(None, None)


def test_read_table_ignores_bad_values_of_columns_that_are_not_asked_for():
    table = read("ds,model,value\n2025-01-06T00:00:00Z,gpt,4\n")
    assert table.series(None, "value").values.tolist() == [4.0]


@pytest.mark.parametrize("empty", ["", "NaN", "null", "NA"])
def test_read_table_takes_empty_cells_for_missing_hours(empty):
    text = f"ds,value\n2025-01-06T00:00:00Z,1\n2025-01-06T01:00:00Z,{empty}\n2025-01-06T02:00:00Z,3\n"
    assert np.isnan(read(text).series(None, None).values).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header with a time column .*found nothing"),
        ("when,value\n1,2\n", "a header with a time column .*found when, value"),
        ("ds\n2025-01-06T00:00:00Z\n", "at least one column of values"),
        ("ds,value\n", "rows under the header, found none"),
        ("ds,value,value\n2025-01-06T00:00:00Z,1,2\n", "each column once, found value repeated"),
        ("ds,value\nyesterday,1\n2025-13-01,2\n", "found 'yesterday' in line 2, '2025-13-01' in line 3"),
        ("ds,value\n9999-01-01T00:00:00Z,1\n", "found '9999-01-01T00:00:00Z' in line 2"),
        ("ds,value\n2025-01-06T00:00:00Z\n", "found 1 cells instead of 2 in line 2"),
    ],
)
def test_read_table_explains_a_file_it_cannot_read(text, message):
    with pytest.raises(SeriesError, match=message):
        read(text)


def local_day(day: str) -> str:
    """Return 00:00 to 03:00 local time; the clock repeats 02:00 in autumn and skips it in spring."""
    return "ds,value\n" + "".join(f"{day} {hour}:00,{value}\n" for value, hour in enumerate(("00", "01", "02", "03")))


def test_series_places_local_times_and_the_repeated_autumn_hour():
    text = local_day("2025-10-26") + "2025-10-26 02:00,9\n2025-10-26 04:00,5\n"
    series = read(text).series(None, None, "Europe/Berlin")
    assert series.starts_at == datetime(2025, 10, 25, 22, tzinfo=UTC)
    assert series.values.tolist() == [0.0, 1.0, 2.0, 9.0, 3.0, 5.0]


def test_series_refuses_a_local_time_that_spring_skips():
    with pytest.raises(SeriesError, match="times that exist in Europe/Berlin, found 2025-03-30 02:00, skipped"):
        read(local_day("2025-03-30")).series(None, None, "Europe/Berlin")


def test_series_refuses_an_unknown_time_zone():
    with pytest.raises(SeriesError, match="expected a time zone such as Europe/Berlin, found 'Mars'"):
        read(local_day("2025-03-29")).series(None, None, "Mars")
