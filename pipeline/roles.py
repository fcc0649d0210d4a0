"""Roles and databases of the full stack; safe to re-run, and how a changed secret reaches the server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

METABASE = "metabase"
"""Name of Metabase's own role and database: it owns that one and may not even connect to the warehouse's."""


def create_databases() -> None:
    """Create the warehouse's roles and raw tables and Metabase's database, and set all passwords."""
    subprocess.run([sys.executable, "-m", "loader", "init"], check=True)
    password = Path(os.environ["METABASE_DB_PASSWORD_FILE"]).read_text(encoding="utf-8").rstrip("\r\n")
    with psycopg.connect("", autocommit=True) as connection:
        create_application_database(connection, METABASE, password)
        close_to_others(connection)
    print("roles: portfolio_owner, portfolio_reader, metabase and their databases are in place", file=sys.stderr)


def create_application_database(connection: psycopg.Connection, name: str, password: str) -> None:
    """Create the role `name` and a database it owns where absent; set the role's password as a SCRAM verifier."""
    role = sql.Identifier(name)
    if connection.execute("select to_regrole(%s) is null", [name]).fetchone() == (True,):
        connection.execute(sql.SQL("create role {} login connection limit 30").format(role))
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(role, verifier))
    if connection.execute("select from pg_database where datname = %s", [name]).fetchone() is None:
        connection.execute(sql.SQL("create database {} owner {}").format(role, role))


def close_to_others(connection: psycopg.Connection) -> None:
    """Let nobody connect to a database by default: each role reaches the one it was granted."""
    for name in (connection.info.dbname, METABASE, "postgres", "template1"):
        connection.execute(sql.SQL("revoke connect on database {} from public").format(sql.Identifier(name)))
