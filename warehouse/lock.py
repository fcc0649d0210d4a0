"""One at a time: the lock of the pipeline, held by what must not run beside its like, in whichever container it runs.

It is an advisory lock of the database that a connection holds, so whoever dies lets it go. The holder's connection is
named for what it does (pg_stat_activity.application_name), so that whoever waits can say for whom.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import psycopg

from warehouse.connection import WarehouseUnavailable

HOLDER_VARIABLE = "WAREHOUSE_LOCK_HOLDER"
"""The server process that holds the lock for this process and its children."""
WAIT_VARIABLE = "WAREHOUSE_LOCK_WAIT_S"
WAIT_S = 6 * 3600.0
_KEY = (7_460_004, 1)  # any pair that nobody else takes; the loader and the events have 7_460_001 to 7_460_003
_PAUSE_S = 0.25
_TELL_AGAIN_S = 60.0
"""A wait without a word looks like one that hangs, to people and to stack/up.sh."""
_NAME = re.compile(r"(\S+) ([0-9]+)@(\S*) ([0-9-]+)T([0-9:]+)Z")
_HELD = (
    "select a.pid, a.application_name from pg_locks as l inner join pg_stat_activity as a on a.pid = l.pid"
    " where l.locktype = 'advisory' and l.granted and l.classid = %s and l.objid = %s and l.objsubid = 2"
    " and l.database = (select oid from pg_database where datname = current_database())"
)


class WarehouseBusy(WarehouseUnavailable):
    """Another command holds the pipeline's lock for longer than this one may wait."""


@contextmanager
def alone(connection: psycopg.Connection, command: str) -> Iterator[None]:
    """Hold the pipeline's lock on `connection` (autocommit, outside a transaction), in the name of `command`.

    It is waited for, and stderr says for whom. A child of a holder runs under its parent's lock. Raises WarehouseBusy
    after WAREHOUSE_LOCK_WAIT_S seconds.
    """
    if _is_held_for_us(connection):
        yield
        return
    name_before = connection.info.parameter_status("application_name") or ""
    _take(connection, command)
    os.environ[HOLDER_VARIABLE] = str(connection.info.backend_pid)
    try:
        yield
    finally:
        os.environ.pop(HOLDER_VARIABLE, None)
        with suppress(psycopg.Error):  # a connection that is gone holds nothing
            connection.execute(
                "select pg_advisory_unlock(%s, %s), set_config('application_name', %s, false)",
                [*_KEY, name_before],
            )


def _take(connection: psycopg.Connection, command: str) -> None:
    # A holder whose machine is gone without a word is noticed in a minute, not in two hours.
    connection.execute("set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3")
    wait_s = _wait_s()
    deadline, told, told_at = time.monotonic() + wait_s, None, 0.0
    while not _try(connection, command):
        holder = _holder(connection)
        if holder is not None and time.monotonic() > deadline:
            raise WarehouseBusy(
                f"expected the pipeline to be free within {wait_s:g} s, found {holder} at work; wait for its end or"
                f" stop it, then run again ({WAIT_VARIABLE} sets how long to wait)"
            )
        if holder is not None and (holder != told or time.monotonic() > told_at + _TELL_AGAIN_S):
            print(f"{command}: waiting for {holder} to end; Ctrl-C gives up", file=sys.stderr, flush=True)
            told, told_at = holder, time.monotonic()
        time.sleep(_PAUSE_S)


def _try(connection: psycopg.Connection, command: str) -> bool:
    """Take the lock if it is free, and put our name on it in the same statement."""
    row = connection.execute(
        "select case when pg_try_advisory_lock(%s, %s) then set_config('application_name', %s, false) end is not null",
        [*_KEY, holder_name(command, os.getpid(), socket.gethostname(), datetime.now(UTC))],
    ).fetchone()
    return row == (True,)


def _holder(connection: psycopg.Connection) -> str | None:
    """Return who holds the lock, None where it has become free."""
    row = connection.execute(_HELD, _KEY).fetchone()
    return holder_text(*row) if row else None


def holder_name(command: str, pid: int, host: str, since: datetime) -> str:
    """Return the holder's name, which the server cuts at 63 characters; a container's host name has 12."""
    plain = (re.sub("[^!-~]", "_", text) for text in (command[:20], host[:12]))
    return "{0} {pid}@{1} {since:%Y-%m-%dT%H:%M:%SZ}".format(*plain, pid=pid, since=since)


def holder_text(server_pid: int, name: str) -> str:
    """Return what to call the holder of the lock: from its connection's name where that is one of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return f"server process {server_pid} ({name})"
    command, pid, host, day, clock = found.groups()
    return f"{command} (process {pid} on {host}, since {day} {clock} UTC)"


def _is_held_for_us(connection: psycopg.Connection) -> bool:
    holder = os.environ.get(HOLDER_VARIABLE)
    if not holder:
        return False
    row = connection.execute(_HELD, _KEY).fetchone()
    return row is not None and str(row[0]) == holder


def _wait_s() -> float:
    text = os.environ.get(WAIT_VARIABLE)
    try:
        return float(text) if text else WAIT_S
    except ValueError:
        raise WarehouseUnavailable(f"{WAIT_VARIABLE}: expected seconds, found {text!r}; correct or unset it") from None
