"""Generate, load and model against the floors under them: bare COPY, and the same compiled SQL in psql."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.measure import PYTHON, Measurement, run_command, run_function, table_text
from embedded.paths import REPOSITORY
from embedded.postgres import binary

DBT = REPOSITORY / ".venv" / "bin" / "dbt"
ROW_BY_ROW_LIMIT = 500_000
"""INSERT and to_sql are measured up to this many rows; more would only cost patience."""


def measure_pipeline(rows: int, directory: Path, database: dict[str, str]) -> str:
    """Run the pipeline on `rows` requests in `database` (libpq variables of an empty one); return the table.

    `directory` is an empty folder and holds the data set afterwards.
    """
    directory.chmod(0o755)  # server-side COPY reads the file as the server's own account
    measured = [generate(rows, directory)]
    run_command("roles and tables", [PYTHON, "-m", "loader", "init"], database)
    measured += measure_load(rows, directory / "api_requests.csv", database)
    measured += measure_dbt(directory / "dbt_target", database)
    with connect(database) as connection:
        connection.execute("drop table if exists public.rival")
    return table_text(f"{rows:,} requests", measured)


def generate(rows: int, directory: Path) -> Measurement:
    """Measure the generator's command."""
    command = [PYTHON, "generator/generate_data.py", "--rows", rows, "--seed", 42, "--out", directory, "--force"]
    measurement = run_command("generate", command, {})
    size_mib = sum(path.stat().st_size for path in directory.iterdir()) / 2**20
    return Measurement(measurement.name, measurement.seconds, measurement.peak_mib, f"{size_mib:,.0f} MiB written")


def measure_load(rows: int, file: Path, database: dict[str, str]) -> list[Measurement]:
    """Measure the loader and its rivals on the same file, each into a table with the same key and checks."""
    load = run_command("load", [PYTHON, "-m", "loader", "load", file.parent, "--force"], database)
    copy = run_function("COPY by the server", lambda: copy_on_server(file, database))
    results = [
        Measurement(load.name, load.seconds, load.peak_mib, f"{load.seconds / copy.seconds:.2f} x COPY by the server"),
        Measurement(copy.name, copy.seconds, None, "same file, key and checks; memory is the server's"),
    ]
    if rows <= ROW_BY_ROW_LIMIT:
        for name, function in (("executemany", insert_many), ("pandas.to_sql", write_with_pandas)):
            rival = run_function(name, lambda function=function: function(file, database))  # type: ignore[misc]
            note = f"{rival.seconds / load.seconds:.1f} x load"
            results.append(Measurement(name, rival.seconds, rival.peak_mib, note))
    return results


def create_rival_table(connection: psycopg.Connection) -> None:
    """Create a table like a partition of raw_staging.api_requests, without key and checks as yet."""
    connection.execute("drop table if exists public.rival")
    connection.execute("create table public.rival (like raw_staging.api_requests)")
    connection.execute("alter table public.rival alter column source set default 'synthetic'")


def finish_rival_table(connection: psycopg.Connection) -> None:
    """Add the key and the checks the loader's partition has."""
    connection.execute("alter table public.rival add primary key (source, request_id)")
    checks = connection.execute(
        "select conname, pg_get_constraintdef(oid) from pg_constraint "
        "where conrelid = 'raw_staging.api_requests'::regclass and contype = 'c'"
    ).fetchall()
    for name, definition in checks:
        statement = sql.SQL("alter table public.rival add constraint {} {}")
        connection.execute(statement.format(sql.Identifier(name), sql.SQL(definition)))


def columns_of(file: Path) -> list[str]:
    """Return the header of a CSV file."""
    with file.open(newline="") as lines:
        return next(csv.reader(lines))


def copy_on_server(file: Path, database: dict[str, str]) -> None:
    """Load the file with COPY FROM 'file': the server reads it itself, the fastest there is."""
    with connect(database) as connection:
        create_rival_table(connection)
        names = sql.SQL(", ").join(map(sql.Identifier, columns_of(file)))
        statement = sql.SQL("copy public.rival ({}) from {} with (format csv, header true)")
        connection.execute(statement.format(names, sql.Literal(str(file))))
        finish_rival_table(connection)


def insert_many(file: Path, database: dict[str, str]) -> None:
    """Load the file with INSERT through executemany."""
    with connect(database) as connection, file.open(newline="") as lines:
        create_rival_table(connection)
        reader = csv.reader(lines)
        names = next(reader)
        statement = sql.SQL("insert into public.rival ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join([sql.Placeholder()] * len(names))
        )
        connection.cursor().executemany(statement, ([value or None for value in row] for row in reader))
        finish_rival_table(connection)


def write_with_pandas(file: Path, database: dict[str, str]) -> None:
    """Load the file with pandas.read_csv and DataFrame.to_sql, as most notebooks do."""
    import pandas
    import sqlalchemy

    frame = pandas.read_csv(file, parse_dates=["requested_at"]).assign(source="synthetic")
    url = sqlalchemy.URL.create(
        "postgresql+psycopg", username=database["PGUSER"], database=database["PGDATABASE"],
        query={"host": database["PGHOST"], "port": database["PGPORT"]},
    )  # fmt: skip
    types: Any = {"request_id": sqlalchemy.Uuid(as_uuid=False)}
    with connect(database) as connection:
        create_rival_table(connection)
    engine = sqlalchemy.create_engine(url)
    frame.to_sql("rival", engine, schema="public", if_exists="append", index=False, chunksize=10_000, dtype=types)
    engine.dispose()
    with connect(database) as connection:
        finish_rival_table(connection)


def measure_dbt(target: Path, database: dict[str, str]) -> list[Measurement]:
    """Measure dbt build of the core, then the SQL it compiled, run by psql in the same order on one connection."""
    options = ["--project-dir", "dbt_project", "--profiles-dir", "dbt_project", "--target-path", target]
    command = [DBT, "build", *options, "--select", "tag:core", "--log-path", target]
    run_command("dbt parse", [DBT, "parse", *options, "--log-path", target], database)
    build = run_command("dbt build", command, database)
    script = target / "compiled.sql"
    models, tests = write_compiled_sql(target, script)
    psql = run_command("same SQL in psql", [binary("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "-f", script], database)
    return [
        Measurement(build.name, build.seconds, build.peak_mib, f"{build.seconds / psql.seconds:.2f} x psql"),
        Measurement(psql.name, psql.seconds, None, f"{models} models and {tests} tests on one connection"),
    ]


def write_compiled_sql(target: Path, script: Path) -> tuple[int, int]:
    """Write what `dbt build` ran as one psql script: models into a schema of their own, then the tests.

    Returns the numbers of models and tests.
    """
    manifest = json.loads((target / "manifest.json").read_text())
    results = json.loads((target / "run_results.json").read_text())["results"]
    nodes = [(manifest["nodes"].get(result["unique_id"]), result) for result in results]
    lines = ["create schema bench;"]
    counts = {"model": 0, "test": 0}
    for node, result in nodes:
        kind = node["resource_type"] if node else ""
        if kind == "model":
            lines += model_statements(node, result["compiled_code"])
        elif kind == "test":
            lines.append(f"select count(*) from (\n{result['compiled_code']}\n) as failures \\g /dev/null")
        if kind in counts:
            counts[kind] += 1
    lines.append("drop schema bench cascade;")
    script.write_text("\n".join(lines) + "\n")
    return counts["model"], counts["test"]


def model_statements(node: dict[str, Any], code: str) -> list[str]:
    """Return the statements that build one model in the schema `bench`, with its indexes."""
    kind = "view" if node["config"]["materialized"] == "view" else "table"
    statements = [f"create {kind} bench.{node['alias']} as (\n{code}\n);"]
    for index in node["config"].get("indexes", []):
        unique = "unique " if index.get("unique") else ""
        statements.append(f"create {unique}index on bench.{node['alias']} ({', '.join(index['columns'])});")
    return statements


def connect(database: dict[str, str]) -> psycopg.Connection:
    """Connect to the benchmark's own database."""
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGPASSWORD": "password"}
    return psycopg.connect("", **{names[k]: v for k, v in database.items() if k in names})  # type: ignore[arg-type]
