"""What the app knows and for how long: pooled connections as portfolio_reader, cached queries, cached fits."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import psycopg
import streamlit as st
from psycopg_pool import ConnectionPool

from forecaster import data
from forecaster.data import Run, Span
from forecaster.forecast import Forecast, forecast
from forecaster.metrics import HORIZON_HOURS, METRICS, History, Segment, forecast_metric
from forecaster.outlook import Outlook
from forecaster.series import Values
from warehouse.connection import READER, WarehouseUnavailable, connection_environment, is_external, password_of

P = ParamSpec("P")
T = TypeVar("T")
Progress = Callable[[float, str], object]

FRESH_S = 60  # how long the app may not know of new data
POOL_SIZE = 4
ATTEMPTS = 3
WAIT_S = 1.5
PAUSE_S = 0.5
DOWN_S = 3.0  # after giving up: the rest of the page need not wait as long again


class NoData(Exception):
    """The warehouse answers but has nothing to forecast; the message says what fills it."""


@st.cache_resource(show_spinner=False)
def pool() -> ConnectionPool[Any]:
    """Return the connections all sessions share; raises WarehouseUnavailable when no server can be started."""
    environment = connection_environment()
    parameters: dict[str, Any] = {"user": READER, "application_name": "tokenscope-forecaster", "connect_timeout": 3}
    if not is_external():
        names = {name: name[2:].lower().replace("database", "dbname") for name in environment}
        parameters = {names[name]: value for name, value in environment.items()} | parameters
    password = password_of(READER)
    if password is not None:
        parameters["password"] = password
    return ConnectionPool(
        "",
        kwargs=parameters | {"autocommit": True},
        min_size=1,
        max_size=POOL_SIZE,
        check=ConnectionPool.check_connection,
        reconnect_timeout=5,
        open=True,
        name="forecaster",
    )


@st.cache_resource(show_spinner=False)
def _outage() -> dict[str, Any]:
    """Return what all sessions know of a server that is down: `until` when it is not asked again, and the `cause`."""
    return {"until": 0.0, "cause": ""}


def ask(question: Callable[Concatenate[psycopg.Connection[Any], P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Put a question of data.py to the warehouse, again after a lost connection.

    Raises WarehouseUnavailable when it does not answer, NoData when a table it needs has not been built.
    """
    outage = _outage()
    if time.monotonic() < outage["until"]:
        raise WarehouseUnavailable(outage["cause"])
    for attempt in range(ATTEMPTS):
        try:
            with pool().connection(timeout=WAIT_S) as connection:
                return question(connection, *args, **kwargs)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedColumn):
            raise NoData("The usage tables have not been built yet.") from None
        except psycopg.OperationalError as error:
            cause = " ".join(str(error).split())
            time.sleep(PAUSE_S * attempt)
    outage |= {"until": time.monotonic() + DOWN_S, "cause": f"{ATTEMPTS} attempts, the last one: {cause}"}
    raise WarehouseUnavailable(outage["cause"])


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def span() -> Span:
    """Return the span of the data; raises NoData where there is none."""
    found = ask(data.read_span)
    if found is None:
        raise NoData("The usage tables are empty.")
    return found


@st.cache_data(ttl=FRESH_S, show_spinner=False)
def latest_run() -> Run | None:
    """Return the newest stored run."""
    return ask(data.read_latest_run)


@st.cache_data(ttl=600, max_entries=4, show_spinner=False)
def segments(until: Span) -> list[Segment]:
    """Return what the traffic can be cut into, busiest first of each kind."""
    return ask(data.read_segments, until)


@st.cache_data(max_entries=60, show_spinner=False)
def history(until: Span, segment: Segment) -> History:
    """Return the hourly history of a segment; raises NoData where it had no traffic."""
    found = ask(data.read_histories, until, [segment])
    if segment not in found:
        raise NoData(f"{segment.label} had no requests in the last {data.HISTORY_DAYS // 7} weeks of data.")
    return found[segment]


@st.cache_data(max_entries=4, show_spinner=False)
def model_histories(until: Span) -> dict[Segment, History]:
    """Return the history of every model."""
    models = [segment for segment in segments(until) if segment.kind == "model"]
    return ask(data.read_histories, until, models)


@st.cache_data(max_entries=60, show_spinner=False)
def stored_outlook(run: Run, segment: Segment, metric: str) -> Outlook | None:
    """Return a stored forecast, None where the run has none of this series."""
    return ask(data.read_outlook, run, segment, metric)


@st.cache_data(max_entries=30, show_spinner=False)
def accuracy(run: Run, segment: Segment, metric: str) -> pd.DataFrame:
    """Return what past runs said about hours that have happened since; a new run brings new ones."""
    return ask(data.read_accuracy, segment, metric)


@st.cache_data(ttl=FRESH_S, max_entries=60, show_spinner=False)
def billed(segment: Segment, since: datetime, until: datetime) -> float:
    """Return what a segment has cost between two times, USD as billed."""
    return ask(data.read_billed, segment, since, until)


@st.cache_data(max_entries=40, show_spinner=False)
def shift_parts(segment: Segment, by: str, metric: str, since: datetime, until: datetime) -> dict[str, Values]:
    """Return hourly values of the parts of a segment around a level shift."""
    return ask(data.read_parts, segment, by, metric, since, until)


@st.cache_data(max_entries=48, show_spinner=False)
def _fitted(_own: History, key: tuple[object, ...], measure: str, horizon: int, origins: int) -> Forecast:
    return forecast(_own.series(measure), horizon, origins)


@st.cache_data(max_entries=16, show_spinner=False)
def _metric_forecast(_own: History, key: tuple[object, ...], metric: str) -> Forecast:
    return forecast_metric(
        _own, metric, lambda series: fitted(_own, series.metric, HORIZON_HOURS, _own.segment.origins)
    )


def fitted(own: History, measure: str, horizon: int, origins: int) -> Forecast:
    """Fit a measure of a segment now, or return the fit of a moment ago; raises SeriesError."""
    return _fitted(own, _key(own), measure, horizon, origins)


def live_forecast(own: History, metric: str, progress: Progress | None = None) -> Forecast:
    """Fit a metric of a segment as the batch does, or return the fit of a moment ago; raises SeriesError.

    The bar moves here, between the cached fits: a cached function may not draw.
    """
    parts = METRICS[metric].parts
    for position, part in enumerate(parts):
        if progress:
            progress(position / len(parts), f"Fitting {METRICS[part].label.lower()}, with its past forecasts …")
        fitted(own, part, HORIZON_HOURS, own.segment.origins)
    return _metric_forecast(own, _key(own), metric)


def _key(own: History) -> tuple[object, ...]:
    """Return what stands for a history in the cache: hashing half a year of hours on every click is slow."""
    sums = tuple(float(np.nansum(values)) for values in own.values.values())
    return (own.segment.key, own.starts_at, len(own.values["requests"]), *sums)
