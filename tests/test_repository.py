"""What holds for the repository as a whole: parts stay apart, documents and locks tell the truth."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

COMPONENTS = ("generator", "loader", "forecaster", "metabase", "frontend", "embedded")
REPOSITORY = Path(__file__).resolve().parent.parent


def tracked_files(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=REPOSITORY, capture_output=True, check=True)
    return [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name and (REPOSITORY / name).exists()]


def imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_imports_no_other_component(component: str) -> None:
    others = set(COMPONENTS) - {component}
    found = {
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in tracked_files(f"{component}/**/*.py", f"{component}/*.py")
        for name in imported_packages(path) & others
    }
    assert found == set()


def test_lock_files_pin_with_hashes_and_name_no_registry() -> None:
    locks = tracked_files("requirements/*.txt")
    assert {lock.stem for lock in locks} >= {"generator", "loader", "dbt_project", "embedded", "runtime", "dev"}
    for lock in locks:
        text = lock.read_text()
        assert "http" not in re.sub(r"(?m)^http\S*==", "", text), lock
        pins = re.findall(r"(?m)^[a-zA-Z0-9][^\n]*", text)
        assert pins and all("==" in pin and pin.endswith("\\") for pin in pins), lock


def test_npm_lock_names_no_registry() -> None:
    for lock in tracked_files("*package-lock.json"):
        assert '"resolved"' not in lock.read_text(), lock


def make_targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text()))


@pytest.mark.parametrize(
    "document", [path.relative_to(REPOSITORY) for path in tracked_files("*.md", "**/*.md")], ids=str
)
def test_make_commands_in_documents_exist(document: Path) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```(?:sh|bash|console)?\n(.*?)```", text, re.S) + re.findall(r"`(make [^`]+)`", text))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    assert named <= make_targets(), f"{document} names make targets that do not exist"


def test_every_make_target_explains_itself() -> None:
    help_text = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    shown = set(re.findall(r"(?m)^  ([a-z][a-z-]*) ", help_text))
    assert make_targets() - shown == set()
