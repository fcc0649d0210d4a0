"""Roles, schemas and raw tables: apply `loader/sql/` and set the two roles' passwords."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from loader.errors import LoadError

OWNER, READER = "portfolio_owner", "portfolio_reader"
_SQL_FILES = sorted((Path(__file__).parent / "sql").glob("*.sql"))
_TRIES = 5
_SCHEMA_LOCK = 7_460_001  # any number, the same in every loader: two of them must not create the tables at once


def ensure_schema(connection: psycopg.Connection) -> None:
    """Apply the SQL files unless this database has had exactly these."""
    row = connection.execute(
        "select obj_description(to_regnamespace('raw_staging'), 'pg_namespace'), to_regrole(%s) is not null", [OWNER]
    ).fetchone()
    if row != (_version(), True):
        apply_schema(connection)


def apply_schema(connection: psycopg.Connection) -> None:
    """Run the SQL files in one transaction; raises LoadError where the connecting role may not.

    They lock table after table, as readers do in an order of their own, and the server ends one of two that wait for
    each other: where it is this one, it begins anew.
    """
    for left in reversed(range(_TRIES)):
        try:
            return _apply(connection)
        except psycopg.errors.DeadlockDetected:
            if not left:
                raise


def _apply(connection: psycopg.Connection) -> None:
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])
            connection.execute("set local client_min_messages = warning")
            for path in _SQL_FILES:
                connection.execute(path.read_bytes())
            connection.execute(sql.SQL("comment on schema raw_staging is {}").format(_version()))
    except psycopg.errors.InsufficientPrivilege as error:
        raise LoadError(
            f"expected a role that may create roles and schemas, found {connection.info.user}: "
            f"{error.diag.message_primary}; run it once as an administrator, then as {OWNER} or administrator"
        ) from None


def set_passwords(connection: psycopg.Connection, environment: Mapping[str, str]) -> list[str]:
    """Set the password of each role the environment has one for; return those roles.

    Only the SCRAM verifier is sent, so that no log or statistics view of the server can show a password. The owner may
    log in from then on. Raises LoadError where a password is empty or its file unreadable.
    """
    passwords = {role: password for role in (OWNER, READER) if (password := password_for(role, environment))}
    for role, password in passwords.items():
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        statement = sql.SQL("alter role {} login password {}").format(sql.Identifier(role), verifier)
        connection.execute(statement)
    return list(passwords)


def password_for(role: str, environment: Mapping[str, str]) -> str | None:
    """Return the password of `role` from its _PASSWORD_FILE or _PASSWORD variable; None where neither is set."""
    variable = f"{role.upper()}_PASSWORD"
    path, password = environment.get(f"{variable}_FILE"), environment.get(variable)
    if not path:
        return password or None
    if password:
        raise LoadError(f"expected one of {variable} and {variable}_FILE, found both; unset one")
    try:
        password = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "text that is no UTF-8"
        raise LoadError(f"expected a password in {variable}_FILE, found {cause} at {path}; check the path") from None
    if not password:
        raise LoadError(f"expected a password in {variable}_FILE, found an empty file at {path}; write it again")
    return password


def initialise(connection: psycopg.Connection) -> str:
    """Apply schema and passwords of this process's environment; return a line that says what was done."""
    apply_schema(connection)
    roles = set_passwords(connection, os.environ)
    passwords = f"passwords set for {' and '.join(roles)}" if roles else "no password given, none changed"
    return f"roles, schemas and raw tables are in place in database {connection.info.dbname}; {passwords}"


def _version() -> str:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _SQL_FILES)).hexdigest()
    return f"tokenscope raw schema {digest}"
