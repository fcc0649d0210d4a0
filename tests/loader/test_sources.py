"""The adapters: whole files in, typed batches out; and the file contract against the raw tables."""

from __future__ import annotations

import io
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loader.errors import LoadError
from loader.request_ids import NAMESPACE
from loader.rows import Batch
from loader.sources import FORMATS, azure_llm, burstgpt, litellm, synthetic
from loader.sources.adapter import Context

CONTEXT = Context("azure-llm")
AZURE_HEADER = b"TIMESTAMP,ContextTokens,GeneratedTokens"
EPOCH = datetime(2023, 3, 6, tzinfo=UTC)


def only(batches: Any) -> Batch:
    (batch,) = batches
    return batch


def test_azure_2023_is_read_as_published() -> None:
    rows = b"2023-11-16 18:17:03.9799609,4808,10\r\n2023-11-16 23:59:59.9999999,3,0"
    batch = only(azure_llm.read(io.BytesIO(AZURE_HEADER + b"\r\n" + rows), CONTEXT))
    assert batch.rejects == []
    assert batch.rows.to_pylist() == [
        {
            "request_id": uuid.uuid5(NAMESPACE, "azure-llm::2023-11-16 18:17:03.9799609,4808,10").hex,
            "requested_at": datetime(2023, 11, 16, 18, 17, 3, 979960, UTC),
            "prompt_tokens": 4808,
            "completion_tokens": 10,
        },
        {
            "request_id": uuid.uuid5(NAMESPACE, "azure-llm::2023-11-16 23:59:59.9999999,3,0").hex,
            "requested_at": datetime(2023, 11, 16, 23, 59, 59, 999999, UTC),  # cut, not rounded into the next day
            "prompt_tokens": 3,
            "completion_tokens": 0,
        },
    ]


def test_azure_2024_timestamps_carry_a_zone() -> None:
    rows = b"2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-12 00:00:00+00:00,1,2\n"
    batch = only(azure_llm.read(io.BytesIO(AZURE_HEADER + b"\n" + rows), CONTEXT))
    assert [row["requested_at"] for row in batch.rows.to_pylist()] == [
        datetime(2024, 5, 10, 0, 0, 0, 9930, UTC),
        datetime(2024, 5, 12, tzinfo=UTC),
    ]


def test_azure_ids_depend_on_source_and_row_only() -> None:
    head, row = AZURE_HEADER + b"\n", b"2024-05-10 00:00:00,1,1\n"

    def ids(data: bytes, context: Context = CONTEXT) -> list[str]:
        return only(azure_llm.read(io.BytesIO(data), context)).rows.column("request_id").to_pylist()

    both = ids(head + row + row)
    assert len(set(both)) == 2
    assert ids(head + b"bad,,\n" + b"2024-05-10 00:00:01,1,1\r\n" + row)[1:] == both[:1]
    assert set(ids(head + row, Context("other"))).isdisjoint(both)


def test_burstgpt_ids_depend_on_the_epoch_as_well() -> None:
    data = ",".join(burstgpt.SIX).encode() + b"\n61,ChatGPT,322,41,363,Conversation log\n"
    epochs = (EPOCH, EPOCH.replace(year=2024))
    ids = [only(burstgpt.read(io.BytesIO(data), Context("burstgpt", epoch))).rows[0][0].as_py() for epoch in epochs]
    assert len(set(ids)) == 2


def test_azure_trace_of_2023_is_read_whole(shared_data: Path) -> None:
    with (shared_data / "azure_llm_2023_code.csv").open("rb") as file:
        batches = list(azure_llm.read(file, CONTEXT))
    rows = pa.Table.from_batches([batch.rows for batch in batches])
    assert rows.num_rows == 8_819
    assert [batch.rejects for batch in batches] == [[]] * len(batches)
    assert len(set(rows.column("request_id").to_pylist())) == 8_819
    assert max(rows.column("prompt_tokens").to_pylist()) <= 14_050


def test_burstgpt_of_six_columns_has_no_latency() -> None:
    header = b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    data = header + b"61,ChatGPT,322,41,363,Conversation log\n"
    batch = only(burstgpt.read(io.BytesIO(data), Context("burstgpt", EPOCH)))
    (row,) = batch.rows.drop_columns("request_id").to_pylist()
    assert row == {
        "requested_at": datetime(2023, 3, 6, 0, 1, 1, tzinfo=UTC),
        "model_name": "ChatGPT",
        "prompt_tokens": 322,
        "completion_tokens": 41,
    }


def test_burstgpt_of_eight_columns_has_latency_in_milliseconds() -> None:
    data = (
        b"Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        b"19440388.5,,0,ChatGPT,95,0,95,API log\n"
        b"19440391.0,3c1f0e7a-1111-4222-8333-944455556666,12,GPT-4,804,233,1037,Conversation log\n"
        b"-1,,0,ChatGPT,95,0,95,API log\n"
        b"1,,9999999,ChatGPT,95,0,95,API log\n"
    )
    batch = only(burstgpt.read(io.BytesIO(data), Context("burstgpt", EPOCH)))
    rows = batch.rows.to_pylist()
    assert [row["latency_ms"] for row in rows] == [0, 12_000]
    assert rows[0]["requested_at"] == datetime(2023, 10, 17, 0, 6, 28, 500_000, UTC)
    assert rows[0]["completion_tokens"] == 0
    assert [reject.line_number for reject in batch.rejects] == [4, 5]


def test_every_format_has_an_adapter() -> None:
    adapters = {"azure-llm": azure_llm.ADAPTER, "burstgpt": burstgpt.ADAPTER, "litellm": litellm.ADAPTER}
    assert set(FORMATS) == set(adapters)
    assert all(adapter.assumptions for adapter in adapters.values())


def test_generated_columns_are_those_of_the_raw_tables(loader: Any) -> None:
    for table, columns in synthetic.TABLES.items():
        raw = loader.rows(
            "select column_name, is_nullable = 'NO' from information_schema.columns where table_schema = 'raw_staging'"
            " and table_name = %s and column_name not in ('source', 'cache_read_tokens', 'cache_write_tokens',"
            " 'reasoning_tokens', 'team_id', 'cost_reported_usd') order by ordinal_position",
            table,
        )
        assert raw == [(column.name, column.is_required) for column in columns]


def test_parquet_is_held_to_the_rules_of_csv() -> None:
    table = pa.table(
        {
            "endpoint_id": [1, -2, 3],
            "path": ["/a", "/b", None],
            "http_method": ["GET"] * 3,
            "category": ["chat"] * 3,
            "is_streaming": [True, False, None],
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    batch = only(synthetic.read_parquet(io.BytesIO(file.getvalue()), "endpoints"))
    assert batch.rows.column("endpoint_id").to_pylist() == [1]
    assert [(reject.line_number, reject.row_text) for reject in batch.rejects] == [
        (2, "-2,/b,GET,chat,false"),
        (3, "3,,GET,chat,"),
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all"])
def test_parquet_that_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(LoadError, match="found a damaged one"):
        list(synthetic.read_parquet(io.BytesIO(content), "users"))


def test_parquet_of_other_columns_is_refused() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"id": [1]}), file)
    with pytest.raises(LoadError, match="expected the header line user_id"):
        list(synthetic.read_parquet(io.BytesIO(file.getvalue()), "users"))


def test_generated_set_reads_without_rejects(dataset_20k: Path) -> None:
    counts: Counter[str] = Counter()
    for table in synthetic.TABLES:
        with (dataset_20k / f"{table}.csv").open("rb") as file:
            for batch in synthetic.read_csv(file, table):
                assert batch.rejects == []
                counts[table] += batch.rows_read
    assert counts["api_requests"] == 20_000


def litellm_rows(text: str) -> Batch:
    return only(litellm.read(io.BytesIO(text.encode()), Context("litellm")))


def test_litellm_is_read_by_column_name() -> None:
    batch = litellm_rows(
        "model,completion_tokens,prompt_tokens,endTime,startTime,request_id,status,metadata\n"
        'm-1,264,1610,2026-06-03 09:14:05.902,2026-06-03 09:14:02.118,chat-1,success,"{""a"":\n1}"\n'
        "m-2,0,0,2026-06-03 09:14:07,2026-06-03 09:14:07,chat-2,failure,"
        '"{""error_information"":{""error_code"":""429""}}"\n'
        "m-2,0,0,,2026-06-03 09:14:08,chat-3,failure,not json\n"
        'm-2,1,1,2026-06-03 09:14:00,2026-06-03 09:14:08,chat-4,,"{""status"":""success""}"\n'
        "m-2,1,1,,2026-06-03 09:14:08,chat-5,,\n"
        "m-2,1,1,,2026-06-03 09:14:08,,,\n"
        "m-2,1,1,,2026-06-03 09:14:08,chat-6,perhaps,\n"
    )
    rows = batch.rows.to_pylist()
    assert [row["status_code"] for row in rows] == [200, 429, 500, 200, None]
    assert [row["latency_ms"] for row in rows] == [3784, 0, None, None, None]
    assert rows[0]["request_id"] == uuid.uuid5(NAMESPACE, "litellm:chat-1").hex
    assert (rows[0]["prompt_tokens"], rows[0]["completion_tokens"]) == (1610, 264)
    assert [reject.line_number for reject in batch.rejects] == [8, 9]


def test_litellm_prefers_the_duration_reported() -> None:
    batch = litellm_rows(
        "request_id,startTime,endTime,prompt_tokens,completion_tokens,request_duration_ms\n"
        "a,2026-06-03 09:14:02,2026-06-03 09:14:03,1,1,250\n"
        "b,2026-06-03 09:14:02,2026-06-03 09:14:03,1,1,\n"
    )
    assert batch.rows.column("latency_ms").to_pylist() == [250, 1000]


def test_litellm_needs_its_columns() -> None:
    with pytest.raises(LoadError, match="and any others, found 'request_id,startTime'"):
        litellm_rows("request_id,startTime\n")


def test_parquet_rows_that_no_server_can_store_are_rejected() -> None:
    texts = pa.array([b"/a", b"/\xff", b"/\0", b"/d"]).cast(pa.binary())
    paths = pa.StringArray.from_buffers(4, texts.buffers()[1], texts.buffers()[2])
    table = pa.table(
        {"endpoint_id": [1, 2, 3, 4], "path": paths, "http_method": ["GET"] * 4, "category": ["chat"] * 4}
        | {"is_streaming": [True] * 4}
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    batch = only(synthetic.read_parquet(io.BytesIO(file.getvalue()), "endpoints"))
    assert batch.rows.column("endpoint_id").to_pylist() == [1, 4]
    assert [(reject.line_number, reject.reason) for reject in batch.rejects] == [
        (2, "expected UTF-8 text, found bytes of another encoding"),
        (3, "expected UTF-8 text, found a NUL character"),
    ]
