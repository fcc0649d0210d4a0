"""Serve the app: `python -m forecaster.serve --server.port 8501`, with any other option of `streamlit run`.

Streamlit imports what a page needs when its first visitor comes, who waits for seconds. Here it is imported before the
port opens: a server that answers is one that is ready.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see __main__.py

from streamlit.web import cli

FOLDER = Path(__file__).resolve().parent
PROGRAMS = {"__main__", "healthcheck", "serve", "streamlit_app"}


def import_all() -> None:
    """Import every module of the app, and what Plotly leaves until its first figure."""
    # The caches say once each that no server runs yet; they ask again when they are first used.
    logging.getLogger("streamlit.runtime.caching.cache_data_api").setLevel(logging.ERROR)
    for module in pkgutil.iter_modules([str(FOLDER)]):
        if not module.ispkg and module.name not in PROGRAMS:
            import_module(f"forecaster.{module.name}")
    import_module("plotly.graph_objects").Figure().to_json()


def main() -> None:
    """Import, then hand over to `streamlit run`."""
    import_all()
    sys.argv = ["streamlit", "run", str(FOLDER / "streamlit_app.py"), *sys.argv[1:]]
    cli.main()


if __name__ == "__main__":
    main()
