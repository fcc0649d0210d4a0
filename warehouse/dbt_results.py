"""Store what a dbt invocation did: ops.dbt_runs, ops.dbt_results and the freshness of the tables it built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import psycopg

from warehouse.events import EVENTS_OWNER
from warehouse.keeping import forget_old_dbt_runs

EXPECTED_FRESHNESS_HOURS = 24  # when dbt's source freshness warns
_DBT_PREFIX = "DBT_ENV_CUSTOM_ENV_"  # dbt notes such variables in its artifacts, without the prefix
RUN_VARIABLE = f"{_DBT_PREFIX}TOKENSCOPE_RUN"
MESSAGE_CHARACTERS = 4_000
FAILED = ("error", "fail", "runtime error")
RAW_TABLE = "raw_staging.api_requests"
_NOT_STORED = ("view", "ephemeral")  # a view is as fresh as what it reads


class DbtResultsError(Exception):
    """The artifacts of a dbt run cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Result:
    """One row of ops.dbt_results, but for its invocation_id."""

    unique_id: str
    name: str
    resource_type: str
    test_kind: str | None
    model: str | None
    status: str
    seconds: float
    failures: int | None
    message: str | None
    executed_at: str | None


def record_dbt_results(connection: psycopg.Connection, target: Path, run_id: str | None = None) -> str:
    """Store the latest invocation in dbt's folder `target`, once; return a summary line.

    Raises DbtResultsError where the artifacts are missing, of another form, or not of the invocation that had `run_id`
    in its environment (RUN_VARIABLE): a dbt that stops before it runs anything leaves those of the one before it.
    """
    run_results, manifest = _read(target / "run_results.json"), _read(target / "manifest.json")
    if run_id is not None:
        _check_is_of(run_results, run_id, target)
    try:
        metadata = run_results["metadata"]
        invocation_id = metadata["invocation_id"]
        nodes = manifest["nodes"] | manifest["unit_tests"] | manifest["exposures"]
        results = [_result(entry, nodes.get(entry["unique_id"], {})) for entry in run_results["results"]]
        tables = dict(_stored_tables(run_results["results"], nodes))
        run = (
            invocation_id,
            run_results["args"].get("invocation_command") or run_results["args"]["which"],
            metadata["dbt_version"],
            metadata["invocation_started_at"],
            metadata["generated_at"],
            run_results["elapsed_time"],
            len(results),
            sum(result.status in FAILED for result in results),
        )
        pipeline_id = f"dbt-{run_results['args']['which']}"
    except (KeyError, TypeError, AttributeError) as error:
        raise DbtResultsError(
            f"expected the artifacts of dbt 1.11 in {target}, found no {error}; run dbt again"
        ) from None
    with connection.transaction():
        connection.execute(f"set local role {EVENTS_OWNER}")
        if not _insert_run(connection, run):
            return f"dbt run {invocation_id} is recorded already"
        _insert_results(connection, invocation_id, results)
        _insert_freshness(connection, pipeline_id, invocation_id, tables)
        forget_old_dbt_runs(connection)
    return f"dbt run {invocation_id}: {len(results):,} results recorded, {run[-1]:,} of them failed"


def _check_is_of(run_results: Any, run_id: str, target: Path) -> None:
    try:
        found = run_results["metadata"]["env"].get(RUN_VARIABLE.removeprefix(_DBT_PREFIX))
        generated_at = run_results["metadata"]["generated_at"]
    except (KeyError, TypeError, AttributeError):
        found, generated_at = None, "an unknown time"
    if found != run_id:
        raise DbtResultsError(
            f"expected the results of this run, found those of another of {generated_at} in {target}, which count for "
            "nothing here: dbt ended before it ran anything; see its last lines above"
        )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DbtResultsError(
            f"expected the artifacts of a dbt run, found {error.strerror} for {path}; run `make dbt-build` first"
        ) from None
    except ValueError as error:
        raise DbtResultsError(f"expected JSON, found {error} in {path}; run dbt again") from None


def _result(entry: dict[str, Any], node: dict[str, Any]) -> Result:
    unique_id: str = entry["unique_id"]
    resource_type, _, rest = unique_id.partition(".")
    timing = {step["name"]: step for step in entry["timing"]}
    return Result(
        unique_id=unique_id,
        name=node.get("name", rest),
        resource_type=resource_type,
        test_kind=((node.get("test_metadata") or {}).get("name") or "singular") if resource_type == "test" else None,
        model=_model(resource_type, node),
        status=entry["status"],
        seconds=entry["execution_time"],
        failures=entry["failures"],
        message=entry["message"] and entry["message"][:MESSAGE_CHARACTERS],
        executed_at=timing.get("execute", {}).get("completed_at"),
    )


def _model(resource_type: str, node: dict[str, Any]) -> str | None:
    """Return the name of the model that a node is or tests; a test of several is filed under the first it reads."""
    if resource_type in ("model", "seed", "snapshot"):
        name: str | None = node.get("name")
        return name
    if resource_type == "unit_test":
        return node.get("model")
    attached = node.get("attached_node") or next(iter(node.get("depends_on", {}).get("nodes", [])), None)
    return attached.rsplit(".", 1)[-1] if attached else None


def _stored_tables(entries: list[dict[str, Any]], nodes: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield each model that holds rows of its own, and when it was built; None where it was not."""
    for entry in entries:
        node = nodes.get(entry["unique_id"], {})
        if node.get("resource_type") == "model" and node["config"]["materialized"] not in _NOT_STORED:
            is_built = entry["status"] == "success"
            built_at = next((step["completed_at"] for step in entry["timing"] if step["name"] == "execute"), None)
            yield f"{node['schema']}.{node['alias']}", built_at if is_built else None


def _insert_run(connection: psycopg.Connection, run: tuple[Any, ...]) -> bool:
    """Return whether the run was new."""
    cursor = connection.execute(
        "insert into ops.dbt_runs (invocation_id, command, dbt_version, started_at, finished_at, elapsed_sec,"
        " node_count, failed_count) values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        run,
    )
    return cursor.rowcount == 1


def _insert_results(connection: psycopg.Connection, invocation_id: str, results: list[Result]) -> None:
    statement = (
        "copy ops.dbt_results (invocation_id, unique_id, name, resource_type, test_kind, model, status, seconds,"
        " failures, message, executed_at) from stdin"
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for result in results:
            copy.write_row((invocation_id, *astuple(result)))


def _insert_freshness(
    connection: psycopg.Connection, pipeline_id: str, invocation_id: str, tables: dict[str, str | None]
) -> None:
    """Record how fresh the raw requests and the tables built are; one that was not built is as fresh as it last was."""
    connection.execute(
        "insert into ops.pipeline_events"
        " (event_name, pipeline_id, run_id, table_name, last_updated, expected_freshness_hours)"
        " select 'data_freshness', %s, %s::uuid, t.table_name, coalesce(t.built_at, ("
        "  select max(e.last_updated) from ops.pipeline_events as e where e.table_name = t.table_name)), %s"
        " from unnest(%s::text[], %s::timestamptz[]) as t (table_name, built_at)"
        " union all"
        " select 'data_freshness', %s, %s::uuid, %s, (select max(finished_at) from raw_staging.live_batches), %s",
        [
            *(pipeline_id, invocation_id, EXPECTED_FRESHNESS_HOURS, list(tables), list(tables.values())),
            *(pipeline_id, invocation_id, RAW_TABLE, EXPECTED_FRESHNESS_HOURS),
        ],
    )
