"""A real warehouse cut to what a test has time to forecast."""

from __future__ import annotations

import psycopg


def cut(database: dict[str, str]) -> None:
    """Keep the last 12 days of one billing tier in the hourly mart."""
    server = {"host": database["PGHOST"], "port": database["PGPORT"], "dbname": database["PGDATABASE"]}
    with psycopg.connect(**server, user=database["PGUSER"]) as connection:
        connection.execute("""
            delete from public_marts.usage_hourly
            where
                billing_tier <> 'enterprise'
                or hour_at < (select max(hour_at) - interval '12 days' from public_marts.usage_hourly)
        """)
