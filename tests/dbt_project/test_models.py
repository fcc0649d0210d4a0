"""What dbt builds: types, keys, who may read it, and what real logs without users or models become."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

SCHEMAS = ("public_staging", "public_star", "public_snowflake")


def surrogate_key(*values: str | None) -> uuid.UUID:
    """Return what dbt_utils documents: md5 of the texts joined by '-', its placeholder for NULL."""
    texts = ["_dbt_utils_surrogate_key_null_" if value is None else value for value in values]
    return uuid.UUID(hashlib.md5("-".join(texts).encode()).hexdigest())


def rows(connection: psycopg.Connection, statement: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement).fetchall()


def owned_relations(connection: psycopg.Connection, statement: str) -> list[str]:
    return [f"{schema}.{name}" for schema, name in rows(connection, statement) if schema in SCHEMAS]


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["'a'"], ["a"]),
        (["cast(null as text)"], [None]),
        (["'a'", "'b'", "'c'"], ["a", "b", "c"]),
        (["'a'", "cast(null as integer)", "''"], ["a", None, ""]),
        (["7", "date '2025-01-31'", "true", "1.50"], ["7", "2025-01-31", "true", "1.50"]),
    ],
)
def test_surrogate_key_equals_dbt_utils(
    fields: list[str], values: list[str | None], built: psycopg.Connection, project: Any
) -> None:
    inline = "select {{ generate_surrogate_key(" + repr(fields) + ") }} as key"
    compiled = project.invoke("compile", "--inline", inline).results[0].node.compiled_code

    assert rows(built, compiled) == [(surrogate_key(*values),)]


def test_keys_derive_from_natural_keys(built: psycopg.Connection) -> None:
    expected = {
        "select user_key, user_id from public_star.dim_users": 1,
        "select model_key, model_id from public_star.dim_models": 1,
        "select endpoint_key, endpoint_id from public_star.dim_endpoints": 1,
        "select date_key, date_id from public_star.dim_date": 1,
        "select company_key, company_name from public_snowflake.dim_companies": 1,
        "select billing_tier_key, billing_tier from public_snowflake.dim_billing_tiers": 1,
        "select request_key, source, request_id from public_star.fct_api_requests limit 100": 2,
    }
    for statement, width in expected.items():
        found = rows(built, statement)
        assert found and all(len(row) == width + 1 for row in found)
        assert [row[0] for row in found] == [surrogate_key(*map(str, row[1:])) for row in found], statement


def test_built_columns_are_those_of_the_yaml(built: psycopg.Connection, project: Any) -> None:
    models = [node for node in project.manifest.nodes.values() if node.resource_type == "model"]
    for model in models:
        statement = f"""
            select attname::text, format_type(atttypid, atttypmod) from pg_attribute
            where attrelid = '{model.schema}.{model.name}'::regclass and attnum > 0 and not attisdropped
            order by attnum
        """
        documented = [
            (c.name, c.data_type.replace(", ", ",").removeprefix("pg_catalog.")) for c in model.columns.values()
        ]
        assert rows(built, statement) == documented, model.name


def test_descriptions_reach_the_database(built: psycopg.Connection) -> None:
    statement = "select obj_description('public_star.fct_api_requests'::regclass)"
    assert rows(built, statement)[0][0].startswith("One row per request.")


def test_reader_reads_what_was_built_and_changes_nothing(built: psycopg.Connection, server_env: dict[str, str]) -> None:
    tables = owned_relations(built, "select schemaname, tablename from pg_tables where tableowner = 'portfolio_owner'")
    views = owned_relations(built, "select schemaname, viewname from pg_views where viewowner = 'portfolio_owner'")
    assert len(tables) >= 10 and len(views) >= 5  # the 14 models and the seed
    with psycopg.connect(
        host=server_env["PGHOST"], port=server_env["PGPORT"], user="portfolio_reader", dbname=built.info.dbname
    ) as reader:
        reader.autocommit = True
        for relation in tables + views:
            assert rows(reader, f"select count(*) from {relation}")[0][0] > 0
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute(f"delete from {tables[0]}")
        reader.execute("set default_transaction_read_only = off")
        for table in tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"delete from {table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select from raw_staging.users")


def test_days_do_not_follow_the_time_zone_of_the_session(
    built: psycopg.Connection, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "Pacific/Auckland")

    unit_tests = [
        "stg_api_requests_counts_days_in_utc",
        "dim_date_reaches_from_first_to_last_day_seen",
        "dim_date_covers_requests_without_a_generated_calendar",
    ]
    assert project.problems("test", "--select", *unit_tests) == {}


def test_build_of_real_log_alone_keeps_unknowns_unknown(
    clone: Callable[[dict[str, str]], psycopg.Connection],
    raw_template: dict[str, str],
    project: Any,
    run_command: Callable[..., Any],
    tmp_path: Path,
) -> None:
    connection = clone(raw_template)
    log = tmp_path / "azure.csv"
    log.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:17:03.9799600,4808,10\n"
        "2023-11-18 00:00:00.0000000,110,27\n"
    )
    run_command("-m", "loader", "import", "--from", "azure-llm", log)

    assert project.problems("build", "--select", "tag:core") == {}

    facts = rows(
        connection,
        """
        select user_id, model_id, endpoint_id, full_date::text, total_tokens,
            cost_usd, latency_ms, status_code, is_error, is_rate_limited, is_flagged
        from public_star.fct_api_requests
        inner join public_star.dim_users using (user_key)
        inner join public_star.dim_models using (model_key)
        inner join public_star.dim_endpoints using (endpoint_key)
        inner join public_star.dim_date using (date_key)
        order by requested_at
        """,
    )
    unreported = (None,) * 6
    assert facts == [(0, 0, 0, "2023-11-16", 4818, *unreported), (0, 0, 0, "2023-11-18", 137, *unreported)]
    snowflake = """
        select company_id, billing_tier_id, count(*) from public_snowflake.fct_api_requests_sf
        inner join public_snowflake.dim_users_sf using (user_key)
        inner join public_snowflake.dim_companies using (company_key)
        inner join public_snowflake.dim_billing_tiers using (billing_tier_key)
        group by company_id, billing_tier_id
    """
    assert rows(connection, snowflake) == [(0, 0, 2)]
    assert rows(connection, "select count(*) from public_star.dim_date") == [(4,)]  # three days and the unknown one


def test_build_of_empty_warehouse_succeeds(
    clone: Callable[[dict[str, str]], psycopg.Connection], raw_template: dict[str, str], project: Any
) -> None:
    connection = clone(raw_template)

    assert project.problems("build", "--select", "tag:core") == {}
    assert rows(connection, "select count(*) from public_star.fct_api_requests") == [(0,)]
