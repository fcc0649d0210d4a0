"""Charts: tables in, Plotly figures out. Nothing is read or computed here but what is needed to draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go

from forecaster.metrics import METRICS, Metric
from forecaster.palette import Palette, faded

HEIGHT = 400
LEVEL_NAMES = {"hour": "Hours", "total_24h": "24 h total", "maximum_24h": "Busiest hour", "daily_total": "7-day sum"}
BAND_COLUMNS = ("forecast", "low_80", "high_80", "low_95", "high_95")


def forecast_figure(
    actual: pd.DataFrame,
    points: pd.DataFrame,
    metric: Metric,
    grain: str,
    zone: ZoneInfo,
    colors: Palette,
    marks: Sequence[tuple[datetime, datetime]] = (),
) -> go.Figure:
    """Draw what happened and what is forecast with its 80 % and 95 % ranges.

    `actual` has starts_at and value, `points` starts_at and BAND_COLUMNS, both one row per hour or 24 hours;
    `marks` are stretches of missing hours, shaded.
    """
    figure = go.Figure()
    add_bands(figure, points, zone, colors.forecast)
    figure.add_scatter(
        x=local_times(actual["starts_at"], zone),
        y=actual["value"],
        name="What happened",
        line={"color": colors.actual, "width": 1.6},
        hovertemplate="%{y:,.4~g}",
    )
    if marks:
        shade = {"size": 12, "symbol": "square", "color": faded(colors.warn, 0.4)}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=shade, name="Taken as missing")
    for first, after in marks:
        figure.add_vrect(
            x0=_local(first, zone),
            x1=_local(after, zone),
            fillcolor=faded(colors.warn, 0.25),
            line_width=0,
            layer="below",
        )
    per = "hour" if grain == "hour" else "24 hours"
    return styled(figure, f"Time ({zone.key})", f"{metric.label} ({metric.unit} per {per})", metric)


def add_bands(figure: go.Figure, points: pd.DataFrame, zone: ZoneInfo, color: str, name: str = "Forecast") -> None:
    """Add a forecast line with its two ranges."""
    times = local_times(points["starts_at"], zone)
    for level, opacity in ((95, 0.16), (80, 0.28)):
        for side, fill in (("high", None), ("low", "tonexty")):
            figure.add_scatter(
                x=times,
                y=points[f"{side}_{level}"],
                mode="lines",
                line={"width": 0, "color": color},
                fill=fill,
                fillcolor=faded(color, opacity),
                name=f"{level} % range",
                showlegend=side == "low" and name == "Forecast",
                hoverinfo="skip",
            )
    figure.add_scatter(
        x=times,
        y=points["forecast"],
        name=name,
        mode="lines",
        line={"color": color, "width": 2.2},
        customdata=points[["low_80", "high_80"]].to_numpy(),
        hovertemplate="%{y:,.4~g} (80 %: %{customdata[0]:,.4~g} to %{customdata[1]:,.4~g})",
    )


def leaderboard_figure(scores: pd.DataFrame, colors: Palette) -> go.Figure:
    """Draw the error of each method relative to the same hour yesterday, with its spread over origins; best on top."""
    rows = scores.dropna(subset=["relative_mae"]).sort_values("relative_mae", ascending=False)
    is_ours = rows["method"] == "combined"
    figure = go.Figure(
        go.Scatter(
            x=rows["relative_mae"],
            y=rows["label"],
            mode="markers",
            marker={"size": 11, "color": [colors.forecast if own else colors.actual for own in is_ours]},
            error_x={"array": rows["relative_sd"], "thickness": 1.5, "width": 4, "color": faded(colors.actual, 0.6)},
            customdata=rows[["relative_sd", "origin_count"]].to_numpy(),
            hovertemplate="%{x:.3f} ± %{customdata[0]:.2f} over %{customdata[1]} past forecasts<extra>%{y}</extra>",
        )
    )
    figure.add_vline(x=1, line={"color": colors.budget, "dash": "dot", "width": 1.5})
    figure.update_layout(
        height=90 + 34 * len(rows),
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        xaxis={"title": "Error ÷ error of “same hour yesterday”", "rangemode": "tozero"},
        yaxis={"automargin": True, "title": None},
        showlegend=False,
    )
    return figure


def coverage_figure(coverage: pd.DataFrame, colors: Palette) -> go.Figure:
    """Draw how often 80 % and 95 % ranges held; `coverage` has name, level_pct, achieved_ratio and count."""
    figure = go.Figure()
    for level, color in ((95, colors.scenario), (80, colors.forecast)):
        rows = coverage[coverage["level_pct"] == level].iloc[::-1]
        figure.add_bar(
            x=rows["achieved_ratio"],
            y=rows["name"],
            orientation="h",
            name=f"{level} % ranges",
            marker_color=color,
            text=[
                f"{ratio:.0%} of {count:,}" for ratio, count in zip(rows["achieved_ratio"], rows["count"], strict=True)
            ],
            textposition="inside",
            insidetextanchor="start",
            hovertemplate="%{x:.1%}<extra>%{y}, " + str(level) + " % ranges</extra>",
        )
        figure.add_vline(x=level / 100, line={"color": color, "dash": "dot", "width": 1.5})
    figure.update_layout(
        height=110 + 26 * len(coverage),
        barmode="group",
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={"title": "Share that held what came", "tickformat": ".0%", "range": [0, 1.02]},
        yaxis={"automargin": True},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "reversed"},
    )
    return figure


def past_figure(past: pd.DataFrame, metric: Metric, zone: ZoneInfo, colors: Palette) -> go.Figure:
    """Draw past forecasts beside what came, hours outside 95 % marked; `past` as made by `newest_past`."""
    figure = go.Figure()
    add_bands(figure, past, zone, colors.forecast)
    times = local_times(past["starts_at"], zone)
    figure.add_scatter(
        x=times,
        y=past["actual"],
        name="What came",
        line={"color": colors.actual, "width": 1.6},
        hovertemplate="%{y:,.4~g}",
    )
    outside = (past["actual"] > past["high_95"]) | (past["actual"] < past["low_95"])
    figure.add_scatter(
        x=times[outside.to_numpy()],
        y=past["actual"][outside],
        name="Outside the 95 % range",
        mode="markers",
        marker={"color": colors.bad, "size": 7, "symbol": "circle-open", "line": {"width": 2}},
        hovertemplate="%{y:,.4~g}",
    )
    return styled(figure, f"Time ({zone.key})", f"{metric.label} ({metric.unit} per hour)", metric)


def spend_figure(
    spent: pd.DataFrame, outlook: pd.DataFrame, budget: float | None, zone: ZoneInfo, colors: Palette
) -> go.Figure:
    """Draw the money spent in a period so far, possible sums to its end, and the budget.

    `spent` has starts_at and value (sums, USD), `outlook` starts_at and BAND_COLUMNS (sums, USD).
    """
    figure = go.Figure()
    add_bands(figure, outlook, zone, colors.forecast)
    figure.add_scatter(
        x=local_times(spent["starts_at"], zone),
        y=spent["value"],
        name="Spent",
        line={"color": colors.actual, "width": 2},
        hovertemplate="$%{y:,.2f}",
    )
    if budget:
        figure.add_hline(
            y=budget,
            line={"color": colors.bad, "dash": "dash", "width": 1.8},
            annotation={"text": f"Budget ${budget:,.2f}", "font": {"color": colors.bad}},
            annotation_position="top left",
        )
    return styled(figure, f"Time ({zone.key})", "Spent since the start of the month (USD)", METRICS["cost_usd"])


def comparison_figure(
    base: pd.DataFrame, changed: pd.DataFrame, title: str, metric: Metric, zone: ZoneInfo, colors: Palette
) -> go.Figure:
    """Draw a scenario against the base case, both with their ranges (tables like the points of a forecast)."""
    figure = go.Figure()
    add_bands(figure, base, zone, colors.actual, "As things are")
    add_bands(figure, changed, zone, colors.forecast, "Forecast")
    figure.data[-1].name = "Scenario"
    return styled(figure, f"24 hours from ({zone.key})", title, metric)


def risk_figure(hours: pd.DataFrame, limit: float, zone: ZoneInfo, colors: Palette) -> go.Figure:
    """Draw the forecast rate against a limit; `hours` has starts_at and BAND_COLUMNS in tokens per minute."""
    figure = go.Figure()
    add_bands(figure, hours, zone, colors.forecast)
    figure.add_hline(
        y=limit,
        line={"color": colors.bad, "dash": "dash", "width": 1.8},
        annotation={"text": f"Limit {limit:,.0f} a minute", "font": {"color": colors.bad}},
        annotation_position="top left",
    )
    return styled(figure, f"Time ({zone.key})", "Tokens per minute")


def contributors_figure(names: Sequence[str], changes: Sequence[float], unit: str, colors: Palette) -> go.Figure:
    """Draw how much each part moved in a level shift, largest on top."""
    figure = go.Figure(
        go.Bar(
            x=list(changes)[::-1],
            y=list(names)[::-1],
            orientation="h",
            marker_color=[colors.scenario if change >= 0 else colors.warn for change in list(changes)[::-1]],
            hovertemplate="%{x:+,.4~g}<extra>%{y}</extra>",
        )
    )
    figure.update_layout(
        height=80 + 30 * len(names),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={"title": f"Change ({unit} per hour)", "tickformat": tick_format(changes)},
        yaxis={"automargin": True},
    )
    return figure


def styled(figure: go.Figure, x_title: str, y_title: str, metric: Metric | None = None) -> go.Figure:
    """Give a chart over time its titles, legend and margins."""
    prefix = "$" if metric is not None and metric.unit == "USD" else ""
    heights = [
        value for trace in figure.data for value in (trace.y if trace.y is not None else ()) if value is not None
    ]
    return figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": x_title},
        yaxis={
            "title": y_title,
            "rangemode": "tozero",
            "tickprefix": prefix,
            "tickformat": tick_format(heights),
            "automargin": True,
        },
    )


def tick_format(values: Iterable[float]) -> str:
    """Return an axis format: 1.2k and 3M for large numbers, plain ones below, where `m` would be read as million."""
    largest = max((abs(value) for value in values if value == value), default=0.0)
    return "~s" if largest >= 1000 else "~g"


def local_times(times: pd.Series, zone: ZoneInfo) -> pd.Series:
    """Return clock times of a zone without the zone, which Plotly would turn back into UTC."""
    return pd.Series(pd.to_datetime(times, utc=True).dt.tz_convert(zone).dt.tz_localize(None))


def _local(when: datetime, zone: ZoneInfo) -> datetime:
    return when.astimezone(zone).replace(tzinfo=None)
