"""Azure LLM inference traces of 2023 and 2024: TIMESTAMP, ContextTokens, GeneratedTokens.

Timestamps have seven fractional digits; those of 2024 carry a zone (+00:00), those of 2023 none. The files report no
user, model, endpoint, latency or status: these stay NULL. Source: Azure/AzurePublicDataset on GitHub, licence CC-BY.
"""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from loader.columns import typed_chunk
from loader.kinds import TIMESTAMP, TOKENS, Column
from loader.records import read_chunks
from loader.request_ids import Occurrences, request_ids
from loader.rows import Batches
from loader.sources.adapter import Adapter, Context

HEADER = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
COLUMNS = (
    Column("requested_at", TIMESTAMP, header="TIMESTAMP"),
    Column("prompt_tokens", TOKENS, header="ContextTokens"),
    Column("completion_tokens", TOKENS, header="GeneratedTokens"),
)


def read(stream: BinaryIO, context: Context) -> Batches:
    """Yield request_id, requested_at, prompt_tokens and completion_tokens in file order.

    Raises LoadError when the file is of another format.
    """
    seen = Occurrences()
    for chunk in read_chunks(stream, HEADER):
        batch = typed_chunk(chunk, COLUMNS)
        ids = request_ids(context.row_id_prefix, map(seen.key, batch.texts))
        yield replace(batch, rows=batch.rows.add_column(0, "request_id", ids))


ADAPTER = Adapter(read, ("timestamps without a zone are UTC", "digits beyond the microsecond are cut off"))
