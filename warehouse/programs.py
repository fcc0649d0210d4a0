"""Where PostgreSQL's client programs are."""

from __future__ import annotations

import shutil


def program(name: str) -> str:
    """Return the program to use: the wheel's, which knows the embedded server's version, else the one on the path."""
    try:
        from embedded.errors import EmbeddedPostgresError
        from embedded.postgres import binary
    except ImportError:
        return shutil.which(name) or name
    try:
        return str(binary(name))
    except EmbeddedPostgresError:
        return shutil.which(name) or name
