"""Backup, restore and the check before an upgrade, on the running stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.client import Client
from tests.stack.project import LONG_RUNNING, Project

FINGERPRINT = """
    select count(*), sum(hashtext(f::text)::bigint), (select count(*) from raw_staging.api_requests),
    (select string_agg(batch_id || status, ',' order by batch_id) from raw_staging.load_batches)
    from public_star.fct_api_requests as f
"""
RIGHTS = """
    select string_agg(nspname || tablename || coalesce(relacl::text, ''), ';' order by nspname, tablename)
    from pg_tables join pg_class on relname = tablename join pg_namespace on pg_namespace.oid = relnamespace
    where schemaname = nspname and schemaname like 'public_%'
"""


@pytest.fixture(scope="module")
def backup(stack: Project) -> Iterator[Path]:
    """Return the folder of a backup of the running stack."""
    result = stack.make("backup")
    yield stack.folder / result.stdout.strip().splitlines()[-1]


@pytest.mark.every_engine
def test_backup_is_whole_and_private(backup: Path) -> None:
    assert {path.name for path in backup.iterdir()} == {
        "tokenscope.dump",
        "metabase.dump",
        "versions.txt",
        "SHA256SUMS",
    }
    assert backup.parent.stat().st_mode & 0o077 == 0
    assert (backup / "tokenscope.dump").stat().st_size > 1_000_000
    assert "postgres:18" in (backup / "versions.txt").read_text()


def test_backup_holds_no_secret(stack: Project, backup: Path) -> None:
    for path in (stack.folder / "secrets").iterdir():
        secret = path.read_bytes().strip()
        assert not [dump.name for dump in backup.iterdir() if secret in dump.read_bytes()], path.name


def test_upgrade_check_is_content_with_a_fresh_backup(stack: Project, backup: Path) -> None:
    result = stack.make("upgrade-check")
    assert "upgrade-check: ready" in result.stderr and backup.name in result.stderr


def test_upgrade_check_names_what_is_missing(stack: Project, backup: Path, tmp_path: Path) -> None:
    secret = stack.folder / "secrets" / "metabase_admin_password"
    kept = secret.read_bytes()
    try:
        secret.write_bytes(b"")
        result = stack.make("upgrade-check", check=False, BACKUP_DIR=str(tmp_path))
    finally:
        secret.write_bytes(kept)
    assert result.returncode != 0
    assert "metabase_admin_password" in result.stderr and "run 'make backup'" in result.stderr
    assert "2 things to do first" in result.stderr


def test_upgrade_check_sees_a_new_major_version_of_postgres(stack: Project, backup: Path) -> None:
    file = stack.folder / "docker-compose.yml"
    kept = file.read_text()
    try:
        file.write_text(re.sub(r"postgres:18\.\d+-trixie", "postgres:19.1-trixie", kept))
        result = stack.make("upgrade-check", check=False)
    finally:
        file.write_text(kept)
    assert result.returncode != 0 and "expected data of version 19, found 18" in result.stderr


def test_restore_refuses_a_damaged_backup(stack: Project, backup: Path) -> None:
    dump = backup / "tokenscope.dump"
    kept = dump.read_bytes()
    before = stack.sql(FINGERPRINT)
    try:
        dump.write_bytes(kept[:-100])
        result = stack.make("restore", check=False, FROM=str(backup.relative_to(stack.folder)))
    finally:
        dump.write_bytes(kept)
    assert result.returncode != 0 and "take another backup" in result.stderr
    assert stack.sql(FINGERPRINT) == before


def test_restore_without_a_folder_lists_the_backups(stack: Project, backup: Path) -> None:
    result = stack.make("restore", check=False)
    assert result.returncode != 0 and f"FROM=backups/{backup.name}" in result.stderr


@pytest.mark.every_engine
def test_restore_brings_back_what_was_lost(stack: Project, backup: Path, client: Client, names: dict[str, str]) -> None:
    wanted = (stack.sql(FINGERPRINT), stack.sql(RIGHTS))
    links = stack.compose("exec", "-T", "frontend", "cat", "/links/links.json")
    stack.sql("drop schema public_star cascade")
    stack.sql("delete from raw_staging.api_requests")
    stack.compose("stop", "metabase")
    stack.sql("drop table double_state", database="metabase")
    result = stack.make("restore", FROM=str(backup.relative_to(stack.folder)))
    assert re.search(r"restore: tokenscope is that of .*\n.*restore: metabase is that of", result.stderr, re.DOTALL)
    assert (stack.sql(FINGERPRINT), stack.sql(RIGHTS)) == wanted
    assert {name: stack.health(name) for name in LONG_RUNNING} == dict.fromkeys(LONG_RUNNING, "healthy")
    assert stack.compose("exec", "-T", "frontend", "cat", "/links/links.json") == links
    assert client.fetch(f"/metabase/api/public/dashboard/{names['uuid']}").status == 200


@pytest.mark.every_engine
def test_lost_volume_is_filled_from_a_backup(
    stack: Project, backup: Path, client: Client, names: dict[str, str]
) -> None:
    wanted = stack.sql(FINGERPRINT)
    stack.make("down")
    stack.engine.docker("volume", "rm", "tokenscope_portfolio_db")
    stack.make("restore", FROM=str(backup.relative_to(stack.folder)))
    assert stack.sql(FINGERPRINT) == wanted
    assert client.fetch(f"/metabase/api/public/dashboard/{names['uuid']}").status == 200
