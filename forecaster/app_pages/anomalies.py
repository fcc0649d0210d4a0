"""Anomalies: hours outside the range drawn before them, and level shifts with the models or companies behind them."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import streamlit as st

from forecaster import cached
from forecaster.anomalies import anomalies, contributors
from forecaster.controls import Choice, chosen
from forecaster.figures import contributors_figure, past_figure
from forecaster.forecast import Forecast
from forecaster.gaps import SHIFT_DAYS, SHIFT_HOURS, LevelShift
from forecaster.models import DAY
from forecaster.panels import chart, heading, progress_bar
from forecaster.past import newest_past
from forecaster.wording import amount, moment

SHOWN_SHIFTS = 20
SHOWN_PARTS = 8
BEFORE = SHIFT_DAYS * DAY


def show_outside(forecast: Forecast, choice: Choice) -> None:
    """Show the hours outside their 95 % range."""
    past = newest_past(forecast)
    if past.empty:
        st.info("No past range can be judged yet: more history is needed.", icon=":material/hourglass_empty:")
        return
    found = anomalies(forecast.test)
    hours = int(past["actual"].notna().sum())
    st.markdown(f"**{len(found)} of {hours:,} hours** were outside; a range that is right leaves out 1 of 20.")
    figure = past_figure(past, choice.metric, choice.zone, choice.colors)
    chart(figure, "anomalies", "Past forecasts with their ranges and the hours outside")
    rows = [
        {
            "Hour": moment(forecast.series.hour_at(one.hour), choice.zone),
            "What came": amount(one.actual, choice.metric),
            "Forecast": amount(one.forecast, choice.metric),
            "95 % range": f"{amount(one.low_95, choice.metric)} to {amount(one.high_95, choice.metric)}",
            "Distance beyond it (half widths)": round(one.excess_ratio, 2),
        }
        for one in sorted(found, key=lambda one: -one.hour)
    ]
    if rows:
        st.dataframe(rows, hide_index=True)


def show_shifts(forecast: Forecast, choice: Choice) -> None:
    """Show when the level moved, and for one of those times who moved it."""
    shifts = [one for one in forecast.shifts if one.first >= BEFORE][-SHOWN_SHIFTS:][::-1]
    if not shifts:
        st.markdown("The level has not moved by more than 25 % against the three days before.")
        return
    labels = [
        f"{moment(forecast.series.hour_at(one.first), choice.zone)}: {one.ratio:.2f} times the 3 days before"
        for one in shifts
    ]
    label = st.selectbox(f"{len(shifts)} latest shifts", labels, key="shift")
    shift = shifts[labels.index(label)]
    by = st.segmented_control(
        "Broken down by",
        ["model", "company"],
        default="model",
        required=True,
        format_func=str.capitalize,
        key="by",
        bind="query-params",
    )
    since = forecast.series.hour_at(shift.first) - timedelta(hours=BEFORE)
    until = forecast.series.hour_at(shift.first + SHIFT_HOURS)
    parts = cached.shift_parts(choice.segment, by or "model", choice.metric.name, since, until)
    moved = contributors(LevelShift(BEFORE, BEFORE + SHIFT_HOURS, shift.ratio), parts)[:SHOWN_PARTS]
    figure = contributors_figure(
        [one.name for one in moved], [one.change for one in moved], choice.metric.unit, choice.colors
    )
    chart(figure, "contributors", "How much each part changed")
    st.caption(
        f"Mean change ({choice.metric.unit} per hour) of the shift's first {SHIFT_HOURS} hours against the same hours"
        f" of the {SHIFT_DAYS} days before. A shift that stays is learned within days; to have it at once, forget what"
        " was before it:"
    )
    if st.button("Forecast from this shift on", icon=":material/content_cut:"):
        st.session_state["train_from"] = (choice.segment, forecast.series.hour_at(shift.first))
        st.switch_page("app_pages/forecast.py")


def show_gaps(forecast: Forecast, choice: Choice) -> None:
    """List missing hours and long silences."""
    rows = [
        {"What": what, "From": moment(forecast.series.hour_at(one.first), choice.zone), "Hours": one.hours}
        for what, runs in (("missing or lost", forecast.gaps), ("silence", forecast.silences))
        for one in runs
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows).iloc[::-1], hide_index=True)
        st.caption(
            "Missing hours are filled for training only and never scored. A silence is taken as traffic of zero."
        )
    else:
        st.markdown("No hour is missing and none looks lost.")


choice = chosen()
span = cached.span()
heading("Anomalies", f"{choice.metric.label}, {choice.segment.label}", choice, span.ends_at)
history = cached.history(span, choice.segment)
with progress_bar("Repeating past forecasts …") as progress:
    forecast = cached.live_forecast(history, choice.metric.name, progress)
st.header("Hours outside the range")
show_outside(forecast, choice)
st.header("Level shifts")
show_shifts(forecast, choice)
st.header("Missing hours and silences")
show_gaps(forecast, choice)
