"""Where versions of Metabase differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """One version line."""

    name: str
    tag: str
    tags_as_list: bool


PROFILES = {
    "v58": Profile("v58", "v0.58.39", tags_as_list=False),
    "v64": Profile("v64", "v0.64.2.2", tags_as_list=True),
    "v65": Profile("v65", "v0.65.4", tags_as_list=True),
}
