"""The n-th request of the loader fails, for n = 1, ... until a run passes, its connection cut before or after it.

After each: nothing lost, nothing twice, readers saw the old or the new and no mix, and the next run heals. FAULT_POINTS
sets how many n of each command are tried (default 10, spread evenly); 0 tries all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.__main__ import main
from tests.conftest import Databases
from tests.faults.proxy import AFTER, BEFORE, Proxy
from tests.faults.trial import Trial
from warehouse.unexpected import guarded

Environment = dict[str, str]
TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
RAW = """
select row_to_json(found)::text from (
    select
        (
            select json_agg(one order by one.source) from (
                select source, count(*) as n, count(distinct request_id) as ids, sum(prompt_tokens) as tokens
                from raw_staging.api_requests group by source
            ) as one
        ) as requests,
        (select array[count(*), sum(user_id), sum(length(full_name))] from raw_staging.users) as users,
        (select array[count(*), sum(model_id)] from raw_staging.models) as models,
        (select array[count(*), max(date_id)] from raw_staging.dates) as dates,
        (select array[count(*), sum(user_id)] from raw_staging.user_changes) as user_changes,
        (select array[count(*), sum(model_id)] from raw_staging.model_changes) as model_changes
) as found
"""


@dataclass(frozen=True)
class Files:
    """What the commands read."""

    base: Path
    other: Path
    ticked: Path
    trace: Path
    newer: Path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, run_command: Callable[..., Any]) -> Files:
    """Return two generated sets, the first one with a tick more, and two traces, the second with a row too bad."""
    folder = tmp_path_factory.mktemp("faults")
    found = Files(*(folder / name for name in ("base", "other", "ticked", "trace.csv", "newer.csv")))
    size = ["--users", 40, "--days", 30, "--rows"]
    run_command("generator/generate_data.py", "--seed", 1, *size, 300, "--out", found.base)
    run_command("generator/generate_data.py", "--seed", 2, *size, 400, "--out", found.other)
    shutil.copytree(found.base, found.ticked)
    run_command("generator/generate_data.py", "--continue", found.ticked, "--days", 1, "--rows", 50)
    rows = [f"2023-11-16 18:{i // 60:02}:{i % 60:02}.5,{100 + i},9\n" for i in range(300)]
    found.trace.write_text(TRACE + "".join(rows[:100]))
    found.newer.write_text(TRACE + "".join(rows[50:]) + "yesterday,1,2\n")
    return found


@pytest.fixture(scope="session")
def raw_before(
    databases: Databases, raw_template: Environment, files: Files, run_command: Callable[..., Any]
) -> Environment:
    """Return the template in which a set and a trace are loaded."""
    template = databases.create(raw_template["PGDATABASE"], prefix="template")
    run_command("-m", "loader", "load", files.base, env=template)
    run_command("-m", "loader", "import", "--from", "azure-llm", files.trace, env=template)
    return template


COMMANDS: dict[str, Callable[[Files], list[object]]] = {
    "load": lambda files: ["load", files.other],
    "load the ticks": lambda files: ["load", files.ticked],
    "import": lambda files: ["import", "--from", "azure-llm", files.newer],
    "import another source": lambda files: ["import", "--from", "azure-llm", "--source", "other", files.newer],
    "import --add": lambda files: ["import", "--from", "azure-llm", "--add", files.newer],
    "remove": lambda files: ["remove", "synthetic"],
}


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_loader_survives_a_lost_connection_at_any_request(
    databases: Databases, raw_before: Environment, front: Proxy, files: Files, monkeypatch: Any, capsys: Any,
    command: str, when: str,
) -> None:  # fmt: skip
    words = [str(word) for word in COMMANDS[command](files)]
    Trial(databases, raw_before, front, lambda: guarded(lambda: main(words), "loader"), RAW, monkeypatch, capsys).sweep(
        when
    )
