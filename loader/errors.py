"""The one error a user sees: a line that says what was expected, what was found and the next step."""

from __future__ import annotations

import re

import psycopg


class LoadError(Exception):
    """The command failed for a reason the user can act on; the message is one line and holds no secret."""


class AttemptFailed(LoadError):
    """An attempt at a load failed and is recorded as such."""


def encodable(text: str) -> str:
    """Return `text` with what no UTF-8 can hold, bytes of another encoding in a file's name, written as escapes."""
    if text.isascii():
        return text
    return re.sub("[\ud800-\udfff]", lambda found: _escape(ord(found[0])), text)


def _escape(code: int) -> str:
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def one_line(text: object) -> str:
    """Return `text` on one line, runs of white space made one blank."""
    return " ".join(str(text).split())


def database_error_text(error: psycopg.Error) -> str:
    """Return what the server or the connection to it refused, as one line in the form of a LoadError."""
    cause = one_line(error.diag.message_primary or error)
    if isinstance(error, psycopg.errors.DiskFull):
        return f"expected free disk space for the server's files, found none: {cause}; free some and run again"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"expected a role that may do this, found: {cause}; connect as portfolio_owner or an administrator"
    if isinstance(error, psycopg.errors.UndefinedColumn | psycopg.errors.UndefinedTable):
        return f"expected the tables as the loader made them, found: {cause}; put back what was renamed or dropped"
    if isinstance(error, psycopg.OperationalError):
        return f"expected the server to go on answering, found: {cause}; see that it runs, then run again"
    detail = f" ({one_line(error.diag.message_detail)})" if error.diag.message_detail else ""
    return f"expected PostgreSQL to accept the data, found: {cause}{detail}; correct that and run again"
