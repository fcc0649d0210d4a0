"""The swap itself: short, because nothing is left to check or build while it holds its lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg import sql


def test_attaching_a_partition_scans_and_builds_nothing(loader: Any, write_set: Callable[..., Path]) -> None:
    loader.succeeds("load", write_set())
    (name,) = loader.partitions()
    table = sql.Identifier("raw_staging", name)
    indexes = (
        "select array_agg(oid order by oid) from pg_class where relkind = 'i' and relname like 'api\\_requests\\_s%%'"
    )
    said: list[str] = []
    loader.connection.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    with loader.connection.transaction():
        loader.connection.execute(sql.SQL("alter table raw_staging.api_requests detach partition {}").format(table))
        before = loader.value(indexes)
        loader.connection.execute("set local client_min_messages = debug1")
        loader.connection.execute(
            sql.SQL("alter table raw_staging.api_requests attach partition {} for values in ('synthetic')").format(
                table
            )
        )
        assert loader.value(indexes) == before
    assert f'partition constraint for table "{name}" is implied by existing constraints' in said
