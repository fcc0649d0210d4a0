"""Waiting without a clock in the verdict: limits are for hangs, and stretch with what the machine has to do besides."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

HANG_S = 600.0
COMMAND_HANG_S = 3600.0
"""For one command, which cannot be asked how it is getting on."""


def slowdown() -> float:
    """Return how many runnable processes share a processor, at least 1: a second here is worth 1 / slowdown."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait_until(condition: Callable[[], bool], what: str, hang_s: float = HANG_S, poll_s: float = 0.2) -> float:
    """Wait until `condition` holds; return the seconds it took. Fails after `hang_s` seconds of an idle machine."""
    begin = before = time.monotonic()
    spent = 0.0
    while not condition():
        assert spent < hang_s, f"{what}: not within {time.monotonic() - begin:.0f} s"
        time.sleep(poll_s)
        now = time.monotonic()
        spent += (now - before) / slowdown()
        before = now
    return time.monotonic() - begin
