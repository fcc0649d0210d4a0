"""A cluster whose files are damaged makes no backup, and one that is gone comes back from one that was made before."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres

Run = Callable[..., subprocess.CompletedProcess[str]]
PAGE_BYTES = 8192


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """Return a server of this test alone, with page checksums as every cluster of ours."""
    folder = Path(tempfile.mkdtemp(prefix="tokenscope-damage-"))
    server = EmbeddedPostgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_damaged_page_ends_a_backup_and_an_older_one_restores(
    server: EmbeddedPostgres, dataset_20k: Path, run_command: Run
) -> None:
    variables = {"TOKENSCOPE_DATA_DIR": str(server.directory), "BACKUP_DIR": str(server.directory / "backups")}
    run_command("-m", "loader", "load", dataset_20k, env=variables)
    backup = run_command("-m", "warehouse", "backup", env=variables).stdout.strip()
    with psycopg.connect(**connection_words(server)) as connection:
        (place,) = connection.execute("select pg_relation_filepath('raw_staging.users')").fetchone() or ("",)
        connection.execute("checkpoint")
    server.stop()
    with (server.cluster / place).open("r+b") as file:
        file.seek(PAGE_BYTES + 1_000)
        file.write(b"damaged")
    result = run_command("-m", "warehouse", "backup", env=variables, check=False)
    assert result.returncode == 1 and "invalid page in block 1" in result.stderr
    assert [path.name for path in (server.directory / "backups").iterdir()] == [Path(backup).name]

    server.stop()
    shutil.rmtree(server.cluster)
    assert "are as backed up" in run_command("-m", "warehouse", "restore", backup, env=variables).stderr
    with psycopg.connect(**connection_words(server)) as connection:
        assert connection.execute("select count(*) from raw_staging.api_requests").fetchone() == (20_000,)
    assert "up to date" in run_command("-m", "loader", "load", dataset_20k, env=variables).stderr


def connection_words(server: EmbeddedPostgres) -> dict[str, str]:
    found = server.ensure_running()
    return {"host": found["PGHOST"], "port": found["PGPORT"], "user": found["PGUSER"], "dbname": found["PGDATABASE"]}
