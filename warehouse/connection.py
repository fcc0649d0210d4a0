"""Which server: the one libpq's variables name, else the embedded one, started on first need.

The embedded stack is met at its command line only, so that an image without it needs nothing but the variables.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

SERVER_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE")
"""Any of these set means: use that server. The others (PGUSER, PGPASSWORD, PGPASSFILE, PGSSLMODE) only go with them."""
READER = "portfolio_reader"
CONNECT_TIMEOUT_S = 10
OLDEST_MAJOR = 16
"""The oldest PostgreSQL that knows what loader/sql/ asks for: pg_has_role's SET came with it."""
_WAITS_S = {
    "the database system is starting up": 30,
    "the database system is in recovery mode": 30,
    "the database system is not yet accepting connections": 30,
    "the database system is shutting down": 30,
    "server closed the connection unexpectedly": 5,  # it crashed just now
}
_REPOSITORY = Path(__file__).resolve().parent.parent


class WarehouseUnavailable(Exception):
    """No connection to the warehouse; the message names the server, the cause and the next step, never a secret."""


def is_external() -> bool:
    """Return whether the environment names a server of its own."""
    return any(os.environ.get(name) for name in SERVER_VARIABLES)


def connection_environment() -> dict[str, str]:
    """Return the libpq variables of the server to use; raises WarehouseUnavailable when none can be started."""
    if is_external():
        return {name: value for name, value in os.environ.items() if name.startswith("PG") and value}
    command = [sys.executable, "-m", "embedded", "env"]
    result = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, errors="surrogateescape")
    if result.returncode != 0:
        raise WarehouseUnavailable(result.stderr.strip())
    return dict(line.split("=", 1) for line in result.stdout.splitlines())


def connect(*, user: str | None = None, autocommit: bool = False, **options: Any) -> psycopg.Connection:
    """Open a connection to the warehouse, as `user` where given; raises WarehouseUnavailable with the next step.

    A server that is starting, recovers from a crash or stops is waited for.
    """
    began = time.monotonic()
    while True:
        parameters = _parameters(user) | options
        try:
            connection = psycopg.connect("", autocommit=autocommit, **parameters)
            break
        except psycopg.OperationalError as error:
            cause = " ".join(str(error).split())
            if time.monotonic() - began < max((wait for words, wait in _WAITS_S.items() if words in cause), default=0):
                time.sleep(0.1)
                continue
            raise WarehouseUnavailable(
                f"connection to the warehouse failed: {cause}; check that the server runs and that "
                "PGHOST, PGPORT, PGUSER, PGDATABASE and PGPASSWORD (or PGPASSFILE) name it"
            ) from None
    if problem := version_problem(connection.info.server_version):
        connection.close()
        raise WarehouseUnavailable(problem)
    return connection


def version_problem(server_version: int) -> str | None:
    """Return what is wrong with a server of this version (160004 is 16.4), None where nothing is."""
    major, minor = divmod(server_version, 10_000)
    if major >= OLDEST_MAJOR:
        return None
    return (
        f"the warehouse's server: expected PostgreSQL {OLDEST_MAJOR} or later, found {major}.{minor}; "
        "upgrade it, or unset PGHOST and its kin to use the embedded one"
    )


def _parameters(user: str | None) -> dict[str, Any]:
    environment = connection_environment()
    parameters: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "tokenscope"}
    if not is_external():
        parameters |= {name[2:].lower().replace("database", "dbname"): value for name, value in environment.items()}
    elif os.environ.get("PGHOST"):
        parameters["host"] = os.environ["PGHOST"]  # psycopg would find it too, and call it None in its errors
    if user is not None:
        parameters["user"] = user
        password = password_of(user)
        if password is not None:
            parameters["password"] = password
    return parameters


def password_of(role: str) -> str | None:
    """Return the password of `role` from PORTFOLIO_READER_PASSWORD or the file PORTFOLIO_READER_PASSWORD_FILE names.

    None where neither is set (the embedded server trusts its socket). Raises WarehouseUnavailable on a missing file.
    """
    variable = f"{role.upper()}_PASSWORD"
    path = os.environ.get(f"{variable}_FILE")
    if not path:
        return os.environ.get(variable)
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise WarehouseUnavailable(
            f"{variable}_FILE: expected a readable file, found {error.strerror} for {path}; "
            "create it with `make secrets` or unset the variable"
        ) from None
