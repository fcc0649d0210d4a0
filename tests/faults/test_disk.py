"""A disk that is full after the n-th block, for n = 1, ... until a run passes: the server's, and the generator's files.

After each: nothing lost, nothing twice, what was there is there; and in the end the run that finds room does all.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from embedded.postgres import EmbeddedPostgres

Environment = dict[str, str]
Run = Callable[..., subprocess.CompletedProcess[str]]
FIRST_KB, STEP_KB = 16, 176
STATE = (
    "select (select array_agg(one::text order by one.source) from ("
    " select source, count(*), count(distinct request_id), sum(prompt_tokens) from raw_staging.api_requests group by 1"
    ") as one)::text, (select count(*) from raw_staging.users), (select count(*) from raw_staging.user_changes)"
)
LEFT_BEHIND = (
    "select relname from pg_class where relnamespace = 'raw_staging'::regnamespace and relkind = 'r'"
    " and relname ~ '^api_requests_' and not relispartition"
)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """Return a server of this module's own, in a folder that it may look through."""
    directory = Path(tempfile.mkdtemp(prefix="tokenscope-test-"))
    directory.chmod(0o755)
    found = EmbeddedPostgres(directory, settings={"fsync": "off", "shared_buffers": "'64MB'"})
    found.ensure_running()
    yield found
    found.stop()
    shutil.rmtree(directory, ignore_errors=True)


class Disk:
    """A small file system with a tablespace; skips where this user may not mount one."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._mount = server.directory / "small"
        self._mount.mkdir()
        self._call("mount", "-t", "tmpfs", "-o", "size=16k,mode=0755", "tmpfs", str(self._mount))
        self.folder = self._mount / "tablespace"
        self.folder.mkdir()
        owner = server.cluster.stat()
        os.chown(self.folder, owner.st_uid, owner.st_gid)

    def resize(self, kilobytes: int) -> None:
        """Give the file system this many kilobytes."""
        self._call("mount", "-o", f"remount,size={kilobytes}k", str(self._mount))

    def close(self) -> None:
        """Take it away, whoever is in it."""
        subprocess.run(["umount", "-l", str(self._mount)], check=True)

    @staticmethod
    def _call(*words: str) -> None:
        try:
            subprocess.run(words, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"needs a small file system, and this user may not mount one: {error}")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory, run_command: Run) -> tuple[Path, Path]:
    """Return two generated sets, the second with a tick."""
    old, new = (tmp_path_factory.mktemp("sets") / name for name in ("old", "new"))
    run_command("generator/generate_data.py", "--seed", 1, "--rows", 500, "--users", 40, "--out", old)
    run_command("generator/generate_data.py", "--seed", 2, "--rows", 3000, "--users", 40, "--out", new)
    run_command("generator/generate_data.py", "--continue", new, "--days", 1, "--rows", 1500)
    return old, new


def test_a_load_survives_a_disk_that_is_full_at_any_block(
    server: EmbeddedPostgres, sets: tuple[Path, Path], run_command: Run
) -> None:
    environment, (old, new) = server.environment(), sets
    run_command("-m", "loader", "load", old, env=environment)
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname"}
    parameters = {names[name]: value for name, value in environment.items() if name in names}
    disk = Disk(server)
    try:
        with psycopg.connect(autocommit=True, **parameters) as connection:  # type: ignore[arg-type]
            connection.execute(f"create tablespace small owner portfolio_owner location '{disk.folder}'".encode())
            small = {**environment, "PGOPTIONS": "-c default_tablespace=small -c temp_tablespaces=small"}
            states, statuses = [connection.execute(STATE.encode()).fetchone()], []
            for kilobytes in range(FIRST_KB, 16_384, STEP_KB):
                disk.resize(kilobytes)
                result = run_command("-m", "loader", "load", new, env=small, check=False)
                state = connection.execute(STATE.encode()).fetchone()
                states += [state] if state != states[-1] else []
                statuses.append(result.returncode)
                assert result.returncode in (0, 1) and result.stderr.count("\n") == 1, (kilobytes, result.stderr)
                assert connection.execute(LEFT_BEHIND.encode()).fetchall() == []
                if result.returncode == 0:
                    break
                assert "expected free disk space for the server's files, found none" in result.stderr
            assert statuses.count(1) > 3 and statuses[-1] == 0
            run_command("-m", "loader", "load", "--force", new, env=environment)
            assert connection.execute(STATE.encode()).fetchone() == states[-1]
            # The old set, perhaps the new one without its tick, the new one with it; nothing between.
            assert len(states) in (2, 3)
    finally:
        disk.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below `folder` that is shown."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}"}


@pytest.mark.parametrize("what", ["base", "ticks"])
def test_the_generator_survives_a_write_that_fails_at_any_size(
    tmp_path: Path, repo_root: Path, run_command: Run, what: str
) -> None:
    """No file may grow beyond a limit: the write that would fails, as one to a full disk does."""
    base = ["generator/generate_data.py", "--rows", 500, "--users", 40, "--days", 30, "--out"]
    more = ["generator/generate_data.py", "--days", 2, "--rows", 300, "--continue"]
    folder, undisturbed = tmp_path / "folder", tmp_path / "undisturbed"
    for out in (folder, undisturbed):
        run_command(*base, out)
    run_command(*([*base[:-1], "--seed", 9, "--out", undisturbed] if what == "base" else [*more, undisturbed]))
    words = [*base[:-1], "--seed", 9, "--out", folder] if what == "base" else [*more, folder]
    before, limit, failures = contents(folder), 1, 0
    while True:
        result = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=repo_root,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            preexec_fn=lambda size=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        )
        if result.returncode == 0:
            break
        failures += 1
        assert result.returncode == 1 and result.stderr.count("\n") == 1, (limit, result.stderr)
        assert "expected a folder that can be written and room for the files" in result.stderr
        assert contents(folder) == before, limit
        limit = limit * 3 + 1
        assert limit < 10_000_000
    assert failures > 3
    assert contents(folder) == contents(undisturbed)
