"""Forecast: what comes next, how sure that is, and how often it has been right. Drawn from tables, without a fit."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from forecaster import cached
from forecaster.controls import chosen
from forecaster.outlook import outlook_of
from forecaster.panels import heading, outlook_panel, progress_bar
from forecaster.states import show_state
from forecaster.wording import moment

choice = chosen()
span = cached.span()
run = cached.latest_run()
outlook = cached.stored_outlook(run, choice.segment, choice.metric.name) if run else None
heading(f"{choice.metric.label} to come", choice.segment.label, choice, span.ends_at)
history = cached.history(span, choice.segment)
train_segment, train_from = st.session_state.get("train_from", (None, span.starts_at))
if train_segment == choice.segment:
    history, outlook = history.since(train_from), None
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.info(f"Trained on the data from {moment(train_from, choice.zone)} on.", icon=":material/content_cut:")
    if right.button("Use all history"):
        del st.session_state["train_from"]
        st.rerun()
fit_now = st.session_state.get("fit_until") == span.ends_at
if outlook is not None and run is not None and run.as_of < span.ends_at and not fit_now:
    late = int((span.ends_at - run.as_of) / timedelta(hours=1))
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.warning(f"Stored forecast, made {late} hours of data ago.", icon=":material/history:")
    if right.button("Fit again now"):
        st.session_state["fit_until"] = span.ends_at
        st.rerun()
if outlook is None or fit_now:
    with progress_bar("Reading the history …") as progress:
        forecast = cached.live_forecast(history, choice.metric.name, progress)
    outlook = outlook_of(choice.segment, choice.metric.name, forecast)
show_state(outlook)
outlook_panel(outlook, history.starts_at, history.actual(choice.metric.name), choice)
st.caption(
    "The forecast is an hourly median of small, different models, weighted by how they did lately; its ranges are what"
    " it missed by before. On real traffic a 24-hour total is predicted hardly better than by repeating the last one:"
    " read its range."
)
