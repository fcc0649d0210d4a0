"""Work that another container does: ask for it by a file it watches, wait for the file it answers with.

The site is built without a network and a dump is made by PostgreSQL's own image, so neither can be a child process of
the scheduler, and nothing here may start a container.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from pathlib import Path

POLL_S = 1.0
SILENCE_S = 120.0
"""A service that watches touches its sign of life every few seconds, also while it works."""


class JobError(Exception):
    """The job was not done; the message says what to look at."""


@dataclass(frozen=True)
class Job:
    """What is asked for: `<asks>/<name>.wanted` is ours, `<answers>/.result` and `.alive` are the service's."""

    name: str
    service: str
    asks: Path
    answers: Path

    @property
    def wanted(self) -> Path:
        """Return the file that the service watches."""
        return self.asks / f"{self.name}.wanted"


def ask(job: Job) -> str:
    """Ask for the job to be done; return the word that the answer will begin with."""
    token = uuid.uuid4().hex
    job.asks.mkdir(parents=True, exist_ok=True)
    staging = job.wanted.with_suffix(".new")
    staging.write_text(f"{token}\n", encoding="utf-8")
    staging.replace(job.wanted)
    return token


def wait(job: Job, token: str, silence_s: float = SILENCE_S) -> str:
    """Wait for the answer and return what it says; raises JobError where it says failed, or nobody works at it."""
    last_sign = time.monotonic()
    seen = None
    while True:
        answer = _text(job.answers / ".result")
        if answer.startswith(f"{token} "):
            _, status, *words = answer.split(maxsplit=2)
            if status != "done":
                raise JobError(
                    f"{job.name}: expected the service {job.service} to succeed, found that it failed;"
                    f" see `make logs SERVICE={job.service}`"
                )
            return words[0] if words else ""
        sign = _text(job.answers / ".alive")
        if sign != seen:
            last_sign, seen = time.monotonic(), sign
        elif time.monotonic() - last_sign > silence_s:
            raise JobError(
                f"{job.name}: expected a sign of life of the service {job.service} in {silence_s:g} s, found none;"
                " see `make ps`, and start it with `make up`"
            )
        time.sleep(POLL_S)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
