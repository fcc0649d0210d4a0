"""One run at a time, whichever container it is in: an advisory lock of the warehouse."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

_KEY = (7_460_004, 1)  # any pair that nobody else takes; the loader and the events have 7_460_001 to 7_460_003
_PAUSE_S = 2.0


@contextmanager
def run_lock() -> Iterator[None]:
    """Hold the lock of the pipeline's runs, waiting for it as long as another run has it."""
    with psycopg.connect("", autocommit=True, application_name="tokenscope-run") as connection:
        is_told = False
        while not _try(connection):
            if not is_told:
                print("pipeline: another run is under way; waiting for its end", file=sys.stderr, flush=True)
                is_told = True
            time.sleep(_PAUSE_S)
        yield


def _try(connection: psycopg.Connection) -> bool:
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", _KEY).fetchone()
    return row == (True,)
