"""What a damaged table, a server that goes away and a full disk look like to whoever runs a command: one line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import LiteralString

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres
from tests.conftest import TEST_SETTINGS

Environment = dict[str, str]
Run = Callable[..., subprocess.CompletedProcess[str]]
PAGE_BYTES = 8192


def connected(environment: Environment) -> psycopg.Connection:
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname"}
    parameters: dict[str, str] = {names[name]: value for name, value in environment.items() if name in names}
    return psycopg.connect("", autocommit=True, **parameters)  # type: ignore[arg-type]


def test_a_damaged_table_is_named_with_what_to_do(tmp_path_factory: pytest.TempPathFactory, run_command: Run) -> None:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("damaged"), settings=TEST_SETTINGS)
    try:
        with connected(server.ensure_running()) as connection:
            connection.execute("create schema public_marts")
            connection.execute("create table public_marts.usage as select generate_series(1, 10000) as id")
            row = connection.execute("select pg_relation_filepath('public_marts.usage')").fetchone()
        server.stop()
        assert row is not None
        with (server.cluster / row[0]).open("r+b") as file:
            file.seek(PAGE_BYTES)
            file.write(b"\xa5" * PAGE_BYTES)
        result = run_command("-m", "warehouse", "summary", env=server.ensure_running(), check=False)
    finally:
        server.stop()
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("warehouse: expected sound files of the warehouse, found invalid page in block 1")
    assert "restore a backup" in result.stderr and "the details are in" in result.stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "perform pg_terminate_backend(pg_backend_pid());",
            "expected the warehouse to answer, found terminating connection",
        ),
        (
            "raise exception 'could not extend file: No space left on device' using errcode = '53100';",
            "expected room in the warehouse, found could not extend file: No space left on device",
        ),
    ],
)
@pytest.mark.parametrize("words", [("forecaster", "batch"), ("forecaster", "forecast", "--metric", "tokens")])
def test_a_forecast_that_loses_its_server_or_its_disk_ends_in_one_line(
    database: Environment, run_command: Run, body: LiteralString, said: str, words: tuple[str, ...]
) -> None:
    with connected(database) as connection:
        connection.execute(
            "create function public_marts.fail() returns timestamptz language plpgsql security definer as $$ begin "
            + body
            + " return now(); end $$"
        )
        connection.execute("create view public_marts.usage_hourly as select public_marts.fail() as hour_at")
        connection.execute("grant select on public_marts.usage_hourly to portfolio_reader, portfolio_owner")
    result = run_command("-m", *words, env=database, check=False)
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
    assert said in result.stderr and "the details are in" in result.stderr


def test_a_file_name_that_is_no_text_is_an_argument_like_any_other(run_command: Run) -> None:
    result = run_command(
        "-m", "warehouse", "record-dbt", "--target", b"/no/\xff".decode(errors="surrogateescape"), check=False
    )
    assert result.returncode == 1 and "found No such file or directory for /no/" in result.stderr
    assert result.stderr.count("\n") == 1
