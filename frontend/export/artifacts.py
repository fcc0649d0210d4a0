"""Read dbt's manifest and run results into what the site draws. Pure: parsed JSON in, JSON values out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

Json = dict[str, Any]

_DRAWN = ("source", "seed", "snapshot", "model", "exposure")
_PASSED = ("pass", "success")
# Unit tests check the code and are no part of a build of the warehouse.
_NOT_RUN = ("not run", "skipped")


def lineage(manifest: Json, run_results: Json) -> Json:
    """Return {nodes, edges} of every source, seed, snapshot, model and exposure.

    A node has id, name, kind, layer, relation, description, materialization, columns (count), seconds (of the last
    run, null where it was not run), tests (passed and total of those that ran) and docs (path of its page in the dbt
    docs).
    """
    results = _results(run_results)
    counts: dict[str, list[int]] = {}
    ran = [test for test in tests(manifest, run_results) if test["status"] not in _NOT_RUN]
    for test in ran:
        for model in test["models"]:
            passed, total = counts.setdefault(model, [0, 0])
            counts[model] = [passed + (test["status"] == "pass"), total + 1]
    drawn = [node for node in _nodes(manifest) if node["resource_type"] in _DRAWN]
    ids = {node["unique_id"] for node in drawn}
    return {
        "nodes": [_lineage_node(node, results, counts) for node in drawn],
        "edges": [
            {"from": parent, "to": child}
            for child in sorted(ids)
            for parent in sorted(set(manifest["parent_map"].get(child, [])) & ids)
        ],
    }


def tests(manifest: Json, run_results: Json) -> list[Json]:
    """Return every data and unit test with its kind, its rule in words, the models it guards and its last result.

    `status` is pass, warn, fail, error, skipped, or 'not run'; `failures` counts the rows that broke the rule.
    """
    results = _results(run_results)
    found = []
    for node in _nodes(manifest):
        if node["resource_type"] not in ("test", "unit_test"):
            continue
        result = results.get(node["unique_id"], {})
        found.append(
            {
                "id": node["unique_id"],
                "name": node["name"],
                "kind": _test_kind(node),
                "column": node.get("column_name"),
                "models": _guarded(node),
                "layer": _layer(manifest, node),
                "tags": sorted(node.get("tags", [])),
                "rule": _rule(node),
                "status": result.get("status", "not run"),
                "seconds": result.get("execution_time"),
                "failures": result.get("failures"),
            }
        )
    return sorted(found, key=lambda test: (test["models"], test["name"]))


def run_summary(run_results: Json) -> Json:
    """Return {finished_at, dbt_version, seconds, models_built, tests_passed, tests_total} of the last dbt run."""
    results = run_results["results"]
    checks = [result["status"] for result in results if result["unique_id"].split(".")[0] in ("test", "unit_test")]
    built = [result for result in results if result["unique_id"].startswith("model.") and result["status"] in _PASSED]
    return {
        "finished_at": run_results["metadata"]["generated_at"],
        "dbt_version": run_results["metadata"]["dbt_version"],
        "seconds": run_results["elapsed_time"],
        "models_built": len(built),
        "tests_passed": sum(status == "pass" for status in checks),
        "tests_total": len(checks),
    }


def _nodes(manifest: Json) -> Iterator[Json]:
    for group in ("sources", "nodes", "exposures", "unit_tests"):
        yield from (node for _, node in sorted(manifest.get(group, {}).items()))


def _results(run_results: Json) -> dict[str, Json]:
    return {result["unique_id"]: result for result in run_results["results"]}


def _lineage_node(node: Json, results: dict[str, Json], counts: dict[str, list[int]]) -> Json:
    kind = node["resource_type"]
    passed, total = counts.get(node["name"], [0, 0])
    unique_id = node["unique_id"]
    return {
        "id": unique_id,
        "name": node["name"],
        "kind": kind,
        "layer": _node_layer(node),
        "relation": f"{node['schema']}.{node.get('alias') or node['name']}" if "schema" in node else None,
        "description": " ".join((node.get("description") or "").split()),
        "materialization": (node.get("config") or {}).get("materialized") or kind,
        "columns": len(node.get("columns", {})),
        "seconds": results.get(unique_id, {}).get("execution_time"),
        "tests": {"passed": passed, "total": total},
        "docs": f"/docs/#!/{kind}/{unique_id}",
    }


def _node_layer(node: Json) -> str:
    fixed = {"source": "raw", "seed": "seed", "snapshot": "snapshot", "exposure": "exposure"}
    fqn: list[str] = node.get("fqn", [])
    return fixed.get(node["resource_type"]) or (fqn[1] if len(fqn) > 2 else "model")


def _test_kind(node: Json) -> str:
    if node["resource_type"] == "unit_test":
        return "unit"
    metadata = node.get("test_metadata")
    return str(metadata["name"]) if metadata else "singular"


def _rule(node: Json) -> str:
    """Say what a test demands: its description, else its kind and arguments, else the comment its SQL begins with."""
    description = " ".join((node.get("description") or "").split())
    if description:
        return description
    metadata = node.get("test_metadata")
    if metadata is None:
        lines = (node.get("raw_code") or "").strip().splitlines()
        comment = [line.removeprefix("--").strip() for line in takewhile(lambda line: line.startswith("--"), lines)]
        return " ".join(comment) or _words(node["name"])
    arguments: Json = metadata.get("kwargs", {})
    match metadata["name"]:
        case "not_null":
            return "is never null"
        case "unique":
            return "is unique"
        case "accepted_values":
            return "is one of " + ", ".join(str(value) for value in arguments["values"])
        case "relationships":
            return f"exists in {_referred(arguments['to'])}.{arguments['field']}"
        case "accepted_range":
            bounds = (("min_value", "at least"), ("max_value", "at most"))
            return " and ".join(f"is {word} {arguments[key]}" for key, word in bounds if arguments.get(key) is not None)
    return _words(metadata["name"])


def _referred(reference: str) -> str:
    """Return the model's name out of "ref('dim_users')"."""
    return reference.split("'")[-2] if "'" in reference else reference


def _words(name: str) -> str:
    return name.removeprefix("assert_").replace("_", " ")


def _guarded(node: Json) -> list[str]:
    """Return the models a test guards: the one it is attached to, else every node it reads."""
    attached = node.get("attached_node")
    parents: Iterable[str] = [attached] if attached else node["depends_on"]["nodes"]
    if node["resource_type"] == "unit_test":
        return [node["model"]]
    return sorted({parent.rsplit(".", 1)[-1] for parent in parents})


def _layer(manifest: Json, test: Json) -> str:
    """Return the latest layer among the models a test guards, in the order data flows."""
    by_name = {node["name"]: _node_layer(node) for node in _nodes(manifest) if node["resource_type"] in _DRAWN}
    order = ["raw", "seed", "snapshot", "staging", "star", "snowflake", "marts"]
    layers = [by_name[model] for model in _guarded(test) if model in by_name]
    return max(layers, key=lambda layer: order.index(layer) if layer in order else len(order), default="model")
