"""Roles, schemas and passwords as `init` leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.schema import password_for
from tests.patience import HANG_S, wait_until

Environment = dict[str, str]


def reader(database: Environment) -> psycopg.Connection:
    return psycopg.connect(
        host=database["PGHOST"],
        port=database["PGPORT"],
        user="portfolio_reader",
        dbname=database["PGDATABASE"],
        autocommit=True,
    )


@pytest.fixture(scope="module")
def sample_database(databases: Any, loaded_template: Environment) -> Iterator[Environment]:
    """Return a loaded database in which the owner has created a table since."""
    database = databases.create(loaded_template["PGDATABASE"])
    with psycopg.connect(
        host=database["PGHOST"], port=database["PGPORT"], user=database["PGUSER"], dbname=database["PGDATABASE"]
    ) as owner:
        owner.execute("set role portfolio_owner")
        owner.execute("create table public_star.sample as select 1 as id")
    yield database
    databases.drop(database)


def test_init_is_safe_to_run_again(steady_loader: Any) -> None:
    before = steady_loader.rows("select relname, relacl::text, relowner::regrole::text from pg_class order by oid")
    assert "in place" in steady_loader.succeeds("init")
    assert (
        steady_loader.rows("select relname, relacl::text, relowner::regrole::text from pg_class order by oid") == before
    )


def test_init_takes_back_what_the_reader_has_set_for_itself(steady_loader: Any) -> None:
    database = steady_loader.value("select current_database()")
    for scope in ("", f'in database "{database}" '):
        for setting in ("statement_timeout = '1ms'", "default_transaction_read_only = off"):
            steady_loader.connection.execute(f"alter role portfolio_reader {scope}set {setting}")
    steady_loader.succeeds("init")
    settings = (
        "select setdatabase = 0, setconfig[1:2] from pg_db_role_setting where setrole = 'portfolio_reader'::regrole"
    )
    assert steady_loader.rows(settings) == [(True, ["default_transaction_read_only=on", "statement_timeout=30s"])]


def test_init_begins_anew_where_the_server_ends_it_for_a_deadlock(steady_loader: Any, steady_database: Any) -> None:
    reading = psycopg.connect(
        host=steady_database["PGHOST"], port=steady_database["PGPORT"], user=steady_database["PGUSER"],
        dbname=steady_database["PGDATABASE"],
    )  # fmt: skip
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    before = steady_loader.value(deadlocks)
    with reading, ThreadPoolExecutor(1) as pool:
        # Who has waited for deadlock_timeout looks for a deadlock and is the one to end: init, the other never looks.
        reading.execute("set deadlock_timeout = '1h'; lock table raw_staging.load_batches in share mode")
        init = pool.submit(steady_loader.succeeds, "init")
        waiting = "select exists(select from pg_locks where not granted and relation = %s::regclass)"
        wait_until(lambda: reading.execute(waiting, ["raw_staging.load_batches"]).fetchone() == (True,), "init waits")
        reading.execute("lock table raw_staging.api_requests in access share mode")
        reading.commit()
        assert "in place" in init.result(timeout=HANG_S)
    wait_until(lambda: steady_loader.value(deadlocks) > before, "the deadlock is counted")


def test_init_gives_every_schema_and_raw_table_to_the_owner(steady_loader: Any) -> None:
    schemas = ["raw_staging", "public_staging", "public_star", "public_snowflake", "public_marts", "ops", "forecast"]
    owners = steady_loader.rows(
        "select nspname, nspowner::regrole::text from pg_namespace where nspname = any(%s)", schemas
    )
    assert dict(owners) == dict.fromkeys(schemas, "portfolio_owner")
    assert steady_loader.rows(
        "select distinct relowner::regrole::text from pg_class where relnamespace = 'raw_staging'::regnamespace"
    ) == [("portfolio_owner",)]


@pytest.mark.parametrize(
    "statement",
    [
        "select * from raw_staging.users",
        "select * from raw_staging.api_requests",
        "select * from raw_staging.api_requests_synthetic_1",
        "select * from raw_staging.load_batches",
        "select * from raw_staging.rejected_rows",
        "insert into public_star.sample values (2)",
        "update public_star.sample set id = 3",
        "delete from public_star.sample",
        "truncate public_star.sample",
        "create table public_star.mine (id int)",
        "create table public.mine (id int)",
        "create schema mine",
        "alter table public_star.sample add column x int",
        "drop table public_star.sample",
        "set role portfolio_owner",
        "copy public_star.sample to program 'cat'",
    ],
)
@pytest.mark.parametrize("is_read_only", [True, False])
def test_reader_can_neither_write_nor_read_raw_data(
    sample_database: Environment, statement: str, is_read_only: bool
) -> None:
    with reader(sample_database) as connection:
        assert connection.execute("show default_transaction_read_only").fetchone() == ("on",)
        if not is_read_only:  # a setting is no protection: the privileges must hold without it
            connection.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.Error) as refused:
            connection.execute(statement.encode())
        assert isinstance(refused.value, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction)


def test_reader_sees_what_the_owner_creates_later(sample_database: Environment) -> None:
    with reader(sample_database) as connection:
        assert connection.execute("select * from public_star.sample").fetchall() == [(1,)]
        assert connection.execute("show statement_timeout").fetchone() == ("30s",)
        assert connection.execute("select rolconnlimit from pg_roles where rolname = current_user").fetchone() == (40,)


def test_init_sets_passwords_as_scram_verifiers_only(steady_loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTFOLIO_READER_PASSWORD", "tr0ub4dor")
    try:
        assert "passwords set for portfolio_reader" in steady_loader.succeeds("init")
        stored = steady_loader.value("select rolpassword from pg_authid where rolname = 'portfolio_reader'")
        assert stored.startswith("SCRAM-SHA-256$")
        monkeypatch.delenv("PORTFOLIO_READER_PASSWORD")
        steady_loader.succeeds("init")
        assert steady_loader.value("select rolpassword from pg_authid where rolname = 'portfolio_reader'") == stored
    finally:
        steady_loader.connection.execute("alter role portfolio_reader password null")


def test_password_comes_from_file_or_variable(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    assert password_for("portfolio_reader", {"PORTFOLIO_READER_PASSWORD_FILE": str(path)}) == "s3cret"
    assert password_for("portfolio_reader", {"PORTFOLIO_READER_PASSWORD": "s3cret"}) == "s3cret"
    assert password_for("portfolio_reader", {"PORTFOLIO_OWNER_PASSWORD": "s3cret"}) is None


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_init_refuses_a_password_file_without_a_password(
    steady_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("PORTFOLIO_OWNER_PASSWORD_FILE", str(path))
    assert "PORTFOLIO_OWNER_PASSWORD_FILE" in steady_loader.fails("init")


def test_init_refuses_two_passwords(steady_loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTFOLIO_OWNER_PASSWORD_FILE", "/nowhere")
    monkeypatch.setenv("PORTFOLIO_OWNER_PASSWORD", "s3cret")
    said = steady_loader.fails("init")
    assert "found both" in said
    assert "s3cret" not in said


def test_load_prepares_an_empty_database(empty_database: Environment, run_command: Any, azure_file: Path) -> None:
    run_command("-m", "loader", "import", "--from", "azure-llm", azure_file, env=empty_database)


def test_init_by_a_role_without_rights_fails_with_one_line(empty_database: Environment, run_command: Any) -> None:
    with psycopg.connect(
        host=empty_database["PGHOST"], port=empty_database["PGPORT"], user=empty_database["PGUSER"], dbname="postgres"
    ) as connection:
        connection.execute("drop role if exists nobody_special")
        connection.execute("create role nobody_special login")
    result = run_command("-m", "loader", "init", env={**empty_database, "PGUSER": "nobody_special"}, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "expected a role that may create roles and schemas, found nobody_special" in result.stderr
