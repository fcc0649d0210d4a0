"""Which server is used, and what a user reads when there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse.connection import WarehouseUnavailable, connect, connection_environment, password_of


def test_connect_uses_the_server_that_libpq_variables_name(
    empty_database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in empty_database.items():
        monkeypatch.setenv(name, value)
    with connect() as connection:
        row = connection.execute("select current_database()").fetchone()
    assert row == (empty_database["PGDATABASE"],)


def test_connection_environment_starts_the_embedded_server_when_nothing_is_named(server_env: dict[str, str]) -> None:
    assert connection_environment() == server_env


def test_connect_says_what_to_check_when_the_server_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    with pytest.raises(WarehouseUnavailable, match=r"Connection refused.*check that the server runs") as caught:
        connect()
    assert "\n" not in str(caught.value)


def test_password_comes_from_the_named_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("PORTFOLIO_READER_PASSWORD_FILE", str(tmp_path / "secret"))
    assert password_of("portfolio_reader") == "s3cret"


def test_password_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTFOLIO_READER_PASSWORD_FILE", str(tmp_path / "absent"))
    with pytest.raises(WarehouseUnavailable, match="PORTFOLIO_READER_PASSWORD_FILE: expected a readable file"):
        password_of("portfolio_reader")


def test_exec_runs_the_command_with_the_servers_variables(
    run_command: Callable[..., object], empty_database: dict[str, str]
) -> None:
    result = run_command("-m", "warehouse", "exec", "--", "env", env=empty_database)
    assert f"PGDATABASE={empty_database['PGDATABASE']}" in result.stdout  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [[], ["nonsense"], ["exec"]])
def test_misuse_exits_with_2(run_command: Callable[..., object], words: list[str]) -> None:
    result = run_command("-m", "warehouse", *words, check=False)
    assert result.returncode == 2  # type: ignore[attr-defined]
