"""The controls in the sidebar: what is shown, in the address too, so that a link leads back to the same page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st

from forecaster import cached
from forecaster.cached import NoData
from forecaster.metrics import ALL, METRICS, Metric, Segment
from forecaster.palette import Palette, palette
from warehouse.connection import WarehouseUnavailable

HORIZONS = {
    "24h": ("24 hours", 24),
    "48h": ("48 hours", 48),
    "7d": ("7 days", 168),
    "30d": ("30 days", 720),
    "90d": ("90 days", 2160),
}
GRAINS = {"hour": "Hours", "day": "24-hour totals"}
COMMON_ZONES = (
    "UTC",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
)


@dataclass(frozen=True)
class Choice:
    """What the reader has chosen."""

    metric: Metric
    grain: str
    segment: Segment
    horizon_hours: int
    zone: ZoneInfo
    colors: Palette


def draw_controls() -> None:
    """Draw the sidebar and keep the choice for the page that follows."""
    known = _segments()
    with st.sidebar:
        metric = st.selectbox(
            "Metric", list(METRICS), format_func=lambda name: METRICS[name].label, key="metric", bind="query-params"
        )
        key = st.selectbox(
            "Segment",
            list(known),
            format_func=lambda key: known[key].label,
            key="segment",
            bind="query-params",
            help="All traffic, or one model, billing tier or company.",
        )
        horizon = st.segmented_control(
            "Horizon",
            list(HORIZONS),
            default="48h",
            required=True,
            format_func=lambda name: HORIZONS[name][0],
            key="horizon",
            bind="query-params",
            help="Hour by hour up to 7 days; beyond, only totals of 24 hours can be forecast honestly.",
        )
        grain = st.segmented_control(
            "Grain",
            list(GRAINS),
            default="hour",
            required=True,
            format_func=lambda name: GRAINS[name],
            key="grain",
            bind="query-params",
        )
        own = os.environ.get("REPORT_TZ") or "UTC"
        zone = st.selectbox("Time zone", zones(own), key="tz", bind="query-params")
        st.caption("[Tokenscope](/) · forecasts of LLM traffic with measured error")
    st.session_state["choice"] = Choice(
        metric=METRICS[metric or "requests"],
        grain=grain or "hour",
        segment=known[key or ALL.key],
        horizon_hours=HORIZONS[horizon or "48h"][1],
        zone=ZoneInfo(zone or zones(own)[0]),
        colors=palette(st.context.theme.type == "dark"),
    )


def chosen() -> Choice:
    """Return what the reader has chosen."""
    choice: Choice = st.session_state["choice"]
    return choice


def _segments() -> dict[str, Segment]:
    """Return the segments by key; all traffic alone where the warehouse cannot say (the page will)."""
    try:
        return {segment.key: segment for segment in cached.segments(cached.span())}
    except (WarehouseUnavailable, NoData):
        return {ALL.key: ALL}


@st.cache_data(show_spinner=False)
def zones(own: str) -> list[str]:
    """Return the time zones: the reports' `own` first (UTC where Python does not know it), then the common ones."""
    known = available_timezones()
    first = own if own in known else "UTC"
    common = [zone for zone in COMMON_ZONES if zone != first]
    return [first, *common, *sorted(zone for zone in known if "/" in zone and zone not in {first, *common})]
