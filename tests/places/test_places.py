"""The main job in a matrix of places: odd paths, tight rights, other users, languages, time zones, little room.

Each place runs the real `make` in a clone of its own: generate, load, build, summary, backup, restore, stop.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from embedded.account import SYSTEM_USER, open_path, open_programs, system_account
from embedded.postgres import package_directory
from tests.clones import copy_of
from tests.patience import HANG_S

INSTALLED = ("-o", ".venv/.installed-runtime", "-o", ".venv/.installed-dev")
JOB = (
    ("generate", "ROWS=2000", "SEED=7"),
    ("load",),
    ("dbt-build", "SELECT=+dim_date +dim_models"),
    ("summary",),
    ("backup",),
)
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become another user or mount a file system")


@dataclass(frozen=True)
class Place:
    """Where and as whom the job runs; `prefix` are the words before make."""

    folder: str = "clone"
    data: str = ""
    umask: int = 0o022
    variables: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    is_ordinary_user: bool = False
    has_read_only_home: bool = False
    prefix: tuple[str, ...] = ()


SMALL_TMP = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=2m,mode=1777 tmpfs /tmp && exec "$@"', "sh")
PLACES = {
    "spaces and quotes, for oneself alone": Place(
        folder="Ada's clone", data='it\'s "the" data ö', umask=0o077, variables={"TZ": "Pacific/Kiritimati"}
    ),
    "another language and no home": Place(
        variables={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Etc/GMT+12"}, removed=("HOME",)
    ),
    "Turkish": Place(variables={"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Europe/Istanbul"}),
    "an ordinary user whose home is read-only": Place(is_ordinary_user=True, has_read_only_home=True, umask=0o077),
    "a small /tmp": Place(prefix=SMALL_TMP, removed=("TMPDIR",)),
}


@pytest.fixture
def ground() -> Iterator[Path]:
    """Return a folder that is not in /tmp, which one place makes small, and that others may pass."""
    folder = Path(tempfile.mkdtemp(prefix="tokenscope-places-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def turkish(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what makes tr_TR.UTF-8 known to programs; where it cannot be made, its name alone is what is tested."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") and Path("/usr/share/i18n/locales/tr_TR").exists():
        subprocess.run(["localedef", "-i", "tr_TR", "-f", "UTF-8", folder / "tr_TR.UTF-8"], check=False)
        folder.chmod(0o755)
        return {"LOCPATH": str(folder)}
    return {}


def hand_over(folder: Path, account: pwd.struct_passwd) -> None:
    """Give a clone to an account that may use this environment's programs."""
    open_programs(package_directory())
    open_path(Path(sys.prefix) / "bin")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


ASIDE = """
set -e
umask 022
if [ -n "$2" ]; then
    mount --bind "$1" "$3"
    mount -t tmpfs -o mode=755 tmpfs "$2"
    mkdir -p "$1"
    mount --bind "$3" "$1"
fi
umask "$4"
user=$5
group=$6
shift 6
exec setpriv --reuid="$user" --regid="$group" --clear-groups -- "$@"
"""


def as_ordinary_user(place: Place, ground: Path) -> list[str]:
    """Return the words before a command that run it as the account of the tests.

    Python itself may be in a folder of root's alone: what else is there is hidden in a mount namespace of the command.
    """
    base = Path(sys.base_prefix)
    closed = next((folder for folder in reversed(base.parents) if not folder.stat().st_mode & 0o001), "")
    aside = ground / "python"
    aside.mkdir(exist_ok=True)
    if closed and Path(sys.prefix).is_relative_to(closed):
        pytest.skip(f"the environment {sys.prefix} is in {closed}, which nobody else may enter")
    account = system_account()
    words = [str(base), str(closed), str(aside), f"{place.umask:o}", str(account.pw_uid), str(account.pw_gid)]
    return ["unshare", "--mount", "sh", "-c", ASIDE, "sh", *words]


def make(place: Place, clone: Path, variables: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    prefix = as_ordinary_user(place, clone.parent) if place.is_ordinary_user else place.prefix
    return subprocess.run(
        [*prefix, "make", *INSTALLED, *words],
        cwd=clone,
        env=variables,
        umask=place.umask,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=HANG_S,
    )


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=needs_root if place.is_ordinary_user or place.prefix else ())
    for name, place in PLACES.items()
])  # fmt: skip
def test_the_main_job_is_done_in(name: str, repo_root: Path, ground: Path, turkish: dict[str, str]) -> None:
    place = PLACES[name]
    clone = copy_of(repo_root, ground / place.folder)
    home = ground / "home"
    home.mkdir(mode=0o755)
    variables = {key: value for key, value in os.environ.items() if key != "TOKENSCOPE_DATA_DIR"}
    variables["DOCKER_HOST"] = "unix:///nowhere"  # a stack that runs on this machine is not what is backed up here
    variables |= {"HOME": str(home), **place.variables, **(turkish if name == "Turkish" else {})}
    variables |= {"TOKENSCOPE_DATA_DIR": str(ground / place.data)} if place.data else {}
    variables = {key: value for key, value in variables.items() if key not in place.removed}
    if place.is_ordinary_user:
        hand_over(clone, system_account())
        variables["USER"] = SYSTEM_USER
    if place.has_read_only_home:
        home.chmod(0o555)
    try:
        said = {}
        for words in JOB:
            result = make(place, clone, variables, *words)
            assert result.returncode == 0, f"{words}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
            assert "Traceback" not in result.stderr
            said[words[0]] = result.stdout + result.stderr
        assert "2,000 " in said["load"] and "0 of them failed" in said["dbt-build"]
        assert "raw_staging.api_requests" in said["summary"]
        backup = said["backup"].split("\n")[0]
        query = ("psql", "SQL=select 'rows ' || count(*) || ' ' || lower('TITLE') from raw_staging.api_requests")
        make(place, clone, variables, "psql", "SQL=delete from raw_staging.api_requests")
        assert "rows 0 title" in make(place, clone, variables, *query).stdout
        restored = make(place, clone, variables, "restore", f"FROM={backup}")
        assert restored.returncode == 0, restored.stderr
        assert "rows 2000 title" in make(place, clone, variables, *query).stdout
        assert list(home.iterdir()) == []
    finally:
        stopped = make(place, clone, variables, "stop")
    assert "PostgreSQL stopped" in stopped.stderr
