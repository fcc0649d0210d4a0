"""Who may read what: the account that runs the server for root, and folders that nobody else looks into."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from pathlib import Path

from embedded.errors import EmbeddedPostgresError

SYSTEM_USER = "tokenscope"  # who runs the server when we are root, which PostgreSQL refuses to run as
_READ_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_EXECUTE_ALL = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def make_private(directory: Path) -> None:
    """Create `directory` where needed and close it to everybody else, but for the way through to the server's cluster.

    Raises EmbeddedPostgresError where it is no folder or not ours to write to.
    """
    if "\n" in str(directory):
        raise EmbeddedPostgresError(  # PostgreSQL's own pid file has a line for it
            f"embedded stack: expected a folder to keep data in, found a line break in {str(directory)!r}; "
            "set TOKENSCOPE_DATA_DIR to another"
        )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = 0o700
        if os.geteuid() == 0:
            mode = 0o710  # the server's account is the group: it gets through and sees no names
            os.chown(directory, -1, system_account().pw_gid)
        found = directory.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != mode:
            directory.chmod(mode)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(None, "a folder this account may not write to", str(directory))
    except OSError as error:
        raise EmbeddedPostgresError(
            f"embedded stack: expected a folder to keep data in, found {error.strerror} for {directory}; "
            "set TOKENSCOPE_DATA_DIR to a folder of yours"
        ) from None


def own(path: Path) -> None:
    """Give `path` to the server's account when we are root."""
    if os.geteuid() == 0:
        account = system_account()
        os.chown(path, account.pw_uid, account.pw_gid)


def open_path(path: Path) -> None:
    """Let the server's account reach `path` when we are root: execute permission on the folders above, no more."""
    if os.geteuid() != 0:
        return
    account = system_account()
    for parent in path.parents:
        found = parent.stat()
        passes_as_group = found.st_gid == account.pw_gid and found.st_mode & stat.S_IXGRP
        if found.st_uid != account.pw_uid and not passes_as_group and not found.st_mode & stat.S_IXOTH:
            parent.chmod(found.st_mode | stat.S_IXOTH)


def open_programs(package: Path) -> None:
    """Let the server's account run the wheel's programs when we are root, who may have installed it for root alone.

    `package` is the wheel's folder; its shared libraries are in `<package>.libs` beside it.
    """
    open_path(package)
    if os.geteuid() != 0 or (package / "__init__.py").stat().st_mode & stat.S_IROTH:
        return
    for top in (package.with_name(f"{package.name}.libs"), package):
        for folder, _, names in os.walk(top):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                if not path.is_symlink():
                    mode = path.stat().st_mode
                    path.chmod(mode | _READ_ALL | (_EXECUTE_ALL if mode & stat.S_IXUSR else 0))


def system_account() -> pwd.struct_passwd:
    """Return the account that runs the server for root, created on first need."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedPostgresError(
                f"embedded PostgreSQL: cannot create the account {SYSTEM_USER} that runs the server for root: {error}; "
                "run as an ordinary user instead"
            ) from None
        return pwd.getpwnam(SYSTEM_USER)
