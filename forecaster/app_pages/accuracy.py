"""Accuracy: how forecasts like these have done, by lead, against the simplest one, and what past runs said."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from forecaster import cached
from forecaster.backtest import Backtest
from forecaster.controls import Choice, chosen
from forecaster.figures import past_figure
from forecaster.outlook import outlook_of
from forecaster.panels import chart, coverage_panel, heading, leaderboard_panel, progress_bar
from forecaster.past import newest_past
from forecaster.wording import percent

MIN_PAST_HOURS = 24


def show_past_runs(past: pd.DataFrame, choice: Choice) -> None:
    """Show what stored runs said about hours that have happened since."""
    newest = past.sort_values("run_id").groupby("starts_at", as_index=False).last()
    first, second, third = st.columns(3)
    first.metric("Forecast hours that came", f"{len(past):,}")
    second.metric("Inside the 80 % range", percent(float(past["is_inside_80"].mean())))
    third.metric("Inside the 95 % range", percent(float(past["is_inside_95"].mean())))
    chart(past_figure(newest, choice.metric, choice.zone, choice.colors), "past-runs", "Stored forecasts and what came")


choice = chosen()
span = cached.span()
run = cached.latest_run()
heading("How good the forecasts are", f"{choice.metric.label}, {choice.segment.label}", choice, span.ends_at)
history = cached.history(span, choice.segment)
outlook = cached.stored_outlook(run, choice.segment, choice.metric.name) if run else None
if outlook is None:
    with progress_bar("Reading the history …") as progress:
        outlook = outlook_of(
            choice.segment, choice.metric.name, cached.live_forecast(history, choice.metric.name, progress)
        )

st.header("Error by hours ahead")
leaderboard_panel(outlook.scores, choice)
st.header("Do the ranges hold?")
coverage_panel(outlook, choice)
st.header("Past forecasts against what came")
past = cached.accuracy(run, choice.segment, choice.metric.name) if run else pd.DataFrame()
if len(past) and past["starts_at"].nunique() >= MIN_PAST_HOURS:
    show_past_runs(past, choice)
else:
    st.caption(
        "Stored runs have not been overtaken by a day of data yet. Until then, the backtest: for each hour the newest"
        " forecast made before it, 1 to 12 hours ahead, from nothing but the hours before."
    )
    with progress_bar("Repeating past forecasts …") as progress:
        forecast = cached.live_forecast(history, choice.metric.name, progress)
    test: Backtest = forecast.test
    rows = newest_past(forecast)
    if rows.empty:
        st.info("No past forecast can be judged yet: more history is needed.", icon=":material/hourglass_empty:")
    else:
        chart(
            past_figure(rows, choice.metric, choice.zone, choice.colors),
            "past-forecasts",
            "Past forecasts and what came",
        )
        st.caption(f"{len(test.origins)} past forecasts, 12 hours apart.")
