"""Which server is used, and what a user reads when there is none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from embedded.postgres import EmbeddedPostgres
from tests.conftest import TEST_SETTINGS
from tests.patience import wait_until
from warehouse.connection import (
    WarehouseUnavailable,
    connect,
    connection_environment,
    password_of,
    version_problem,
)


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


def test_a_host_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "no-such-host.invalid")
    with pytest.raises(WarehouseUnavailable, match=r"failed to resolve host 'no-such-host\.invalid'"):
        connect()


@pytest.mark.parametrize("version", [160_000, 160_014, 170_006, 180_004, 190_000])
def test_a_server_of_16_or_later_will_do(version: int) -> None:
    assert version_problem(version) is None


@pytest.mark.parametrize(("version", "found"), [(150_018, "15.18"), (90_624, "9.624")])
def test_an_older_server_is_refused_with_the_versions(version: int, found: str) -> None:
    problem = version_problem(version)
    assert problem is not None and f"expected PostgreSQL 16 or later, found {found}" in problem


def test_a_server_that_recovers_from_a_crash_is_waited_for(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("crash"), settings=TEST_SETTINGS)
    try:
        for name, value in server.ensure_running().items():
            monkeypatch.setenv(name, value)
        postmaster = psutil.Process(int((server.cluster / "postmaster.pid").read_text().split()[0]))
        for _ in range(5):  # the server restarts all its processes, and refuses everybody meanwhile
            kill_wal_writer(postmaster)
            with connect() as connection:
                assert connection.execute("select 1").fetchone() == (1,)
    finally:
        server.stop()


def kill_wal_writer(postmaster: psutil.Process) -> None:
    """Kill a process of the server and wait until the server has noticed."""

    def is_killed() -> bool:
        for child in postmaster.children():
            with suppress(psutil.Error):
                if "walwriter" in " ".join(child.cmdline()):
                    child.kill()
                    wait_until(lambda child=child: not child.is_running(), "it ends", poll_s=0.001)  # type: ignore[misc]
                    return True
        return False

    wait_until(is_killed, "the server starts its processes again", poll_s=0.01)


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
