"""`load`: what readers see afterwards, and what it refuses in one line with nothing changed."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Line = Callable[..., str]
WriteSet = Callable[..., Path]


def test_load_fills_all_tables(loader: Any, dataset_20k: Path) -> None:
    said = loader.succeeds("load", dataset_20k)
    manifest = json.loads((dataset_20k / "manifest.json").read_text())
    for table, entry in manifest["tables"].items():
        assert loader.value(f"select count(*) from raw_staging.{table}") == entry["rows"]
    assert "20,000 api_requests" in said
    assert "0 rejected" in said
    assert loader.rows(
        "select source, rows_read, rows_loaded, rows_rejected, status from raw_staging.load_batches"
    ) == [("synthetic", 20_000, 20_000, 0, "done")]


def test_load_keeps_every_value(loader: Any, write_set: WriteSet, request_line: Line) -> None:
    line = request_line(7, user_id="", latency_ms="", is_flagged="true", requested_at="2100-12-31T23:59:59.999999Z")
    directory = write_set([line])
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["arguments"] = {"start": "2100-12-31", "days": 1}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    loader.succeeds("load", directory)
    (row,) = loader.rows(
        "select source, request_id::text, user_id, model_id, endpoint_id, requested_at at time zone 'UTC',"
        " prompt_tokens, completion_tokens, latency_ms, status_code, is_flagged from raw_staging.api_requests"
    )
    assert [str(value) for value in row] == [
        "synthetic", "01941f29-db00-7000-8000-000000000007", "None", "1", "1", "2100-12-31 23:59:59.999999",
        "107", "50", "None", "200", "True",
    ]  # fmt: skip
    assert loader.rows("select full_name, company_name from raw_staging.users order by 1") == [
        ("Ada Ng", "Acme"),
        ("Ng, Bo", None),
    ]


def test_load_skips_what_is_up_to_date(loader: Any, write_set: WriteSet) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    assert "up to date, batch 1" in loader.succeeds("load", directory)
    assert "10 api_requests" in loader.succeeds("load", "--force", directory)
    assert loader.value("select count(*) from raw_staging.load_batches") == 2


def test_load_does_not_skip_when_the_partition_is_gone(loader: Any, write_set: WriteSet) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    loader.connection.execute("drop table raw_staging.api_requests_synthetic_1")
    assert "10 api_requests" in loader.succeeds("load", directory)
    assert loader.request_count() == 10


def test_load_notices_a_changed_file_before_skipping(loader: Any, write_set: WriteSet) -> None:
    directory = write_set()
    loader.succeeds("load", directory)
    with (directory / "users.csv").open("a") as file:
        file.write("3,C D,c@example.com,,,,,free,2024-01-01\n")
    assert "users.csv" in loader.fails("load", directory)


def test_load_replaces_its_own_source_only(
    loader: Any, write_set: WriteSet, request_line: Line, azure_file: Path
) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    loader.succeeds("load", write_set())
    loader.succeeds("load", write_set([request_line(1)]))
    assert loader.request_count() == 1
    assert loader.request_count("azure-llm") == 3
    assert loader.partitions() == ["api_requests_azure_llm_1", "api_requests_synthetic_3"]


def test_parquet_and_csv_load_the_same_rows(loader: Any, dataset_20k: Path, tmp_path: Path, run_command: Any) -> None:
    loader.succeeds("load", dataset_20k)
    digest = (
        "select md5(string_agg(r::text, '|' order by request_id)) from raw_staging.api_requests as r"
        " union all select md5(string_agg(u::text, '|' order by user_id)) from raw_staging.users as u"
        " union all select md5(string_agg(m::text, '|' order by model_id)) from raw_staging.models as m"
        " union all select md5(string_agg(d::text, '|' order by date_id)) from raw_staging.dates as d"
        " union all select md5(string_agg(e::text, '|' order by endpoint_id)) from raw_staging.endpoints as e"
    )
    from_csv = loader.rows(digest)
    words = ("--rows", 20_000, "--seed", 42, "--users", 400, "--format", "parquet", "--out", tmp_path / "parquet")
    run_command("generator/generate_data.py", *words)
    assert "0 rejected" in loader.succeeds("load", tmp_path / "parquet")
    assert loader.rows(digest) == from_csv


BAD_FIELDS = {
    "user 0 is the unknown one": (
        {"user_id": 0},
        "user_id: expected a whole number from 1 to 2,147,483,647, found '0'",
    ),
    "integer out of range": ({"model_id": 2**31}, "model_id: expected a whole number"),
    "far out of range": ({"prompt_tokens": 10**30}, "prompt_tokens: expected a whole number from 0 to 10,000,000,000"),
    "negative tokens": ({"completion_tokens": -5}, "found '-5'"),
    "negative latency": ({"latency_ms": -1}, "latency_ms: expected a whole number from 0"),
    "status": ({"status_code": 42}, "status_code: expected a whole number from 100 to 599, found '42'"),
    "not a number": ({"latency_ms": "12.5"}, "found '12.5'"),
    "before 1970": ({"requested_at": "1969-12-31T23:59:59.999999Z"}, "requested_at: expected a time from 1970 to 2100"),
    "after 2100": ({"requested_at": "2101-01-01T00:00:00Z"}, "requested_at: expected a time from 1970 to 2100"),
    "no such day": ({"requested_at": "2025-02-29T00:00:00Z"}, "found '2025-02-29T00:00:00Z'"),
    "infinity": ({"requested_at": "infinity"}, "found 'infinity'"),
    "no time": ({"requested_at": ""}, "requested_at: expected a time from 1970 to 2100"),
    "no id": ({"request_id": ""}, "request_id: expected a UUID, found nothing"),
    "not a uuid": ({"request_id": "abc"}, "request_id: expected a UUID, found 'abc'"),
    "boolean": ({"is_flagged": "maybe"}, "is_flagged: expected true or false, found 'maybe'"),
    "a field too many": ({"is_flagged": "false,1"}, "expected 10 fields, found 11"),
    "NUL": ({"is_flagged": "fal\0se"}, "expected UTF-8 text"),
    "quote left open": ({"is_flagged": '"false'}, "expected a quote to close"),
    "lone CR": ({"latency_ms": "1\r2"}, "expected a line end of LF or CRLF"),
}


@pytest.mark.parametrize(("fields", "reason"), BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_load_rejects_a_bad_row_and_keeps_the_good_ones(
    steady_loader: Any, write_set: WriteSet, request_line: Line, fields: dict[str, object], reason: str
) -> None:
    lines = [request_line(i) for i in range(200)]
    lines[100] = request_line(100, **fields)
    said = steady_loader.succeeds("load", write_set(lines))
    assert "199 api_requests" in said
    assert "1 rejected" in said
    assert "line 102" in said
    ((line, text, found),) = steady_loader.rows(
        "select line_number, row_text, reason from raw_staging.rejected_rows"
        " where batch_id = (select max(batch_id) from raw_staging.load_batches) and file_name = 'api_requests.csv'"
    )
    assert (line, text) == (102, lines[100].replace("\0", "\\x00"))
    assert reason in found
    counts = "select rows_read, rows_loaded, rows_rejected, status from raw_staging.load_batches order by batch_id desc"
    assert steady_loader.rows(counts)[0] == (200, 199, 1, "done")


def test_load_names_all_faults_of_a_row(loader: Any, write_set: WriteSet, request_line: Line) -> None:
    lines = [request_line(i) for i in range(100)] + [request_line(100, latency_ms=-1, status_code=7)]
    loader.succeeds("load", write_set(lines))
    reason = str(loader.value("select reason from raw_staging.rejected_rows"))
    assert reason.count("expected") == 2


def test_load_rejects_the_later_of_equal_ids(loader: Any, write_set: WriteSet, request_line: Line) -> None:
    lines = [request_line(i) for i in range(300)]
    lines[50] = request_line(50, status_code=1)  # so that places among accepted rows differ from places in the file
    lines[200] = request_line(9, prompt_tokens=777)
    lines[299] = request_line(9, prompt_tokens=778)
    loader.succeeds("load", write_set(lines))
    rejects = loader.rows("select line_number, row_text, reason from raw_staging.rejected_rows order by 1")
    assert [(line, text) for line, text, _ in rejects] == [(52, lines[50]), (202, lines[200]), (301, lines[299])]
    assert "request_id: expected one row for each, found one that an earlier line has" in str(rejects[1][2])
    assert loader.rows(
        "select prompt_tokens from raw_staging.api_requests where request_id = %s", lines[9].partition(",")[0]
    ) == [(109,)]
    assert loader.rows("select rows_read, rows_loaded, rows_rejected from raw_staging.load_batches") == [(300, 297, 3)]


def test_load_rejects_rows_of_a_truncated_file_that_has_a_matching_manifest(
    loader: Any, write_set: WriteSet, request_line: Line
) -> None:
    text = _with_header([request_line(i) for i in range(150)])
    loader.succeeds("load", write_set(api_requests=text[:-30], rows={"api_requests": 150}))
    ((line, reason),) = loader.rows("select line_number, reason from raw_staging.rejected_rows")
    assert line == 151
    assert "the file may be cut off here" in str(reason)


def test_load_over_the_reject_limit_keeps_the_old_tables_and_the_rejects(
    loader: Any, write_set: WriteSet, request_line: Line
) -> None:
    loader.succeeds("load", write_set())
    bad = [request_line(i, latency_ms=i - 2) for i in range(100)]
    said = loader.fails("load", write_set(bad, name="bad"))
    assert "expected at most 1.00% of the rows to be rejected, found 2 of 100" in said
    assert "line 2: latency_ms" in said
    assert loader.request_count() == 10
    assert loader.partitions() == ["api_requests_synthetic_1"]
    assert loader.rows("select batch_id, line_number from raw_staging.rejected_rows order by 2") == [(2, 2), (2, 3)]
    assert loader.rows(
        "select rows_read, rows_loaded, rows_rejected, status, error is not null from raw_staging.load_batches"
        " where batch_id = 2"
    ) == [(100, 0, 2, "failed", True)]
    assert "98 api_requests" in loader.succeeds("load", "--max-reject-ratio", 0.02, write_set(bad, name="bad"))
    assert loader.request_count() == 98


def test_load_fails_on_any_bad_row_of_a_small_table(loader: Any, write_set: WriteSet) -> None:
    models = (
        "model_id,model_name,provider,family,context_window,input_usd_per_mtok,output_usd_per_mtok,released_on,"
        "is_deprecated\n"
    )
    models += "1,small-1,acme,small,1000,0.1,0.2,2200-01-01,false\n1,small-2,acme,small,1000,0.1,0.2,2024-01-01,false\n"
    said = loader.fails("load", "--max-reject-ratio", 1, write_set(models=models))
    assert "models.csv: expected all 2 rows to fit, found 1" in said
    assert "line 2: released_on: expected a date from 1970 to 2100" in said
    assert loader.value("select count(*) from raw_staging.users") == 0
    assert loader.value("select status from raw_staging.load_batches") == "failed"


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f980", '""'])
@pytest.mark.parametrize("is_copied", [True, False], ids=["copied as it is", "checked row by row"])
def test_a_name_has_at_most_200_characters(loader: Any, write_set: WriteSet, letter: str, is_copied: bool) -> None:
    header = "endpoint_id,path,http_method,category,is_streaming\n"
    good = '1,/v1/chat,POST,"chat",TRUE\n' if is_copied else "1, /v1/chat ,POST,c, true \n"
    longest, longer = (f'{header}{good}2,"{letter * count}",POST,chat,true\n' for count in (200, 201))
    loader.succeeds("load", write_set(endpoints=longest))
    assert loader.value("select char_length(path) from raw_staging.endpoints where endpoint_id = 2") == 200
    said = loader.fails("load", write_set(endpoints=longer))
    assert "line 3: path: expected some text of at most 200 characters, found " in said
    assert loader.value("select count(*) from raw_staging.endpoints") == 2


def test_load_accepts_crlf_byte_order_mark_and_no_final_line_end(
    loader: Any, write_set: WriteSet, request_line: Line
) -> None:
    text = "\ufeff" + _with_header([request_line(i) for i in range(3)]).replace("\n", "\r\n").rstrip()
    assert "3 api_requests" in loader.succeeds("load", write_set(api_requests=text, rows={"api_requests": 3}))
    assert "0 rejected" in loader.succeeds("load", "--force", write_set(api_requests=text, rows={"api_requests": 3}))


def test_load_counts_lines_across_quoted_line_ends(loader: Any, write_set: WriteSet) -> None:
    users = (
        "user_id,full_name,email,company_name,industry,company_size,country_code,billing_tier,signed_up_on\n"
        '1,"Ada\nKing\nNg",ada@example.com,,,,,free,2024-01-01\n'
        "2,Bo,bo@example.com,,,,,free,2024-02-30\n"
    )
    rows = {"users": 2}
    assert "line 5: signed_up_on" in loader.fails("load", write_set(rows=rows, users=users))
    loader.succeeds("load", write_set(rows=rows, users=users.replace("2024-02-30", "2024-01-01")))
    assert loader.value("select full_name from raw_staging.users where user_id = 1") == "Ada\nKing\nNg"


WHOLE_FILE_FAULTS: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "found an empty file"),
    "gzip": (gzip.compress(b"request_id"), "found gzip data"),
    "binary": (b"\x7fELF\0\0\0", "found binary data"),
    "UTF-16": ("request_id".encode("utf-16"), "found UTF-16 text"),
    "another header": ("id,at\n1,2\n", "expected the header line request_id,user_id"),
    "reordered header": (
        "user_id,request_id,model_id,endpoint_id,requested_at,prompt_tokens,completion_tokens,latency_ms,status_code,"
        "is_flagged\n",
        "the same columns in another order",
    ),
}


@pytest.mark.parametrize(("content", "reason"), WHOLE_FILE_FAULTS.values(), ids=WHOLE_FILE_FAULTS)
def test_load_refuses_a_file_that_is_none_of_its_kind(
    steady_loader: Any, write_set: WriteSet, content: str | bytes, reason: str
) -> None:
    steady_loader.succeeds("load", write_set())
    said = steady_loader.fails("load", write_set(api_requests=content, name="bad"))
    assert reason in said
    assert "api_requests.csv" in said
    assert steady_loader.request_count() == 10


def test_load_names_every_file_that_differs_from_the_manifest(loader: Any, write_set: WriteSet) -> None:
    directory = write_set()
    (directory / "users.csv").unlink()
    (directory / "models.csv").write_text("model_id\n")
    (directory / "endpoints.csv").write_bytes((directory / "endpoints.csv").read_bytes().replace(b"POST", b"PUTS"))
    said = loader.fails("load", directory)
    assert "users.csv, found none" in said
    assert "found 9 in" in said
    assert "endpoints.csv" in said
    assert loader.rows("select status, file_name, rows_loaded, error from raw_staging.load_batches") == [
        ("failed", "set/manifest.json", 0, said.removeprefix("load: ").rstrip())
    ]


def test_load_refuses_a_row_count_other_than_the_manifests(loader: Any, write_set: WriteSet) -> None:
    assert "expected 11 rows as the manifest says, found 10" in loader.fails(
        "load", write_set(rows={"api_requests": 11})
    )


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "list"),
        ('{"format": 2, "source": "synthetic", "arguments": {}, "tables": {}}', "format 2"),
        ('{"format": 1, "source": "synthetic", "arguments": {}, "tables": {}}', "no entry 'users'"),
        (
            '{"format": 1, "source": "synthetic", "arguments": {}, "tables":'
            ' {"users": {"file": "../users.csv", "rows": 1, "bytes": 1, "sha256": ""}}}',
            "the path '../users.csv'",
        ),
    ],
)
def test_load_refuses_a_damaged_manifest(steady_loader: Any, tmp_path: Path, manifest: str, reason: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    said = steady_loader.fails("load", tmp_path)
    assert reason in said
    assert "manifest.json" in said


def test_load_refuses_what_is_no_data_set(steady_loader: Any, tmp_path: Path) -> None:
    assert "found no folder" in steady_loader.fails("load", tmp_path / "absent")
    assert "expected manifest.json" in steady_loader.fails("load", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_load_refuses_an_unreadable_file(loader: Any, write_set: WriteSet) -> None:
    directory = write_set()
    (directory / "users.csv").chmod(0)
    assert "Permission denied" in loader.fails("load", directory)


def test_two_loads_of_one_source_stay_apart(loader: Any, write_set: WriteSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loader.ledger._LOCK_WAIT_S", 0.2)
    from loader.ledger import source_lock

    with source_lock(loader.connection, "synthetic"):
        said = loader.fails("load", write_set())
        assert "expected no other load of 'synthetic', found one under way" in said
        assert f"server process {loader.connection.info.backend_pid}" in said
    refused = loader.rows("select status, mode, error from raw_staging.load_batches")
    assert refused == [("failed", "replace", said.removeprefix("load: ").strip())]
    loader.succeeds("load", write_set())


def test_status_prints_the_latest_loads(loader: Any, write_set: WriteSet, capsys: pytest.CaptureFixture[str]) -> None:
    loader.succeeds("load", write_set())
    from loader.__main__ import main

    assert main(["status"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["batch", "source", "status"]
    assert line.split()[:6] == ["1", "synthetic", "done", "10", "10", "0"]


def _with_header(lines: list[str]) -> str:
    header = (
        "request_id,user_id,model_id,endpoint_id,requested_at,prompt_tokens,completion_tokens,latency_ms,status_code,"
        "is_flagged"
    )
    return "".join(f"{line}\n" for line in [header, *lines])


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1e3", "-0.1", "+1"])
def test_a_price_that_is_no_amount_is_refused(steady_loader: Any, write_set: WriteSet, price: str) -> None:
    header = (
        "model_id,model_name,provider,family,context_window,input_usd_per_mtok,output_usd_per_mtok,released_on,"
        "is_deprecated\n"
    )
    text = header + f"1,small-1,acme,small,1000,{price},0.2,2024-01-01,false\n"
    said = steady_loader.fails("load", write_set(models=text))
    assert f"input_usd_per_mtok: expected an amount from 0 to 4,999.9999, found '{price}'" in said


def test_the_server_itself_refuses_a_price_that_is_no_number(loader: Any) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        loader.connection.execute(
            "insert into raw_staging.models (model_id, model_name, provider, is_deprecated, input_usd_per_mtok)"
            " values (1, 'm', 'p', false, 'NaN')"
        )


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("requested_at", "now"), ("requested_at", "epoch"), ("requested_at", "2025-01-01"), ("prompt_tokens", "0x1F"),
        ("prompt_tokens", "1_000"), ("prompt_tokens", "+5"), ("is_flagged", "yes"), ("is_flagged", "t"),
        ("request_id", "{01941f29-db00-7000-8000-00000000ffff}"),
    ],
)  # fmt: skip
def test_a_row_the_server_alone_would_take_is_rejected_alone_as_beside_others(
    steady_loader: Any, write_set: WriteSet, request_line: Line, column: str, text: str
) -> None:
    for others in (0, 10):
        lines = [*(request_line(i) for i in range(others)), request_line(99, **{column: text})]
        said = steady_loader.succeeds("load", "--force", "--max-reject-ratio", 1, write_set(lines))
        assert f"{others} api_requests" in said
        assert f"1 rejected (see raw_staging.rejected_rows, the first in line {others + 2}: {column}: expected" in said
