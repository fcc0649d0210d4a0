"""Folders of programs to put alone into PATH, so that a script runs with the userland of another system.

`bsd`: this system's programs behind checks that refuse what macOS's lack (GNU's long options, calls without operand;
each is noted in $REFUSED_CALLS), its awk (the package original-awk is the very program), and none of the programs macOS
does not have. What it cannot show is a difference in what the same option does. `busybox`: the real one, with bash.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Real ones in both: no part of a userland.
TOOLS = ("bash", "sh", "git", "make", "openssl", "getconf")
LONG = "--.+"
# For each program of macOS the words it refuses, as bash's regular expressions.
BSD_REFUSES = {
    "basename": LONG,
    "cat": f"{LONG}|-[a-z]*[AET].*",
    "chmod": LONG,
    "chown": LONG,
    "comm": LONG,
    "cp": f"{LONG}|-[a-zA-Z]*[tTu]",
    "cut": f"{LONG}|-z",
    "date": rf"{LONG}|-[dI].*|[+].*%N.*",
    "df": f"{LONG}|-[a-zA-Z]*[BT].*",
    "dirname": LONG,
    "du": f"{LONG}|-[a-zA-Z]*[bB].*",
    "env": LONG,
    "expr": LONG,
    "find": f"{LONG}|-(f?printf|readable|writable|executable|regextype|daystart|quit)",
    "grep": "--perl.*|-[a-zA-Z]*P[a-zA-Z]*",
    "head": f"{LONG}|-n?-[0-9].*",
    "id": LONG,
    "ln": f"{LONG}|-[a-zA-Z]*[tTr]",
    "ls": LONG,
    "mkdir": LONG,
    "mktemp": f"{LONG}|-p.*",
    "mv": f"{LONG}|-[a-zA-Z]*[tTu]",
    "paste": f"{LONG}|-z",
    "readlink": f"{LONG}|-[efm]",
    "rm": LONG,
    "rmdir": LONG,
    "sed": rf"{LONG}|-[a-zA-Z]*[irsz].*|.*\\[+?|swbSWB].*|.*[^;{{\\[:space:]]\}}.*",
    "seq": LONG,
    "sleep": LONG,
    "sort": LONG,
    "stat": f"{LONG}|-[a-zA-Z]*c.*",
    "tail": LONG,
    "tee": LONG,
    "touch": f"{LONG}|-d.*",
    "tr": LONG,
    "true": LONG,
    "uname": LONG,
    "uniq": f"{LONG}|-z",
    "wc": LONG,
    "xargs": f"{LONG}|-[dra].*",
}
# What a call must have besides, and what macOS's program does differently.
BSD_CHECKS = {
    "find": '[[ "${1:-}" != [-!]* ]] || refuse "no path before $1"',
    "mktemp": '[[ "${*: -1}" == *XXXXXX || "$*" == -d ]] || refuse "a template that does not end in XXXXXX"',
    "paste": 'while getopts sd: _; do :; done; [ "$OPTIND" -le "$#" ] || refuse "no operand"',
}
BSD_RUNS = {"wc": 'set -o pipefail; {real} "$@" | {sed} "s/^/       /"', "xargs": 'exec {real} -r "$@"'}


def need(program: str, package: str) -> str:
    """Return the path of a program; skips the test where it is absent, fails it in CI, which installs it."""
    found = shutil.which(program)
    if found is None:
        message = f"expected {program} (Debian: apt-get install {package}), found none on PATH"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return found


def _real(program: str) -> str | None:
    found = shutil.which(program)
    return str(Path(found).absolute()) if found else None


def _link_tools(folder: Path) -> None:
    for tool in TOOLS:
        found = _real(tool)
        assert found is not None, f"expected {tool} on PATH, found none"
        (folder / tool).symlink_to(found)


def make_bsd(folder: Path, hidden: tuple[str, ...] = ()) -> Path:
    """Fill `folder` with the BSD-like userland; `hidden` programs of it are left out."""
    folder.mkdir(parents=True)
    _link_tools(folder)
    (folder / "awk").symlink_to(need("original-awk", "original-awk"))
    shasum = _real("shasum")
    if shasum and "shasum" not in hidden:
        (folder / "shasum").symlink_to(shasum)
    for program, refused in BSD_REFUSES.items():
        real = _real(program)
        assert real is not None, f"expected {program} on PATH, found none"
        lines = [
            "#!/bin/bash",
            f'refuse() {{ echo "{program}: illegal on BSD: $1" | {_real("tee")} -a "$REFUSED_CALLS" >&2; exit 64; }}',
            f"refused={_quoted(f'^({refused})$')}",
            'for word in "$@"; do',
            # What follows the first word of xargs' or env's command is that command's affair.
            '[[ "$word" == -* ]] || break' if program in ("xargs", "env") else "",
            'if [[ "$word" =~ $refused ]]; then refuse "$word"; fi; done',
            BSD_CHECKS.get(program, ""),
            BSD_RUNS.get(program, 'exec {real} "$@"').format(real=real, sed=_real("sed")),
        ]
        (folder / program).write_text("\n".join(lines) + "\n")
        (folder / program).chmod(0o755)
    return folder


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def make_busybox(folder: Path) -> Path:
    """Fill `folder` with every applet of the real busybox."""
    busybox = need("busybox", "busybox")
    folder.mkdir(parents=True)
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in set(applets) - set(TOOLS):
        (folder / applet).symlink_to(busybox)
    _link_tools(folder)
    return folder
