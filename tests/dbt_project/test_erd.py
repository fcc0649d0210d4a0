"""The diagram of entities, and who depends on which model: both are what tests and SQL say, not what was drawn."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def manifest(project: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("manifest") / "manifest.json"
    path.write_text(json.dumps(project.manifest.writable_manifest().to_dict(omit_none=False)), encoding="utf-8")
    return path


def draw(repo_root: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, repo_root / "dbt_project" / "erd.py", *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def test_erd_draws_a_line_for_each_relationships_test(repo_root: Path, manifest: Path, project: Any) -> None:
    result = draw(repo_root, "--layer", "star", manifest)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("erDiagram\n")
    lines = [line.strip() for line in result.stdout.splitlines() if "||--o{" in line]
    assert "dim_users ||--o{ fct_api_requests : user_key" in lines
    tests = [n for n in project.core_tests("fct_api_requests") if n.name.startswith("relationships_fct_api_requests_")]
    assert len(lines) == len([n for n in tests if n.attached_node == "model.tokenscope.fct_api_requests"]) > 0


def test_erd_shows_keys_and_types(repo_root: Path, manifest: Path) -> None:
    keys = draw(repo_root, manifest).stdout
    assert re.search(r"dim_users \{\n( +.*\n)*? +uuid user_key UK\n", keys)
    assert "requested_at" not in keys
    every = draw(repo_root, "--columns", manifest).stdout
    assert "        timestamptz requested_at\n" in every
    assert "        numeric latency_histogram\n" in every
    for line in every.splitlines()[1:]:
        assert re.fullmatch(r" {4}\w+ \{| {4}\}| {8}[\w-]+ \w+( (UK|FK|UK, FK))?| {4}\w+ \|\|--o\{ \w+ : \w+", line), (
            line
        )


def test_erd_says_what_to_do_without_a_manifest(repo_root: Path, tmp_path: Path) -> None:
    missing = draw(repo_root, tmp_path / "manifest.json")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert "run make dbt-build" in missing.stderr
    (tmp_path / "manifest.json").write_text("[1]")
    assert "found something else" in draw(repo_root, tmp_path / "manifest.json").stderr


def test_exposures_depend_on_what_their_sql_reads(repo_root: Path, project: Any) -> None:
    folders = {"forecaster": "forecaster", "site": "frontend/export"}
    folders |= {
        p.name.replace("-", "_"): f"metabase/cards/{p.name}" for p in (repo_root / "metabase" / "cards").iterdir()
    }
    models = {n.name: n.schema for n in project.manifest.nodes.values() if n.resource_type == "model"}
    for exposure in project.manifest.exposures.values():
        declared = {key.rpartition(".")[2] for key in exposure.depends_on.nodes}
        files = [p for p in (repo_root / folders.pop(exposure.name)).rglob("*") if p.suffix in (".sql", ".py")]
        text = "\n".join(p.read_text(encoding="utf-8") for p in files)
        read = {name for name, schema in models.items() if re.search(rf"\b{schema}\.{name}\b", text)}
        assert declared >= read, exposure.name
        mentioned = {name for name in declared if re.search(rf"\b{name}\b", text)}
        assert declared == mentioned, exposure.name
    assert folders == {}


def test_each_layer_has_a_readme(repo_root: Path) -> None:
    layers = [path for path in (repo_root / "dbt_project" / "models").iterdir() if path.is_dir()]
    assert [path.name for path in layers if not (path / "README.md").is_file()] == []
