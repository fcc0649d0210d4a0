"""Parts that several pages show: a heading, the chart of a forecast, downloads, a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from forecaster.cached import Progress
from forecaster.controls import Choice
from forecaster.figures import LEVEL_NAMES, coverage_figure, forecast_figure, leaderboard_figure
from forecaster.forecast import HOURLY_HOURS, LONG_HOURLY_HOURS
from forecaster.models import DAY
from forecaster.outlook import Outlook
from forecaster.series import Values
from forecaster.wording import amount, moment, span

LEADS = {
    (1, 3): "1–3 h",
    (4, 12): "4–12 h",
    (13, 24): "13–24 h",
    (25, 48): "25–48 h",
    (1, 24): "First day",
    (1, 48): "Two days",
}


def heading(title: str, what: str, choice: Choice, as_of: datetime) -> None:
    """Show a page's title, what it is about, and when 'now' is."""
    st.title(title)
    st.markdown(
        f"{what}  \n:small[:gray[“Now” is the end of the data: **{moment(as_of, choice.zone)}** ({choice.zone.key}).]]"
    )


@contextmanager
def progress_bar(text: str) -> Iterator[Progress]:
    """Show a bar while something is fitted, and take it away afterwards."""
    slot = st.empty()
    bar = slot.progress(0.0, text=text)
    try:
        yield lambda share, words: bar.progress(min(share, 1.0), text=words)
    finally:
        slot.empty()


def chart(figure: go.Figure, name: str, alt: str) -> None:
    """Show a chart whose toolbar saves it as a PNG file called `name`."""
    config = {
        "displaylogo": False,
        "displayModeBar": "hover",
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "png", "filename": name, "width": 1400, "height": 700, "scale": 2},
    }
    st.plotly_chart(figure, config=config, key=f"chart-{name}", alt=alt)


def outlook_panel(outlook: Outlook, starts_at: datetime, actual: Values, choice: Choice) -> None:
    """Show headline figures, the chart and the downloads of a forecast; `actual` are hours from `starts_at`."""
    headline(outlook, actual)
    grain = "day" if choice.horizon_hours > LONG_HOURLY_HOURS or outlook.of_kind("hour").empty else choice.grain
    points = outlook.of_kind("hour") if grain == "hour" else outlook.days()
    end = pd.Timestamp(outlook.as_of + timedelta(hours=choice.horizon_hours))
    points = points[points["starts_at"] < end]
    past = past_hours(starts_at, actual) if grain == "hour" else past_days(outlook.as_of, starts_at, actual)
    shown = timedelta(days=max(7, min(56, 2 * choice.horizon_hours // DAY)))
    past = past[past["starts_at"] >= pd.Timestamp(outlook.as_of - shown)]
    gaps = [
        (first, first + timedelta(hours=gap["hours"]))
        for gap in outlook.marks["gaps"]
        if (first := datetime.fromisoformat(gap["starts_at"])) >= outlook.as_of - shown
    ]
    figure = forecast_figure(past, points, outlook.metric, grain, choice.zone, choice.colors, gaps)
    name = f"forecast-{outlook.metric.name}-{outlook.segment.key.replace(':', '-').replace(' ', '-')}"
    chart(figure, name, f"{outlook.metric.label}, {outlook.segment.label}: past hours and forecast with ranges")
    if grain == "hour" and choice.horizon_hours > HOURLY_HOURS:
        st.caption("Beyond the second day errors grow: plan on totals there, not on single hours.")
    if choice.horizon_hours > LONG_HOURLY_HOURS:
        st.caption(
            "Beyond 7 days only totals of 24 hours are forecast, from the level of past days: no trend is extended."
        )
    elif choice.horizon_hours > len(outlook.of_kind("hour")) and grain == "hour":
        st.caption(
            f"This history allows {len(outlook.of_kind('hour'))} single hours; further ahead see 24-hour totals."
        )
    downloads(outlook, points, name)


def headline(outlook: Outlook, actual: Values) -> None:
    """Show the next 24 hours, their busiest hour, how often such ranges held and how large the error has been."""
    metric = outlook.metric
    total, peak = outlook.of_kind("total_24h").iloc[0], outlook.of_kind("maximum_24h").iloc[0]
    hours = outlook.of_kind("hour").head(DAY).dropna(subset=["coverage_80_ratio"])
    last_day = float(np.nansum(actual[-DAY:])) if len(actual) >= DAY else None
    first, second, third, fourth = (column.container(gap=None) for column in st.columns(4))
    first.metric(f"Next 24 hours ({metric.unit})", amount(total["forecast"], metric))
    change = f"; {total['forecast'] / last_day - 1:+.1%} on the last 24 h" if last_day else ""
    first.caption(f"80 % range {markdown_safe(span(total['low_80'], total['high_80'], metric))}{change}")
    second.metric("Busiest hour", amount(peak["forecast"], metric))
    second.caption(f"80 % range {markdown_safe(span(peak['low_80'], peak['high_80'], metric))}")
    third.metric("80 % ranges held", f"{hours['coverage_80_ratio'].iloc[0]:.0%}" if len(hours) else "not judged yet")
    if len(hours):
        third.caption(f"of {hours['coverage_count'].iloc[0]:,} past hours, up to a day ahead")
    scores = outlook.scores
    own = scores[(scores["method"] == "combined") & (scores["first_lead"] == 1) & (scores["last_lead"] == DAY)]
    if len(own) and pd.notna(own["relative_mae"].iloc[0]):
        fourth.metric("Typical error", f"{own['relative_mae'].iloc[0]:.2f} ×")
        fourth.caption(f"that of “same hour yesterday”, over {own['origin_count'].iloc[0]} past forecasts")
    else:
        fourth.metric("Typical error", "not known yet")


def downloads(outlook: Outlook, points: pd.DataFrame, name: str) -> None:
    """Offer the figures behind a forecast: as a table and as CSV files."""
    left, right = st.columns([1, 3], vertical_alignment="center")
    everything = outlook.points.assign(
        segment=outlook.segment.key, metric=outlook.metric.name, unit=outlook.metric.unit, state=outlook.state
    )
    left.download_button(
        "Download CSV",
        everything.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ"),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    right.caption(
        "PNG: the camera in the toolbar above the chart. The CSV has hours, totals and busiest hours, in UTC."
    )
    # A table is a megabyte of script, so it comes when it is asked for.
    with st.expander("Figures in the chart", key=f"figures-{name}", on_change="rerun") as figures:
        if figures.open:
            st.dataframe(points.drop(columns=["kind"]), hide_index=True)


def leaderboard_panel(scores: pd.DataFrame, choice: Choice) -> None:
    """Show every method's error by lead against the same hour yesterday, as a chart and a table."""
    present = {(first, last) for first, last in zip(scores["first_lead"], scores["last_lead"], strict=True)}
    leads = [lead for lead in LEADS if lead in present]
    if not leads:
        st.info(
            "No past forecast can be judged yet: 60 hours of history are needed.", icon=":material/hourglass_empty:"
        )
        return
    labels = [LEADS[lead] for lead in leads]
    label = st.segmented_control(
        "Hours ahead",
        labels,
        default="First day" if "First day" in labels else labels[0],
        required=True,
        key="lead",
        bind="query-params",
    )
    first, last = leads[labels.index(label or labels[0])]
    rows = scores[(scores["first_lead"] == first) & (scores["last_lead"] == last)]
    if rows["relative_mae"].notna().any():
        chart(leaderboard_figure(rows, choice.colors), "leaderboard", "Relative error of every method with its spread")
    st.dataframe(
        rows[["label", "mae", "relative_mae", "relative_sd", "origin_count"]],
        hide_index=True,
        column_config={
            "label": "Method",
            "mae": st.column_config.NumberColumn("Mean absolute error", format="%.4g"),
            "relative_mae": st.column_config.NumberColumn("÷ same hour yesterday", format="%.3f"),
            "relative_sd": st.column_config.NumberColumn("Spread (±)", format="%.2f"),
            "origin_count": "Past forecasts",
        },
    )
    st.caption(
        "Below 1 is better than repeating the same hour of yesterday. The spread is one standard deviation over past"
        " forecasts; methods whose spreads overlap cannot be told apart on this history."
    )


def coverage_panel(outlook: Outlook, choice: Choice) -> None:
    """Show how often ranges held, for hours by lead, totals and busiest hours."""
    rows = coverage_rows(outlook.points)
    if rows.empty:
        st.info("No past range can be judged yet.", icon=":material/hourglass_empty:")
        return
    chart(coverage_figure(rows, choice.colors), "coverage", "Share of past ranges that held what came")
    st.caption(
        "Judged on hours nobody had seen when the range was drawn. Few past forecasts make these shares uncertain too."
    )


def coverage_rows(points: pd.DataFrame) -> pd.DataFrame:
    """Return name, level_pct, achieved_ratio and count for each kind and lead of points that has been judged."""
    judged = points.dropna(subset=["coverage_80_ratio"])
    judged = judged.sort_values("kind", key=lambda kinds: kinds.map(list(LEVEL_NAMES).index), kind="stable")
    groups = judged.groupby(["kind", "coverage_80_ratio", "coverage_95_ratio", "coverage_count"], sort=False)
    begin = points["starts_at"].min()
    rows: list[dict[str, Any]] = []
    for _, group in groups:
        kind, at_80, at_95, count = group.iloc[0][["kind", "coverage_80_ratio", "coverage_95_ratio", "coverage_count"]]
        name = LEVEL_NAMES[kind]
        if kind == "hour":
            first = int((group["starts_at"].min() - begin).total_seconds() // 3600) + 1
            name = f"Hours {first}–{first + len(group) - 1}"
        rows += [
            {"name": name, "level_pct": 80, "achieved_ratio": at_80, "count": int(count)},
            {"name": name, "level_pct": 95, "achieved_ratio": at_95, "count": int(count)},
        ]
    return pd.DataFrame(rows, columns=["name", "level_pct", "achieved_ratio", "count"])


def past_hours(starts_at: datetime, values: Values) -> pd.DataFrame:
    """Return hours as a table of starts_at and value."""
    return pd.DataFrame({"starts_at": pd.date_range(starts_at, periods=len(values), freq="h"), "value": values})


def past_days(as_of: datetime, starts_at: datetime, values: Values) -> pd.DataFrame:
    """Return totals of the 24-hour blocks that end at `as_of`, oldest first; blocks with missing hours are missing."""
    before = int((as_of - starts_at) / timedelta(hours=1))
    days = before // DAY
    totals = values[before - days * DAY : before].reshape(days, DAY).sum(axis=1)
    begin = as_of - timedelta(days=days)
    return pd.DataFrame({"starts_at": pd.date_range(begin, periods=days, freq="D"), "value": totals})


def markdown_safe(text: str) -> str:
    """Return text whose dollar signs are no formula."""
    return text.replace("$", "\\$")
