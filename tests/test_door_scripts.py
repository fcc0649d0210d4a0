"""The scripts of the full stack that need no engine: the login they make, and what they say about who gets in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LOGIN = "Visitors need a login: user tokenscope, password in secrets/viewer_password."
SETTINGS = ("DOMAIN", "HTTPS_PORT", "ALLOWED_HOSTS", "PUBLIC", "AUTH_FORWARD_URL")


def run(script: Path, *words: str, **settings: str) -> str:
    own = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    result = subprocess.run(
        [script, *words], env={**own, **settings}, capture_output=True, text=True, check=True, timeout=60
    )
    return result.stdout + result.stderr


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "stack").mkdir()
    shutil.copy2(REPOSITORY / "stack" / "secrets.sh", tmp_path / "stack")
    run(tmp_path / "stack" / "secrets.sh")
    return tmp_path


def lines(clone: Path) -> list[str]:
    return (clone / "secrets" / "viewer_users").read_text().splitlines()


def hashed_anew(clone: Path) -> str:
    """Return what the users file must say of the password, with the salt it has."""
    salt = lines(clone)[0].split("$")[2]
    command = ["openssl", "passwd", "-apr1", "-salt", salt, "-stdin"]
    password = (clone / "secrets" / "viewer_password").read_text()
    return subprocess.run(command, input=password, capture_output=True, text=True, check=True).stdout.strip()


def test_login_is_made_once_and_belongs_to_its_password(clone: Path) -> None:
    assert lines(clone) == [f"tokenscope:{hashed_anew(clone)}"]
    before = lines(clone)
    assert "0 made" in run(clone / "stack" / "secrets.sh")
    assert lines(clone) == before


def test_new_password_replaces_its_own_line_only(clone: Path) -> None:
    users = clone / "secrets" / "viewer_users"
    users.write_text(users.read_text() + "ann:$apr1$salt$hash\n")
    before = lines(clone)
    (clone / "secrets" / "viewer_password").unlink()
    assert "2 made" in run(clone / "stack" / "secrets.sh")
    assert lines(clone) == [f"tokenscope:{hashed_anew(clone)}", "ann:$apr1$salt$hash"]
    assert lines(clone)[0] != before[0]


def test_password_of_ones_own_is_taken(clone: Path) -> None:
    password = clone / "secrets" / "viewer_password"
    password.write_text("one's own $HOME password\n")
    users = (clone / "secrets" / "viewer_users").stat()
    os.utime(password, ns=(users.st_atime_ns, users.st_mtime_ns + 1_000_000_000))
    run(clone / "stack" / "secrets.sh")
    assert lines(clone) == [f"tokenscope:{hashed_anew(clone)}"]


def test_users_file_that_was_lost_is_made_again(clone: Path) -> None:
    (clone / "secrets" / "viewer_users").write_text("")
    run(clone / "stack" / "secrets.sh")
    assert lines(clone) == [f"tokenscope:{hashed_anew(clone)}"]


ADDRESSES = REPOSITORY / "stack" / "addresses.sh"


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        ({}, "https://localhost/"),
        ({"HTTPS_PORT": "443"}, "https://localhost/"),
        ({"HTTPS_PORT": "18443"}, "https://localhost:18443/"),
        ({"DOMAIN": "a.example.test", "HTTPS_PORT": "18443"}, "https://a.example.test:18443/"),
    ],
)
def test_addresses_carry_the_port_that_is_not_443(settings: dict[str, str], base: str) -> None:
    said = run(ADDRESSES, '{"dashboards": [\n{"path": "/metabase/public/dashboard/x"}\n]}', **settings)
    assert [line.split()[0] for line in said.splitlines() if line.startswith("  ")] == [
        *(base, f"{base}forecaster", f"{base}docs/", f"{base}metabase/public/dashboard/x")
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "Open to whoever reaches this machine"),
        ({"PUBLIC": "1"}, "Open to whoever reaches this machine"),
        (
            {"DOMAIN": "LOCALHOST", "ALLOWED_HOSTS": "localhost, 127.0.0.1,[::1],"},
            "Open to whoever reaches this machine",
        ),
        ({"DOMAIN": "a.example.test"}, LOGIN),
        ({"DOMAIN": "a.example.test", "PUBLIC": "yes"}, LOGIN),
        ({"ALLOWED_HOSTS": "server.lan"}, LOGIN),
        ({"DOMAIN": "a.example.test", "PUBLIC": "1"}, "PUBLIC=1: open to everybody, without a login."),
        ({"DOMAIN": "a.example.test", "AUTH_FORWARD_URL": "http://oauth2-proxy:4180/"}, "http://oauth2-proxy:4180/"),
    ],
)
def test_up_says_who_gets_in(settings: dict[str, str], words: str) -> None:
    said = run(ADDRESSES, **settings)
    assert words in said
    if "PUBLIC=1" in words:
        for published in ("site", "documentation", "Metabase dashboards", "forecaster", "files of up to 20 MB"):
            assert published in said
