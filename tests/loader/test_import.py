"""`import`: real logs, on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.__main__ import main


def test_import_leaves_unknown_references_and_measures_null(loader: Any, azure_file: Path) -> None:
    assert "3 api_requests loaded, 0 rejected" in loader.succeeds("import", "--from", "azure-llm", azure_file)
    assert loader.rows(
        "select distinct user_id, model_id, endpoint_id, latency_ms, status_code, is_flagged"
        " from raw_staging.api_requests"
    ) == [(None,) * 6]
    assert loader.value("select max(requested_at) at time zone 'UTC' from raw_staging.api_requests").isoformat() == (
        "2023-11-16T23:59:59.999999"
    )


def test_import_records_what_it_assumed(loader: Any, azure_file: Path) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    (row,) = loader.rows("select source, file_name, length(sha256), arguments from raw_staging.load_batches")
    assert row[:3] == ("azure-llm", "azure.csv", 64)
    assert "timestamps without a zone are UTC" in row[3]["assumptions"]


def test_import_of_the_azure_trace_loads_all_rows_and_again_the_same(loader: Any, shared_data: Path) -> None:
    words = ("import", "--from", "azure-llm", shared_data / "azure_llm_2023_code.csv")
    assert "8,819 api_requests loaded, 0 rejected" in loader.succeeds(*words)
    before = loader.rows("select md5(string_agg(r::text, '|' order by request_id)) from raw_staging.api_requests as r")
    assert "up to date" in loader.succeeds(*words)
    assert "8,819 api_requests loaded" in loader.succeeds(*words, "--force")
    after = loader.rows("select md5(string_agg(r::text, '|' order by request_id)) from raw_staging.api_requests as r")
    assert after == before
    assert loader.request_count("azure-llm") == 8_819


def test_import_keeps_sources_of_one_format_apart(loader: Any, azure_file: Path) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    loader.succeeds("import", "--from", "azure-llm", "--source", "azure-llm-conv", azure_file)
    assert loader.value("select count(distinct request_id) from raw_staging.api_requests") == 6
    assert loader.request_count("azure-llm-conv") == 3


def test_import_loads_again_when_the_epoch_changes(loader: Any, tmp_path: Path) -> None:
    path = tmp_path / "burst.csv"
    path.write_text("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n61,ChatGPT,3,4,7,API log\n")
    words = ("import", "--from", "burstgpt", path, "--epoch")
    loader.succeeds(*words, "2023-03-06T00:00:00Z")
    assert "up to date" in loader.succeeds(*words, "2023-03-06T00:00:00Z")
    assert "1 api_requests loaded" in loader.succeeds(*words, "2024-03-06")
    assert loader.value("select extract(year from requested_at)::int from raw_staging.api_requests") == 2024


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "found an empty file"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n", "expected rows behind the header, found none"),
        (b"\x1f\x8b\x08", "found gzip data"),
        (b"ContextTokens,TIMESTAMP,GeneratedTokens\n1,2,3\n", "the same columns in another order"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1\n", "found 1 of 1, the first in line 2"),
    ],
)
def test_import_refuses_a_bad_file_and_keeps_the_old_rows(
    steady_loader: Any, azure_file: Path, content: bytes, reason: str
) -> None:
    steady_loader.succeeds("import", "--from", "azure-llm", azure_file)
    azure_file.write_bytes(content)
    said = steady_loader.fails("import", "--from", "azure-llm", azure_file)
    assert reason in said
    assert "azure.csv" in said
    assert steady_loader.request_count("azure-llm") == 3


def test_import_refuses_missing_files_and_folders(steady_loader: Any, tmp_path: Path) -> None:
    assert "found none" in steady_loader.fails("import", "--from", "azure-llm", tmp_path / "absent.csv")
    assert "found the folder" in steady_loader.fails("import", "--from", "azure-llm", tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ["import", "x.csv"],
        ["import", "--from", "csv", "x.csv"],
        ["import", "--from", "azure-llm", "--source", "synthetic", "x.csv"],
        ["import", "--from", "azure-llm", "--source", "Robert'); drop", "x.csv"],
        ["import", "--from", "azure-llm", "--epoch", "2023-01-01", "x.csv"],
        ["import", "--from", "burstgpt", "x.csv"],
        ["import", "--from", "burstgpt", "--epoch", "some day", "x.csv"],
        ["load", "--max-reject-ratio", "2", "."],
        ["load", "--max-reject-ratio", "nan", "."],
        ["load"],
        [],
    ],
)
def test_misuse_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["load", "--help"], ["import", "--help"]])
def test_help_teaches(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 0
    assert "azure-llm" in capsys.readouterr().out or words[0] == "load"


def test_commands_without_a_server_fail_with_one_line(
    azure_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGHOST", "/nonexistent")
    for words in (["import", "--from", "azure-llm", str(azure_file)], ["init"], ["status"]):
        assert main(words) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "No such file or directory" in said
