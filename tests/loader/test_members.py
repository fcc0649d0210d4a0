"""Models, users and teams that a log names: members once each, with the requests, gone with them."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.kinds import NAME_CHARACTERS
from loader.members import BLOCK, member_name

LITELLM = ("import", "--from", "litellm")
HEADER = (
    "request_id,startTime,endTime,prompt_tokens,completion_tokens,spend,model,custom_llm_provider,user,team_id,metadata"
)
NAMED = """
    select r.prompt_tokens, m.model_name, m.provider, u.user_name, t.team_name, r.cost_reported_usd
    from raw_staging.api_requests as r
    left join raw_staging.inferred_models as m on r.model_id = m.model_id and r.source = m.source
    left join raw_staging.inferred_users as u on r.user_id = u.user_id and r.source = u.source
    left join raw_staging.inferred_teams as t on r.team_id = t.team_id and r.source = t.source
    where r.source = %s
    order by r.prompt_tokens
"""
ALL = """
    select source, model_name from raw_staging.inferred_models
    union all select source, user_name from raw_staging.inferred_users
    union all select source, team_name from raw_staging.inferred_teams
    order by 1, 2
"""


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def spend_log(path: Path, *rows: tuple[str, str, str, str, str], first: int = 1, details: str = "{}") -> Path:
    """Write requests numbered from `first`: each with its spend, model, provider, user and team."""
    lines = (
        f"chat-{n},2026-06-03 09:14:{n % 60:02},,{n},1,{','.join(map(quoted, row))},{quoted(details)}\n"
        for n, row in enumerate(rows, first)
    )
    path.write_text(f"{HEADER}\n" + "".join(lines), encoding="utf-8")
    return path


ROWS = (
    ("0.00555", "sonnet", "anthropic", "ada", "search"),
    ("1.2e-05", "mini", "openai", "bo", "search"),
    ("", "mini", "azure", "ada", "ops"),
    ("0.0", "", "openai", "", ""),
)


def test_requests_keep_what_their_log_names_and_says_they_cost(loader: Any, tmp_path: Path) -> None:
    said = loader.succeeds(*LITELLM, spend_log(tmp_path / "a.csv", *ROWS))
    assert "4 api_requests loaded, 0 rejected, naming 3 models, 2 users and 2 teams, " in said
    assert loader.rows(NAMED, "litellm") == [
        (1, "sonnet", "anthropic", "ada", "search", Decimal("0.00555")),
        (2, "mini", "openai", "bo", "search", Decimal("0.000012")),
        (3, "mini", "azure", "ada", "ops", None),
        (4, None, None, None, None, Decimal(0)),
    ]
    assert loader.value("select count(*) from raw_staging.inferred_users") == 2


def test_a_member_keeps_its_number_when_its_source_is_loaded_again(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*LITELLM, spend_log(tmp_path / "a.csv", *ROWS[:2]))
    models = "select model_name, provider, model_id from raw_staging.inferred_models order by 1, 2"
    before = loader.rows(models)
    loader.succeeds(*LITELLM, spend_log(tmp_path / "b.csv", *ROWS))
    assert set(before) < set(loader.rows(models))


def test_members_that_no_request_has_any_more_are_removed(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*LITELLM, spend_log(tmp_path / "a.csv", *ROWS))
    loader.succeeds(*LITELLM, spend_log(tmp_path / "b.csv", ROWS[1]))
    assert loader.rows(ALL) == [("litellm", "bo"), ("litellm", "mini"), ("litellm", "search")]


def test_added_files_share_their_members(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*LITELLM, "--add", spend_log(tmp_path / "a.csv", *ROWS[:1]))
    loader.succeeds(*LITELLM, "--add", spend_log(tmp_path / "b.csv", *ROWS[:2], first=11))
    assert [name for _, name in loader.rows(ALL)] == ["ada", "bo", "mini", "search", "sonnet"]
    assert [row[3] for row in loader.rows(NAMED, "litellm")] == ["ada", "ada", "bo"]


def test_one_name_in_two_sources_is_two_members_and_case_matters(loader: Any, tmp_path: Path) -> None:
    path = spend_log(tmp_path / "a.csv", ("", "Mini", "", "ada", ""), ("", "mini", "", "ada", ""))
    for source in ("litellm", "other"):
        loader.succeeds(*LITELLM, "--source", source, path)
    names = ["Mini", "ada", "mini"]
    assert sorted(loader.rows(ALL)) == sorted((source, name) for source in ("litellm", "other") for name in names)
    assert loader.value("select count(distinct model_id) from raw_staging.inferred_models") == 4


def test_the_members_of_a_removed_source_are_removed(loader: Any, tmp_path: Path) -> None:
    path = spend_log(tmp_path / "a.csv", *ROWS)
    for source in ("litellm", "other"):
        loader.succeeds(*LITELLM, "--source", source, path)
    loader.succeeds("remove", "litellm")
    assert {source for source, _ in loader.rows(ALL)} == {"other"}


def test_a_load_that_fails_leaves_the_members_as_they_were(loader: Any, tmp_path: Path) -> None:
    loader.succeeds(*LITELLM, spend_log(tmp_path / "a.csv", *ROWS[:1]))
    before = loader.rows(ALL)
    bad = [("-1", "bad", "bad", "bad", "bad")] * 2
    assert "spend: expected an amount" in loader.fails(*LITELLM, spend_log(tmp_path / "b.csv", *ROWS, *bad))
    assert loader.rows(ALL) == before


def test_more_names_than_a_block_has_numbers(loader: Any, tmp_path: Path) -> None:
    count = 2 * BLOCK + 3
    rows = [("", f"model-{n}", "", f"user-{n}", "") for n in range(count)]
    loader.succeeds(*LITELLM, spend_log(tmp_path / "a.csv", *rows))
    found = loader.rows(NAMED, "litellm")
    assert [row[1] for row in found] == [f"model-{n}" for n in range(count)]
    assert [row[3] for row in found] == [f"user-{n}" for n in range(count)]


def test_loads_side_by_side_never_share_a_number(
    database: dict[str, str], run_command: Any, loader: Any, tmp_path: Path
) -> None:
    path = spend_log(tmp_path / "a.csv", *[("", f"m{n}", "", f"u{n}", f"t{n}") for n in range(400)])

    def load(source: str) -> None:
        run_command("-m", "loader", *LITELLM, "--source", source, path, env=database)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, [f"source-{n}" for n in range(4)]))
    for table, number in (("models", "model_id"), ("users", "user_id"), ("teams", "team_id")):
        counts = f"select count(*), count(distinct {number}) from raw_staging.inferred_{table}"
        assert loader.rows(counts) == [(1600, 1600)]


def test_the_metadata_names_what_the_columns_do_not(loader: Any, tmp_path: Path) -> None:
    details = {
        "user_api_key_alias": "nightly",
        "user_api_key_team_alias": "Search",
        "additional_usage_values": {"cache_read_input_tokens": 2, "cache_creation_input_tokens": 1},
        "usage_object": {"completion_tokens_details": {"reasoning_tokens": 1}},
    }
    row = ("", "sonnet", "", "", "team-7")
    path = spend_log(tmp_path / "a.csv", row, row, row, row, first=2, details=json.dumps(details))
    loader.succeeds(*LITELLM, path)
    assert {row[3:5] for row in loader.rows(NAMED, "litellm")} == {("key nightly", "Search")}
    parts = (
        "select prompt_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens from raw_staging.api_requests"
    )
    # More cached than there was input in all: the parts are not known.
    assert sorted(loader.rows(parts))[:2] == [(2, None, None, 1), (3, 2, 1, 1)]


def test_burstgpt_names_its_models(loader: Any, tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    path.write_text(f"{header}1,ChatGPT,1,1,2,API log\n2,GPT-4,2,1,3,API log\n3,ChatGPT,3,1,4,API log\n")
    said = loader.succeeds("import", "--from", "burstgpt", "--epoch", "2023-11-01T00:00:00Z", path)
    assert "0 rejected, naming 2 models, " in said
    assert [row[1] for row in loader.rows(NAMED, "burstgpt")] == ["ChatGPT", "GPT-4", "ChatGPT"]


SECRET = "sk-" + "x1" * 20


@pytest.mark.parametrize(
    ("logged", "name"),
    [
        ("  ada ", "ada"),
        ("   ", None),
        ("a\0da", "ada"),
        ("half \ud83d of a pair", "half ? of a pair"),
        ("sk-ada", "sk-ada"),
        (SECRET, f"secret:{hashlib.sha256(SECRET.encode()).hexdigest()[:12]}"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_names(logged: str, name: str | None) -> None:
    assert member_name(logged) == name


def test_long_names_fit_and_stay_apart() -> None:
    first, second = (member_name("x" * 10_000 + end) for end in "ab")
    assert first and second and first != second
    assert len(first) == len(second) == NAME_CHARACTERS


def test_a_key_in_the_place_of_a_name_is_nowhere_in_the_warehouse(loader: Any, tmp_path: Path) -> None:
    details = json.dumps({"user_api_key_alias": SECRET})
    said = loader.succeeds(*LITELLM, spend_log(tmp_path / "a.csv", ("", SECRET, "", "", SECRET), details=details))
    assert "naming 1 model, 1 user and 1 team (3 look like API keys and are kept as secret:...)" in said
    names = [name for _, name in loader.rows(ALL)]
    assert len(names) == 3 and all("secret:" in name and "x1" not in name for name in names)


BEFORE = """
    drop table raw_staging.inferred_models, raw_staging.inferred_users, raw_staging.inferred_teams;
    drop sequence raw_staging.member_id_blocks;
    alter table raw_staging.api_requests drop constraint api_requests_members_check;
    alter table raw_staging.api_requests drop column team_id cascade, drop column cost_reported_usd cascade;
    alter table raw_staging.api_requests
    add constraint api_requests_user_id_check check (user_id > 0),
    add constraint api_requests_model_id_check check (model_id > 0);
    comment on schema raw_staging is 'an earlier one'
"""


def test_a_database_of_before_takes_named_requests_beside_its_own(
    loader: Any, database: dict[str, str], write_set: Any, tmp_path: Path
) -> None:
    unnamed = tmp_path / "unnamed.csv"
    unnamed.write_text(
        "request_id,startTime,endTime,prompt_tokens,completion_tokens\nold-1,2026-06-03 09:00:00,,100,1\n"
    )
    loader.succeeds("load", write_set())
    loader.succeeds(*LITELLM, "--add", unnamed)
    dsn = psycopg.conninfo.make_conninfo(
        host=database["PGHOST"], port=database["PGPORT"], user=database["PGUSER"], dbname=database["PGDATABASE"]
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(BEFORE.encode())
    loader.succeeds(*LITELLM, "--add", spend_log(tmp_path / "a.csv", *ROWS))
    assert [row[:2] for row in loader.rows(NAMED, "litellm")] == [
        (1, "sonnet"), (2, "mini"), (3, "mini"), (4, None), (100, None)
    ]  # fmt: skip
    assert loader.request_count("synthetic") == 10
    loader.succeeds("load", "--force", write_set())
