"""What a page shows instead of a chart: a database that is down, nothing to forecast, a history that is too short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from forecaster.cached import NoData
from forecaster.outlook import Outlook
from forecaster.series import SeriesError
from warehouse.connection import WarehouseUnavailable

STATE_WORDS = {
    "calibrated": ("Calibrated", "green", "The ranges were set by what past forecasts missed by."),
    "short history": ("Short history", "orange", "Less than a week of data: ranges rest on few past forecasts."),
    "provisional": ("Provisional", "orange", "Less than two days of data: ranges are a rule of thumb."),
    "level only": ("Level only", "red", "Less than a day of data: the level of the last hours and a wide range."),
}


@contextmanager
def explained() -> Iterator[None]:
    """Turn what can go wrong on a page into a page that says so and what to do; never a traceback."""
    try:
        yield
    except WarehouseUnavailable as error:
        show_database_down(str(error))
    except NoData as error:
        show_no_data(str(error))
    except SeriesError as error:
        with st.container(border=True):
            st.subheader("This cannot be forecast")
            st.markdown(sentence(str(error)))


def show_database_down(cause: str) -> None:
    """Say that the warehouse does not answer, why, and offer to try again."""
    with st.container(border=True):
        st.subheader(":material/cloud_off: The warehouse does not answer")
        st.markdown(
            "The app tried several times. Nothing is lost: the forecasts are in the database and come back with it. "
            "**Your data** works without it."
        )
        st.code(cause, language=None, wrap_lines=True)
        st.caption("Whoever runs this service: check that PostgreSQL is up; `make demo` or `make up` starts it.")
        st.button("Try again", type="primary", icon=":material/refresh:")


def show_no_data(cause: str) -> None:
    """Say that there is nothing to forecast, and what fills the warehouse."""
    with st.container(border=True):
        st.subheader(":material/hourglass_empty: Nothing to forecast yet")
        st.markdown(cause)
        st.markdown(
            "Load traffic first: `make pipeline` for synthetic data, `make import` for a log of your own;"
            " in the full stack put the log into `inbox/`."
        )
        st.caption("Or go to **Your data** and upload a CSV file: it is forecast the same way and not kept.")
        st.button("Look again", icon=":material/refresh:")


def show_state(outlook: Outlook) -> None:
    """Show how far the forecast can be trusted, and everything a reader must know before using it."""
    label, color, explanation = STATE_WORDS[outlook.state]
    st.badge(label, color=color, help=explanation)  # type: ignore[arg-type]
    for note in outlook.notes:
        st.markdown(f":material/info: {sentence(note)}")


def sentence(text: str) -> str:
    """Return a message with a capital and a full stop, safe as Markdown."""
    escaped = text.replace("$", "\\$").replace("_", "\\_").replace("*", "\\*")
    return escaped[:1].upper() + escaped[1:] + ("" if escaped.endswith(".") else ".")
