"""The container's health check: the app answers and the reader's password opens the warehouse."""

from __future__ import annotations

import sys
import urllib.request

from warehouse.connection import READER, connect

URL = "http://127.0.0.1:8501/forecaster/_stcore/health"
TIMEOUT_S = 4


def main() -> int:
    """Return 0 when both work; a failure's message is what `docker inspect` shows."""
    with urllib.request.urlopen(URL, timeout=TIMEOUT_S) as response:
        response.read()
    with connect(user=READER, connect_timeout=TIMEOUT_S) as connection:
        connection.execute("select 1 from public_star.dim_models limit 1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
