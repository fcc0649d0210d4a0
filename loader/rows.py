"""What adapters hand over: typed rows ready for COPY, and the rows that cannot be loaded with the reason."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa


class Reject(NamedTuple):
    """A row that cannot be loaded; lines count from 1, the header included."""

    line_number: int
    row_text: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Some rows of a file in file order; `line_numbers` and `texts` say where each accepted row came from."""

    rows: pa.RecordBatch
    line_numbers: Sequence[int]
    texts: Sequence[str]
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rows_read(self) -> int:
        """Return the number of rows of the file this batch accounts for."""
        return len(self.line_numbers) + len(self.rejects)


Batches = Generator[Batch, None, None]
"""What an adapter yields; closed by whoever opened the stream, before the stream is."""
