"""The scripts keep to bash 3.2 and the Makefile to GNU make 3.81, which macOS has and no package brings here.

So their words are searched for what came later. The patterns are tested themselves: each finds its example.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.scripts.conftest import REPOSITORY

# What came after bash 3.2, with an example.
NEWER_BASH = {
    r"\b(declare|local|typeset|readonly) +-[a-zA-Z]*[AgnluI]": "declare -A seen",
    r"\b(mapfile|readarray|coproc)\b": "mapfile -t lines",
    r"\$\{[!a-zA-Z0-9_@*\[\]]+(,,?|\^\^?)[^}]*\}": "${name,,}",
    r"\$\{[a-zA-Z0-9_\[\]@*]+@[A-Za-z]\}": "${name@Q}",
    r"(&>>|\|&)": "make |& tee log",
    r";;?&": "a) one ;;&",
    r"\[\[? +-[vR] ": "[ -v name ]",
    r"\$\{[a-z_]+\[-[0-9]+\]": "${parts[-1]}",
    r"\$\{[a-zA-Z0-9_@*\[\]]+: *[0-9-]+ *: *-": "${name:0:-1}",
    r"\bwait +-[nfp]": "wait -n",
    r"\bread +-[a-zA-Z]*[Ni]": "read -N 1 key",
    r"\bread +-[a-zA-Z]*t +[0-9]*\.": "read -t 0.5 key",
    r"printf +-v +\w+\[": "printf -v parts[1] x",
    r"%\([^)]*\)T": "printf '%(%F)T' -1",
    r"\$\{?(EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASHPID|BASH_ARGV0)\b": "$EPOCHSECONDS",
    r"\bshopt +-s +.*(globstar|lastpipe|inherit_errexit|localvar_)": "shopt -s globstar",
    r"\{[0-9]+\.\.[0-9]+\.\.": "{1..9..2}",
    r"\bexec +\{[a-z_]+\}": "exec {lock}>file",
    r"\$'[^']*\\[uU]": "$'\\u00e9'",
    r"\btest +-v\b": "test -v name",
}
NEWER_MAKE = {
    r"(?m)^\.(ONESHELL|RECIPEPREFIX|SHELLFLAGS|EXTRA_PREREQS|NOTINTERMEDIATE|WAIT)\b": ".ONESHELL:",
    r"\$\((file|guile|let|intcmp) ": "$(file <list)",
    r"(?m)^[^\t\n]*(!=|:::?=)": "NOW != date",
    r"(?m)^[^\t\n]*&::?": "a b &: c",
    r"(?m)^(undefine|private|load) +\w": "undefine NAME",
    r"(?m)^override undefine": "override undefine NAME",
}
SCRIPTS = sorted(
    script for folder in ("stack", "requirements", "frontend") for script in (REPOSITORY / folder).glob("*.sh")
)


def code(text: str) -> str:
    return re.sub(r"(?m)(^|\s)#.*$", r"\1", text)


@pytest.mark.parametrize("pattern", NEWER_BASH | NEWER_MAKE)
def test_pattern_finds_its_example(pattern: str) -> None:
    assert re.search(pattern, (NEWER_BASH | NEWER_MAKE)[pattern])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_keeps_to_bash_3_2(script: Path) -> None:
    text = code(script.read_text(encoding="utf-8"))
    assert {found.group() for pattern in NEWER_BASH for found in re.finditer(pattern, text)} == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_array_that_may_be_empty_is_expanded_with_care(script: Path) -> None:
    """Bash 3.2 ends with 'unbound variable' at `"${empty[@]}"` under `set -u`."""
    text = code(script.read_text(encoding="utf-8"))
    for name in set(re.findall(r"\b([a-z_]+)=\(\s*\)", text)):
        careless = re.sub(rf'\$\{{{name}\[@\]\+"\$\{{{name}\[@\]\}}"\}}', "", text)
        assert f"${{{name}[@]" not in careless, f"{script}: {name}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_case_within_a_substitution(script: Path) -> None:
    """Bash 3.2 takes the `)` of a pattern for the end of `$(`."""
    text = code(script.read_text(encoding="utf-8"))
    assert re.findall(r"\$\([^()]*\bcase\b", text) == []


def test_makefile_keeps_to_make_3_81() -> None:
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert {found.group() for pattern in NEWER_MAKE for found in re.finditer(pattern, text)} == set()
    bash = code(text).replace("$$", "$")
    assert {found.group() for pattern in NEWER_BASH for found in re.finditer(pattern, bash)} == set()


def test_scripts_are_executable_and_start_bash_from_path() -> None:
    """`/bin/bash` may be the old one where a newer is in PATH, and is absent on some systems."""
    for script in SCRIPTS:
        assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n"), script
        assert os.access(script, os.X_OK), script
