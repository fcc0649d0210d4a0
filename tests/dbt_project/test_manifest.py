"""What dbt reads from the project: the size of the core, its tags, its descriptions, its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CORE_MODELS = {
    "stg_api_requests", "stg_users", "stg_models", "stg_endpoints", "stg_dates",
    "dim_users", "dim_models", "dim_date", "dim_endpoints", "fct_api_requests",
    "dim_companies", "dim_billing_tiers", "dim_users_sf", "fct_api_requests_sf",
}  # fmt: skip
CORE_DATA_TESTS = 143


def names(project: Any, *words: str) -> list[str]:
    return list(project.invoke("ls", "--output", "name", *words))


def test_core_selects_14_models_and_143_data_tests(project: Any) -> None:
    assert set(names(project, "--select", "tag:core", "--resource-type", "model")) == CORE_MODELS
    tests = names(project, "--select", "tag:core", "--resource-type", "test")
    assert len(tests) == len(set(tests)) == CORE_DATA_TESTS
    assert names(project, "--select", "tag:core", "--resource-type", "seed") == ["billing_tiers", "model_prices"]
    assert names(project, "--select", "tag:core", "--resource-type", "unit_test") == []


def test_each_core_layer_has_its_schema_and_materialisation(project: Any) -> None:
    built = {
        (node.fqn[1], node.schema, node.config.materialized)
        for node in project.manifest.nodes.values()
        if node.resource_type == "model" and "core" in node.tags
    }
    assert built == {
        ("staging", "public_staging", "view"),
        ("star", "public_star", "table"),
        ("star", "public_star", "partitioned_by_month"),
        ("snowflake", "public_snowflake", "table"),
        ("snowflake", "public_snowflake", "partitioned_by_month"),
    }


def test_models_describe_their_grain_and_every_column(project: Any) -> None:
    models = [node for node in project.manifest.nodes.values() if node.resource_type == "model"]
    assert len(models) >= len(CORE_MODELS)
    for model in models:
        assert model.description.startswith("One row per "), model.name
        for column in model.columns.values():
            assert len(column.description) > 10 and column.data_type, f"{model.name}.{column.name}"


def test_branching_models_have_unit_tests(project: Any) -> None:
    tested = {test.model for test in project.manifest.unit_tests.values()}
    assert tested >= {"stg_api_requests", "dim_date", "dim_companies", "fct_api_requests"}


def test_singular_tests_say_when_they_fail(repo_root: Path) -> None:
    files = list((repo_root / "dbt_project" / "tests").glob("[!g]*/*.sql"))
    assert len(files) >= 15
    for file in files:
        assert file.stem.startswith("assert_")
        assert file.read_text().startswith("-- Fails if "), file.name


def test_project_sends_no_usage_statistics(repo_root: Path) -> None:
    settings = yaml.safe_load((repo_root / "dbt_project" / "dbt_project.yml").read_text())
    assert settings["flags"]["send_anonymous_usage_stats"] is False
    assert not (repo_root / "dbt_project" / "packages.yml").exists()
