"""The forecaster's pages: `streamlit run streamlit_app.py` in this folder, with the repository on PYTHONPATH."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see __main__.py

import streamlit as st

from forecaster.controls import draw_controls
from forecaster.states import explained

ICON = str(Path(__file__).with_name("favicon.svg"))
PAGES = [
    st.Page("app_pages/forecast.py", title="Forecast", icon=":material/show_chart:", default=True),
    st.Page("app_pages/accuracy.py", title="Accuracy", icon=":material/fact_check:"),
    st.Page("app_pages/budget.py", title="Budget", icon=":material/savings:"),
    st.Page("app_pages/scenarios.py", title="Scenarios", icon=":material/alt_route:"),
    st.Page("app_pages/anomalies.py", title="Anomalies", icon=":material/notification_important:"),
    st.Page("app_pages/your_data.py", title="Your data", icon=":material/upload_file:", url_path="your-data"),
]

st.set_page_config(page_title="Tokenscope forecaster", page_icon=ICON, layout="wide")
st.logo(ICON, size="large")
page = st.navigation(PAGES)
draw_controls()
with explained():
    page.run()
