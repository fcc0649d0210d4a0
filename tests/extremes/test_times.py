"""Times decades apart: what is accepted is built, and a warehouse that holds what is refused by now can be mended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import HEADER, Stack, make_stack

Environment = dict[str, str]
pytestmark = pytest.mark.timeout(1800)  # whole builds on a busy machine; a limit for what hangs
MONTHS = (
    "select to_char(requested_at at time zone 'UTC', 'YYYY-MM') from public_star.fct_api_requests"
    " where source = 'azure-llm' group by 1 order by 1"
)
PARTITIONS = "select count(*) from pg_inherits where inhparent = 'public_star.fct_api_requests'::regclass"
FAR_ROWS = """
insert into raw_staging.api_requests (source, request_id, requested_at, prompt_tokens, completion_tokens)
values
('azure-llm', gen_random_uuid(), '1970-01-01 00:00:00+00', 1, 1),
('azure-llm', gen_random_uuid(), '2099-12-31 00:00:00+00', 1, 1);
update raw_staging.load_batches
set rows_read = rows_read + 2, rows_loaded = rows_loaded + 2,
    first_requested_at = '1970-01-01 00:00:00+00', last_requested_at = '2099-12-31 00:00:00+00'
where source = 'azure-llm' and status = 'done' and rows_loaded > 0
"""


def log(path: Path, *extra: str) -> Path:
    stamps = [f"2025-03-{day:02} {hour:02}:00:07" for day in range(1, 29) for hour in range(24)]
    path.write_text(HEADER + "".join(f"{stamp},100,9\n" for stamp in [*stamps, *extra]))
    return path


@pytest.fixture
def stack(databases: Any, loaded_template: Environment, tmp_path: Path, repo_root: Path) -> Iterator[Stack]:
    """Return a stack whose warehouse holds the generated set of 2025, not built yet."""
    database = databases.create(loaded_template["PGDATABASE"])
    yield make_stack(tmp_path / "stack", database, repo_root)
    databases.drop(database)


def succeed(result: Any) -> str:
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return str(result.stdout + result.stderr)


def test_three_rows_decades_apart_build_all_models(stack: Stack, tmp_path: Path) -> None:
    path = log(tmp_path / "log.csv", "1970-01-01 00:00:00", "2099-12-31 00:00:00")
    assert "672 api_requests loaded, 2 rejected" in succeed(stack.run("import", "--from", "azure-llm", str(path)))
    succeed(stack.run("run"))
    assert stack.rows(MONTHS) == [("2025-03",)]
    assert stack.rows(PARTITIONS) == [(12,)]


def test_the_ends_of_the_window_make_no_partition_between_them(stack: Stack, tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    path = log(tmp_path / "log.csv", "2020-01-01 00:00:00", f"{tomorrow} 00:00:00")
    assert "674 api_requests loaded, 0 rejected" in succeed(stack.run("import", "--from", "azure-llm", str(path)))
    succeed(stack.run("run"))
    assert stack.rows(MONTHS) == [("2020-01",), ("2025-03",), (f"{tomorrow:%Y-%m}",)]
    assert stack.rows(PARTITIONS) == [(14,)]


def test_a_warehouse_with_times_that_were_accepted_once_is_built_and_mended(stack: Stack, tmp_path: Path) -> None:
    succeed(stack.run("import", "--from", "azure-llm", str(log(tmp_path / "log.csv"))))
    with stack.connect() as connection:
        connection.execute(FAR_ROWS)
    succeed(stack.run("run"))
    assert stack.rows(MONTHS) == [("1970-01",), ("2025-03",), ("2099-12",)]
    succeed(stack.run("remove", "azure-llm"))
    succeed(stack.run("run"))
    assert stack.rows(MONTHS) == []
    assert stack.rows(PARTITIONS) == [(12,)]
