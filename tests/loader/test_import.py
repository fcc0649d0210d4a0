"""`import`: real logs, on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.__main__ import main
from warehouse.unexpected import guarded


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


AZURE_HEADER = b"TIMESTAMP,ContextTokens,GeneratedTokens\n"


@pytest.mark.parametrize("field", [b"+5", b"0x1F", b"1_000", b"NaN", b"1e3", b"\xd9\xa7", b"-", b"9" * 19])
def test_one_hostile_number_is_rejected_and_the_rest_is_loaded(
    steady_loader: Any, tmp_path: Path, field: bytes
) -> None:
    path = tmp_path / "azure.csv"
    good = b"2023-11-16 18:17:03,1,1\n" * 200
    path.write_bytes(AZURE_HEADER + good + b"2023-11-16 18:17:03," + field + b",1\n")
    said = steady_loader.succeeds("import", "--from", "azure-llm", path)
    assert "200 api_requests loaded, 1 rejected" in said
    assert "ContextTokens: expected a whole number" in said


@pytest.mark.parametrize("depth", [990, 100_000])
def test_metadata_nested_deep_is_that_of_a_failure_without_a_code(loader: Any, tmp_path: Path, depth: int) -> None:
    path = tmp_path / "spend.csv"
    header = "request_id,startTime,endTime,prompt_tokens,completion_tokens,status,metadata\n"
    rows = [f"a,2026-06-03 09:14:02,,1,1,failure,{'[' * depth}{']' * depth}\n"]
    code = "".join('{""a"":' for _ in range(depth)) + "1" + "}" * depth
    rows.append(
        f'b,2026-06-03 09:14:02,,1,1,failure,"{{""error_information"":{{""error_code"":""429"",""x"":{code}}}}}"\n'
    )
    path.write_text(header + "".join(rows))
    assert "2 api_requests loaded, 0 rejected" in loader.succeeds("import", "--from", "litellm", path)
    assert loader.rows("select distinct status_code from raw_staging.api_requests") == [(500,)]


def test_a_name_that_is_no_utf_8_is_imported_and_shown(loader: Any, azure_file: Path) -> None:
    import os

    path = Path(os.fsdecode(os.fsencode(azure_file.parent) + b"/caf\xe9.csv"))
    path.write_bytes(azure_file.read_bytes())
    loader.succeeds("import", "--from", "azure-llm", path)
    assert loader.value("select file_name from raw_staging.load_batches") == "caf\\xe9.csv"
    path.write_bytes(b"\x1f\x8b")
    assert "caf\\xe9.csv, found gzip data" in loader.fails("import", "--from", "azure-llm", path)


def test_every_refusal_leaves_a_batch_that_failed(loader: Any, tmp_path: Path) -> None:
    loader.fails("import", "--from", "azure-llm", tmp_path / "absent.csv")
    loader.fails("load", tmp_path / "absent")
    loader.fails("append", tmp_path / "ticks")
    assert loader.rows(
        "select source, mode, file_name, status, rows_read, finished_at is not null from raw_staging.load_batches"
        " where error like 'expected%%, found no%%; %%' order by batch_id"
    ) == [
        ("azure-llm", "replace", "absent.csv", "failed", 0, True),
        ("synthetic", "replace", "absent/manifest.json", "failed", 0, True),
        ("synthetic", "append", "ticks/ticks/manifest.json", "failed", 0, True),
    ]


@pytest.mark.parametrize("table", ["api_requests", "load_batches"])
def test_a_dropped_column_is_named(loader: Any, azure_file: Path, table: str) -> None:
    column = {"api_requests": "prompt_tokens", "load_batches": "data_sha256"}[table]
    loader.connection.execute(f"alter table raw_staging.{table} drop column {column} cascade")
    said = loader.fails("import", "--from", "azure-llm", azure_file)
    assert "expected the tables as the loader made them" in said
    assert column in said or "live_batches" in said


def test_a_dropped_column_is_named_by_a_load_as_well(loader: Any, dataset_20k: Path) -> None:
    loader.connection.execute("alter table raw_staging.api_requests drop column is_flagged")
    said = loader.fails("load", dataset_20k)
    assert "expected the tables as the loader made them" in said
    assert "is_flagged" in said


@pytest.mark.parametrize(
    "epoch", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31", "2101-01-01"]
)
def test_an_epoch_outside_the_calendar_is_misuse(epoch: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["import", "--from", "burstgpt", "--epoch", epoch, "x.csv"])
    assert stopped.value.code == 2
    assert "expected a time from 1970 to 2100" in capsys.readouterr().err


@pytest.mark.parametrize("epoch", ["1991-01-01", "2026-01-01"])
def test_an_epoch_far_from_the_files_time_loads_what_is_inside(loader: Any, tmp_path: Path, epoch: str) -> None:
    path = tmp_path / "burst.csv"
    header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    path.write_text(header + "0,ChatGPT,3,4,7,API log\n999999999.999999,ChatGPT,3,4,7,API log\n")
    words = ("import", "--from", "burstgpt", "--epoch", epoch, "--max-reject-ratio", 1, path)
    assert "1 api_requests loaded, 1 rejected" in loader.succeeds(*words)


def test_an_empty_path_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["load", ""], ["import", "--from", "azure-llm", ""]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert "expected a path, found an empty text" in capsys.readouterr().err


def test_an_error_that_nobody_foresaw_is_one_line_and_a_log(
    loader: Any, azure_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from loader.sources import azure_llm

    def fail(*_: object) -> None:
        raise RecursionError("maximum\nrecursion depth exceeded")

    monkeypatch.setattr(azure_llm, "typed_chunk", fail)
    monkeypatch.setenv("TOKENSCOPE_DATA_DIR", str(tmp_path / "data"))
    assert guarded(lambda: main(["import", "--from", "azure-llm", str(azure_file)]), "loader") == 1
    (log,) = (tmp_path / "data" / "logs").iterdir()
    said = capsys.readouterr().err
    assert "RecursionError: maximum recursion depth exceeded" in said and f"the details are in {log}" in said
    assert "Traceback (most recent call last)" in log.read_text()
    assert loader.rows("select status, error from raw_staging.load_batches") == [
        ("failed", "RecursionError maximum recursion depth exceeded")
    ]
