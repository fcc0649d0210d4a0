"""Your data: forecast a CSV file of the reader's own. It stays in this session's memory and is gone with it."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import streamlit as st

from forecaster.anomalies import anomalies
from forecaster.controls import Choice, chosen
from forecaster.figures import past_figure
from forecaster.forecast import Forecast, forecast
from forecaster.metrics import HORIZON_HOURS, METRICS, Metric, Segment
from forecaster.outlook import outlook_of
from forecaster.panels import chart, coverage_panel, leaderboard_panel, outlook_panel, progress_bar
from forecaster.past import newest_past
from forecaster.reading import Table, read_table
from forecaster.series import Duplicates, HourlySeries
from forecaster.states import show_state

EXAMPLE = "\n".join(
    ["ds,requests"]
    + [
        f"2025-01-{6 + hour // 24:02}T{hour % 24:02}:00:00Z,{round(1000 + 600 * np.sin(hour / 3.82))}"
        for hour in range(240)
    ]
)
DUPLICATES: dict[Duplicates, str] = {"error": "are an error", "sum": "are added", "last": "the last counts"}


def read_upload(content: bytes, name: str) -> Table:
    """Read an uploaded file; raises SeriesError."""
    text = content.decode("utf-8-sig", errors="replace")
    return read_table(io.StringIO(text, newline=""), name)


def choose_series(table: Table) -> HourlySeries:
    """Let the reader choose one series of the file; raises SeriesError when it is none."""
    first, second, third = st.columns(3)
    workload = first.selectbox("Workload", table.workloads) if len(table.workloads) > 1 else table.workloads[0]
    metric = second.selectbox("Column", table.metrics) if len(table.metrics) > 1 else table.metrics[0]
    duplicates = third.selectbox(
        "Different rows for one hour", list(DUPLICATES), format_func=lambda key: DUPLICATES[key]
    )
    return table.series(workload, metric, chosen().zone.key, duplicates)


def fit_once(series: HourlySeries) -> Forecast:
    """Fit a series, or return the session's last fit where it is the same; nothing is shared or kept."""
    key = (series.name, series.starts_at, series.values.tobytes())
    known = st.session_state.get("own_fit")
    if known is None or known[0] != key:
        with progress_bar(f"Fitting {len(series.values):,} hours, with past forecasts …"):
            known = (key, forecast(series, HORIZON_HOURS))
        st.session_state["own_fit"] = known
    found: Forecast = known[1]
    return found


def show_forecast(series: HourlySeries, choice: Choice) -> None:
    """Show the same as the other pages do, for one series of the file."""
    found = fit_once(series)
    metric = METRICS.get(series.metric) or Metric(series.metric, series.metric, "units", (series.metric,))
    outlook = replace(outlook_of(Segment("all", series.workload), "requests", found), metric=metric)
    show_state(outlook)
    outlook_panel(outlook, series.starts_at, series.values, choice)
    st.header("Error by hours ahead")
    leaderboard_panel(outlook.scores, choice)
    st.header("Do the ranges hold?")
    coverage_panel(outlook, choice)
    past = newest_past(found)
    if len(past):
        st.header("Hours outside the range")
        outside = anomalies(found.test)
        st.markdown(f"**{len(outside)} of {int(past['actual'].notna().sum()):,} hours** were outside the 95 % range.")
        chart(past_figure(past, metric, choice.zone, choice.colors), "own-past", "Past forecasts and what came")


choice = chosen()
st.title("Your data")
st.markdown(
    "Upload hourly traffic and get the same forecast, ranges and checks. The file is read in memory, seen by nobody"
    " else and gone when you leave."
)
upload = st.file_uploader("CSV file, up to 20 MB", type=["csv", "tsv", "txt"])
with st.expander("What the file looks like", expanded=upload is None):
    st.markdown(
        "One row per hour: a time column (`ds`), one or more columns of values, a `workload` column if there are"
        " several. Empty cells and absent rows are missing hours. Times without a zone are read in the time zone of the"
        " sidebar."
    )
    st.code(
        "workload,ds,requests,input_tokens,output_tokens\nchat,2025-01-06T00:00:00Z,1204,480211,96310", language=None
    )
    st.download_button("Download an example", EXAMPLE, "example.csv", "text/csv", on_click="ignore")
if upload is not None:
    show_forecast(choose_series(read_upload(upload.getvalue(), upload.name)), choice)
