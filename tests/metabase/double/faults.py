"""Faults the double commits on purpose, once or several times, at requests that match."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["503", "reset_before", "reset_after"]


@dataclass
class Fault:
    """What goes wrong: an answer 503, or a connection cut before or after the request was carried out.

    `skip` matching requests pass first; then `times` of them fail.
    """

    kind: Kind
    method: str = ".*"
    path: str = ".*"
    skip: int = 0
    times: int = 1

    def strikes(self, method: str, path: str) -> bool:
        """Return whether this request is to fail, and count it."""
        if self.times <= 0 or not re.fullmatch(self.method, method) or not re.fullmatch(self.path, path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Faults:
    """The faults still to come, and how long starting takes (in requests, so that tests do not depend on time)."""

    pending: list[Fault] = field(default_factory=list)
    initializing_requests: int = 0
    resets_after_start: int = 0

    def next(self, method: str, path: str) -> Kind | None:
        """Return what goes wrong with this request."""
        for fault in self.pending:
            if fault.strikes(method, path):
                return fault.kind
        return None

    def starting(self, path: str) -> Literal["initializing", "reset"] | None:
        """Return how a server that still starts treats a request; health turns green before the rest is stable."""
        if self.initializing_requests > 0:
            self.initializing_requests -= 1
            return "initializing"
        if self.resets_after_start > 0 and path != "/api/health":
            self.resets_after_start -= 1
            return "reset"
        return None
