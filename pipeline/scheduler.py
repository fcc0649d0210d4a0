"""The long-running part: it sleeps, looks into the inbox, and starts runs as child processes, so that it stays small.

Nothing here talks to the warehouse, and nothing that a run does can end it: a run that fails is tried again at its next
time, one for the inbox after RETRY_S at the latest.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pipeline import inbox
from pipeline.clock import next_run
from pipeline.settings import REPOSITORY, Settings

POLL_S = 15.0
RETRY_S = 900.0
ALIVE = Path("/tmp/scheduler.alive")  # noqa: S108 (a tmpfs of this container alone)


@dataclass
class State:
    """What the scheduler knows between two looks."""

    daily_due: datetime
    seen: inbox.Look = field(default_factory=dict)
    retry_at: float = 0.0
    failed_on: inbox.Look = field(default_factory=dict)


def run_scheduler(settings: Settings, poll_s: float = POLL_S, alive: Path = ALIVE) -> None:
    """Run until the process is asked to end."""
    signal.signal(signal.SIGTERM, _end)
    state = State(daily_due=first_due(settings, datetime.now(UTC)))
    say(f"the daily run is due at {state.daily_due:%Y-%m-%d %H:%M} UTC; looking into {settings.inbox}")
    while True:
        alive.touch()
        step(settings, state, datetime.now(UTC), alive)
        time.sleep(poll_s)


def step(settings: Settings, state: State, now: datetime, alive: Path) -> None:
    """Start what is due, and wait for it."""
    if now >= state.daily_due:
        remember(settings, now)
        state.daily_due = next_run(now, settings.daily_at, settings.zone)
        succeeded = run_child("daily", alive)
        say(f"daily run {'done' if succeeded else 'failed'}; the next is due at {state.daily_due:%Y-%m-%d %H:%M} UTC")
        return
    seen, before = inbox.look(settings.inbox), state.seen
    state.seen = seen
    unfinished = _unfinished(settings)
    ready = inbox.complete(before, seen)
    is_new = any(state.failed_on.get(path) != seen[path] for path in ready)
    is_due = time.monotonic() >= state.retry_at and (bool(ready) or unfinished.exists())
    if not is_new and not is_due:
        return
    unfinished.touch()  # files leave the inbox before they are built: a run that fails or is killed is done again
    if run_child("work", alive):
        unfinished.unlink(missing_ok=True)
    else:
        # As seen before the run: what came while it worked is new.
        state.failed_on, state.retry_at = seen, time.monotonic() + RETRY_S
        say(f"run for the inbox failed; next try in {RETRY_S / 60:.0f} min, or when its files change")


def first_due(settings: Settings, now: datetime) -> datetime:
    """Return when the daily run is due first: at once where its time passed while nobody was there to see it.

    The first start of all remembers itself, so that the first run is not lost either.
    """
    try:
        last = datetime.fromisoformat(json.loads(_memory(settings).read_text(encoding="utf-8"))["daily_started_at"])
    except (OSError, ValueError, KeyError, TypeError):
        last = now
        remember(settings, now)
    return next_run(min(last, now), settings.daily_at, settings.zone)


def remember(settings: Settings, now: datetime) -> None:
    """Note that the daily run starts, before it does: one that ends the container is not repeated for ever.

    The scheduler's first start is noted alike.
    """
    path = _memory(settings)
    staging = path.with_suffix(".new")
    staging.write_text(json.dumps({"daily_started_at": now.isoformat()}) + "\n", encoding="utf-8")
    staging.replace(path)


def run_child(command: str, alive: Path) -> bool:
    """Run `python -m pipeline COMMAND`, giving signs of life; return whether it succeeded."""
    process = subprocess.Popen([sys.executable, "-m", "pipeline", command], cwd=REPOSITORY)
    try:
        while True:
            try:
                return process.wait(timeout=POLL_S) == 0
            except subprocess.TimeoutExpired:
                alive.touch()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def say(text: str) -> None:
    """Say one thing on stderr."""
    print(f"scheduler: {text}", file=sys.stderr, flush=True)


def _unfinished(settings: Settings) -> Path:
    return settings.data / "work.unfinished"


def _memory(settings: Settings) -> Path:
    return settings.data / "scheduler.json"


def _end(*_: int | FrameType | None) -> None:
    say("asked to end")
    raise SystemExit(0)
