"""What the reader cannot do, whatever settings of its session it changes: write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest

Environment = dict[str, str]
WRITES: tuple[LiteralString, ...] = (
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
    "select lo_put(1, 0, 'x')",
    "select lo_open(1, 131072)",
    "select lowrite(0, 'x')",
    "select lo_truncate(0, 1)",
    "select lo_truncate64(0, 1)",
    "select lo_unlink(1)",
    "select lo_import('/etc/hostname')",
    "select lo_export(1, '/tmp/x')",
    "create table public.t (id int)",
    "create table public_marts.t (id int)",
    "create schema s",
    "delete from ops.pipeline_events",
    "select count(*) from raw_staging.api_requests",
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/x'",
    "set role portfolio_owner",
    "select pg_advisory_lock(7460004, 1)",
    "select pg_advisory_xact_lock_shared(1)",
    "select pg_try_advisory_lock(1)",
)


@pytest.fixture
def reader(database: Environment) -> Iterator[psycopg.Connection]:
    """Return a connection as the reader that has left its read-only mode."""
    connection = psycopg.connect(
        host=database["PGHOST"], port=database["PGPORT"], dbname=database["PGDATABASE"], user="portfolio_reader"
    )
    connection.autocommit = True
    connection.execute("set default_transaction_read_only = off")
    with connection:
        yield connection


@pytest.mark.parametrize("statement", WRITES)
def test_the_reader_may_not(reader: psycopg.Connection, statement: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement)


def test_the_reader_may_run_no_function_that_writes_large_objects(reader: psycopg.Connection) -> None:
    allowed = reader.execute(
        "select proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace"
        " and (proname ~ '^lo_' or proname = 'lowrite') and has_function_privilege(oid, 'execute')"
    ).fetchall()
    assert {name for (name,) in allowed} <= {"lo_get", "lo_close", "lo_lseek", "lo_lseek64", "lo_tell", "lo_tell64"}
