"""Budget: what this month will cost, when the money is used up, and which hours may hit a rate limit."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import streamlit as st

from forecaster import cached
from forecaster.budget import rate_risk, run_out, spend_until
from forecaster.controls import Choice, chosen
from forecaster.daily import path_band
from forecaster.figures import risk_figure, spend_figure
from forecaster.metrics import METRICS, History
from forecaster.outlook import outlook_of
from forecaster.panels import chart, heading, markdown_safe, progress_bar
from forecaster.series import SeriesError, Values
from forecaster.wording import amount, day, moment, percent, run_out_sentence
from forecaster.wording import span as words_span

COST = METRICS["cost_usd"]
MINUTES = 60


def month_bounds(now: datetime, choice: Choice) -> tuple[datetime, datetime]:
    """Return the start and the end of the month that `now` lies in, in the chosen time zone."""
    local = now.astimezone(choice.zone)
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=32)).replace(day=1)


def cumulated(paths: Values, begin: datetime, until: datetime, spent: float) -> pd.DataFrame:
    """Return the ranges of the sum spent after each day until `until`, starting with what has been spent."""
    days = min(int(np.ceil((until - begin) / timedelta(days=1))), paths.shape[1])
    sums = spent + np.cumsum(paths[:, :days], axis=1)
    band = path_band(np.concatenate((np.full((len(paths), 1), spent), sums), axis=1))
    table = pd.DataFrame(dict(zip(("forecast", "low_80", "high_80", "low_95", "high_95"), band.parts(), strict=True)))
    table["starts_at"] = [min(begin + timedelta(days=step), until) for step in range(days + 1)]
    return table


def show_budget(paths: Values, history: History, as_of: datetime, choice: Choice) -> None:
    """Show the month's spend with its range, the run-out date and the chart."""
    first, until = month_bounds(as_of, choice)
    spent = cached.billed(choice.segment, first, as_of) if as_of > first else 0.0
    plain = spend_until(paths, as_of, spent, until)
    default = float(f"{max(plain.high_80, 0.01):.2g}")
    budget = st.number_input(
        f"Budget for {first:%B %Y} (USD)", min_value=0.0, value=default, step=None, key="budget", bind="query-params"
    )
    spend = spend_until(paths, as_of, spent, until, budget or None)
    one, two, three = st.columns(3)
    one.metric(f"Spent since {day(first, choice.zone)}", amount(spent, COST))
    two.metric("Expected at the month's end", amount(spend.expected, COST))
    two.caption(f"80 % range {markdown_safe(words_span(spend.low_80, spend.high_80, COST))}")
    if budget and spend.over_budget_ratio is not None:
        three.metric("Chance to exceed the budget", percent(spend.over_budget_ratio))
        ends = paths[:, : int(np.ceil((until - as_of) / timedelta(days=1)))]
        found = run_out(ends, as_of, budget - spent)
        st.markdown(f"**{run_out_sentence(found, spend, choice.zone)}**")
    hours = history.values["cost_usd"]
    begin = max(int((first - history.starts_at) / timedelta(hours=1)), 0)
    so_far = pd.DataFrame(
        {
            "starts_at": pd.date_range(history.starts_at, periods=len(hours), freq="h")[begin:] + timedelta(hours=1),
            "value": np.nancumsum(hours[begin:]),
        }
    )
    figure = spend_figure(so_far, cumulated(paths, as_of, until, spent), budget, choice.zone, choice.colors)
    chart(figure, "budget", "Money spent this month, possible sums to its end, and the budget")
    st.caption(
        "Possible futures of daily sums, drawn from how past days followed one another; tokens at the prices paid in"
        " the last 28 days. A price change or growth is a scenario, see there."
    )


def show_capacity(history: History, as_of: datetime, choice: Choice) -> None:
    """Show the hours that may exceed a limit on tokens per minute."""
    with progress_bar("Fitting tokens …") as progress:
        forecast = cached.live_forecast(history, "tokens", progress)
    peak_hour = float(forecast.maxima.high_95[:2].max()) / MINUTES
    left, right = st.columns(2)
    limit = left.number_input(
        "Limit (tokens per minute)",
        min_value=0.0,
        value=float(f"{max(peak_hour, 1):.2g}"),
        key="limit",
        bind="query-params",
    )
    ratio = right.number_input(
        "Busiest minute ÷ mean minute of its hour",
        min_value=1.0,
        value=1.0,
        step=0.5,
        key="peak",
        bind="query-params",
        help="Hourly data knows averages only. 1 means even traffic inside an hour; measure it and put it here.",
    )
    risk = rate_risk(forecast, limit, ratio)
    hours = min(risk.hour_count, choice.horizon_hours)
    band = forecast.hourly
    names = ("forecast", "low_80", "high_80", "low_95", "high_95")
    table = pd.DataFrame({name: part[:hours] * ratio / MINUTES for name, part in zip(names, band.parts(), strict=True)})
    table["starts_at"] = pd.date_range(as_of, periods=hours, freq="h")
    shown = [hour for hour in risk.hours if hour.starts_at < as_of + timedelta(hours=hours)]
    st.markdown(
        f"**{len(shown)} of the next {hours} hours** have a chance of at least 5 % to exceed the limit."
        if shown
        else f"**None of the next {hours} hours** has a chance of 5 % or more to exceed the limit."
    )
    chart(risk_figure(table, limit, choice.zone, choice.colors), "capacity", "Forecast tokens per minute and the limit")
    if shown:
        rows = [
            {
                "Hour": moment(hour.starts_at, choice.zone),
                "Chance to exceed": hour.exceeds_ratio,
                "Forecast (tokens per minute)": hour.forecast_per_minute,
                "95 % range up to": hour.high_95_per_minute,
            }
            for hour in shown
        ]
        share = st.column_config.NumberColumn(format="percent")
        whole = st.column_config.NumberColumn(format="%.0f")
        columns = {"Chance to exceed": share, "Forecast (tokens per minute)": whole, "95 % range up to": whole}
        st.dataframe(rows, hide_index=True, column_config=columns)


choice = chosen()
span = cached.span()
heading("Budget and capacity", choice.segment.label, choice, span.ends_at)
history = cached.history(span, choice.segment)
run = cached.latest_run()
outlook = cached.stored_outlook(run, choice.segment, "cost_usd") if run and run.as_of == span.ends_at else None
st.header("Money")
try:
    if outlook is None:
        with progress_bar("Fitting cost …") as progress:
            fitted = cached.live_forecast(history, "cost_usd", progress)
        outlook = outlook_of(choice.segment, "cost_usd", fitted)
    if outlook.paths is None:
        raise SeriesError("Money: expected 5 days of history to draw possible months from, found fewer")
    show_budget(outlook.paths, history, span.ends_at, choice)
except SeriesError as error:
    st.info(markdown_safe(str(error)), icon=":material/money_off:")
st.header("Rate limit")
show_capacity(history, span.ends_at, choice)
