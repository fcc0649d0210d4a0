"""Run the double as a server of its own, for tests of the whole stack without Metabase's image.

    python -m tests.metabase.double --port 3000 --profile v58 --state /var/lib/double/state.json

It reads the variables of Metabase's image that matter here: MB_SITE_URL, MB_SETUP_TOKEN, MB_ENABLE_PUBLIC_SHARING,
MB_ANON_TRACKING_ENABLED, MB_JETTY_HOST, MB_JETTY_PORT; the others are ignored. It runs the cards' SQL on the database
that it is told to connect to. See the package's docstring for what it is not.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.metabase.double.faults import Faults
from tests.metabase.double.profile import PROFILES
from tests.metabase.double.public import Config
from tests.metabase.double.server import Double
from tests.metabase.double.warehouse import PostgresWarehouse


def main(arguments: list[str] | None = None, reset_tokens: Callable[[], Mapping[str, str]] = dict) -> int:
    """Serve until SIGTERM or Ctrl-C; `reset_tokens` tells e-mails by tokens that another process has made."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m tests.metabase.double", description="A stand-in for Metabase.")
    parser.add_argument("--host", default=env.get("MB_JETTY_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(env.get("MB_JETTY_PORT", "3000")))
    parser.add_argument("--profile", choices=sorted(PROFILES), default="v58")
    parser.add_argument("--state", type=Path, help="keep what it knows in this file")
    parser.add_argument("--slow-start", type=int, default=0, metavar="N", help="answer the first N requests with 503")
    options = parser.parse_args(arguments)
    config = Config(
        setup_token=env.get("MB_SETUP_TOKEN") or Config.setup_token,
        site_url=env.get("MB_SITE_URL"),
        anon_tracking=env.get("MB_ANON_TRACKING_ENABLED") == "true",
        public_sharing=env.get("MB_ENABLE_PUBLIC_SHARING", "true") == "true",
        reset_tokens=reset_tokens,
    )
    double = Double(
        profile=options.profile,
        config=config,
        warehouse=PostgresWarehouse(),
        faults=Faults(initializing_requests=options.slow_start),
        state_file=options.state,
        host=options.host,
        port=options.port,
    ).start()
    print(f"double of Metabase {options.profile} at {double.url}", file=sys.stderr, flush=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    double.stop()
    for violation in double.violations:
        print(f"violation: {violation}", file=sys.stderr)
    return 1 if double.violations else 0


if __name__ == "__main__":
    sys.exit(main())
