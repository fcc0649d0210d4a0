"""The command line: exit codes, what goes where, and messages for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from metabase import cli
from metabase.client import MetabaseError
from metabase.links import write_json
from metabase.settings import read_target
from tests.metabase.harness import ADMIN_PASSWORD, READER_PASSWORD, Lab, edit

YAML = """\
version: 1
order: 1
name: Demo
description: A demo
cards:
  - card: total
    title: Total
    question: How much?
    chart: {type: scalar, y: n}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one small dashboard."""
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "cards" / "demo").mkdir(parents=True)
    (tmp_path / "dashboards" / "demo.yml").write_text(YAML, encoding="utf-8")
    (tmp_path / "cards" / "demo" / "total.sql").write_text("select 1 as n\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def metabase(labs: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return a double, and make it the environment's Metabase."""
    lab = labs("v58")
    (tmp_path / "admin").write_text(ADMIN_PASSWORD + "\n", encoding="utf-8")
    (tmp_path / "reader").write_text(READER_PASSWORD + "\n", encoding="utf-8")
    monkeypatch.setenv("METABASE_URL", lab.target.url)
    monkeypatch.setenv("METABASE_ADMIN_EMAIL", lab.target.email)
    monkeypatch.setenv("METABASE_ADMIN_PASSWORD_FILE", str(tmp_path / "admin"))
    monkeypatch.setenv("PORTFOLIO_READER_PASSWORD_FILE", str(tmp_path / "reader"))
    monkeypatch.setenv("METABASE_LINKS_FILE", str(tmp_path / "out" / "links.json"))
    monkeypatch.setenv("PGHOST", "db")
    return lab


def run(folder: Path, *words: str) -> int:
    return cli.main([words[0], "--definitions", str(folder), *words[1:]])


def test_lint_of_texts_needs_no_database(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "lint", "--no-database") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lint: 1 dashboards, 1 cards, no problems in ")


def test_lint_prints_every_problem_and_the_next_step(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dashboards" / "demo.yml").write_text(YAML.replace("chart:", "chrat:"), encoding="utf-8")
    (folder / "cards" / "demo" / "total.sql").write_bytes(b"\xff")
    assert run(folder, "lint", "--no-database") == 1
    (folder / "cards" / "demo" / "total.sql").write_text("select 1 as n", encoding="utf-8")
    assert run(folder, "lint", "--no-database") == 1
    lines = capsys.readouterr().err.splitlines()
    assert "cards/demo/total.sql:1: expected UTF-8 text" in lines[0]
    assert "dashboards/demo.yml:6: cards[0]: missing keys" in lines[2]
    assert "dashboards/demo.yml:9: cards[0]: unknown key" in lines[3]
    assert lines[4] == "lint: 2 problems in the definitions; docs/dashboards.md describes them"


def test_apply_plan_check_and_links_work_together(
    metabase: Lab, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "check") == 1
    assert run(folder, "links") == 1
    assert run(folder, "apply") == 0
    written = json.loads((folder / "out" / "links.json").read_text("utf-8"))
    (link,) = written["dashboards"]
    assert link["path"] == f"/metabase/public/dashboard/{link['uuid']}"
    assert (link["key"], link["name"], link["rows"]) == ("demo", "Demo", 3)
    assert run(folder, "check") == 0
    capsys.readouterr()
    assert run(folder, "links") == 0
    assert json.loads(capsys.readouterr().out) == written
    admin = metabase.admin()
    edit(admin, f"/api/card/{metabase.find(admin, 'card', 'Total')['id']}", {"name": "Theirs"})
    assert run(folder, "plan") == 0
    assert capsys.readouterr().out == "update card demo/total\n    name: 'Theirs' -> 'Total'\n"
    assert run(folder, "check") == 1


def test_apply_says_what_it_did_and_when_links_changed(
    metabase: Lab, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "apply", "--verbose") == 0
    first = capsys.readouterr()
    assert first.out == ""
    assert "create card demo/total\n" in first.err
    assert "rebuild the site" in first.err
    assert ADMIN_PASSWORD not in first.err and READER_PASSWORD not in first.err
    assert run(folder, "apply") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("apply: 0 actions, 0 writes, ")


def test_error_is_one_line_and_exit_code_1(
    metabase: Lab, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, "apply")
    monkeypatch.setenv("METABASE_ADMIN_PASSWORD_FILE", str(folder / "reader"))
    capsys.readouterr()
    assert run(folder, "apply") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("apply: login: expected the password of admin@example.com, found 401")


def test_missing_settings_are_listed_all_at_once() -> None:
    with pytest.raises(MetabaseError) as caught:
        read_target({})
    for name in ("METABASE_ADMIN_PASSWORD_FILE", "PORTFOLIO_READER_PASSWORD_FILE", "PGHOST"):
        assert name in str(caught.value)


def test_unreadable_secret_names_the_file() -> None:
    with pytest.raises(MetabaseError, match=r"METABASE_ADMIN_PASSWORD_FILE, found /none/at/all"):
        read_target({"METABASE_ADMIN_PASSWORD_FILE": "/none/at/all"})


def test_target_takes_addresses_from_libpq_names() -> None:
    env = {"METABASE_ADMIN_PASSWORD": "a", "PORTFOLIO_READER_PASSWORD": "b", "PGHOST": "db", "PGPORT": "6000"}
    target = read_target(env | {"PGDATABASE": "x", "PGSSLMODE": "require"})
    assert {key: target.warehouse[key] for key in ("host", "port", "dbname", "user", "ssl", "ssl-mode")} == {
        "host": "db",
        "port": 6000,
        "dbname": "x",
        "user": "portfolio_reader",
        "ssl": True,
        "ssl-mode": "require",
    }
    with pytest.raises(MetabaseError, match="expected a number in PGPORT, found 'six'"):
        read_target(env | {"PGPORT": "six"})


@pytest.mark.parametrize("words", [[], ["paint"], ["lint", "--runs", "many"], ["apply", "--delete"]])
def test_misuse_exits_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    for command in ("lint", "export", "plan", "apply", "check", "links"):
        assert f"python -m metabase {command}" in text


def test_write_json_replaces_whole_files_only_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "links.json"
    assert write_json(path, {"a": 1})
    before = path.stat().st_mtime_ns
    assert not write_json(path, {"a": 1})
    assert path.stat().st_mtime_ns == before
    assert write_json(path, {"a": 2})
    assert [each.name for each in path.parent.iterdir()] == ["links.json"]
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 2}
