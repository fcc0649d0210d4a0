"""What every adapter of a real log offers, and the context it reads in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from loader.rows import Batches


@dataclass(frozen=True)
class Context:
    """What an adapter must know beside the bytes; `epoch` is the instant of time 0, for formats without a calendar."""

    source: str
    epoch: datetime | None = None

    @property
    def row_id_prefix(self) -> str:
        """Return what a row without an id of its own is unique in, beside its text: whatever file it is in."""
        return f"{self.source}:{self.epoch.isoformat() if self.epoch else ''}:"


@dataclass(frozen=True)
class Adapter:
    """A format of real logs. `read` yields the rows of an open file as batches.

    Their columns are named as in raw_staging.api_requests; absent ones stay NULL. Models, users and teams are given by
    name: model_name and provider, user_name, team_name (see loader/members.py). `assumptions` are recorded with every
    load.
    """

    read: Callable[[BinaryIO, Context], Batches]
    assumptions: tuple[str, ...]
