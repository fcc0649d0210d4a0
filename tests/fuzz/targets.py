"""What is fuzzed: a target reads bytes somebody else wrote, and fails only by an error that is not in its contract."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from generator.folder import GenerationError
from generator.goal import towards_goal
from generator.manifest import Arguments, is_up_to_date, listed_files
from generator.options import Continuation
from generator.ticks import read_chain
from loader.canonical import NotCanonical, canonical_blocks
from loader.errors import LoadError, encodable
from loader.json_depth import nesting_depth
from loader.ledger import storable
from loader.manifest import read_manifest, read_tick, verify_files
from loader.rows import Batches
from loader.sources import azure_llm, burstgpt, litellm, synthetic
from loader.sources.adapter import Context
from loader.tables import TABLES

CONTEXT = Context("fuzz", datetime(2023, 3, 6, tzinfo=UTC))
ARGUMENTS = Arguments(42, 100, "2025-01-01", 365, 40, "csv")
Target = Callable[[bytes], None]


def check_batches(batches: Batches) -> int:
    """Read all batches and hold them to their contract; return how many rows were accepted."""
    accepted = 0
    for batch in batches:
        assert batch.rows.num_rows == len(batch.line_numbers) == len(batch.texts)
        batch.rows.validate(full=True)
        lines = [*batch.line_numbers, *(reject.line_number for reject in batch.rejects)]
        assert len(set(lines)) == len(lines) == batch.rows_read
        for reject in batch.rejects:
            assert reject.reason
            for text in (storable(reject.row_text), storable(reject.reason)):
                assert "\0" not in text
                text.encode()
        accepted += batch.rows.num_rows
    return accepted


def adapter(read: Callable[[io.BytesIO], Batches]) -> Target:
    """Return the target that reads a log or file by an adapter."""

    def target(octets: bytes) -> None:
        try:
            check_batches(read(io.BytesIO(octets)))
        except LoadError as error:
            encodable(str(error)).encode()

    return target


def table(name: str) -> Target:
    """Return the target that reads a generated CSV file both ways: what is copied as it is, no adapter misreads."""
    columns = TABLES[name]

    def target(octets: bytes) -> None:
        adapter(lambda stream: synthetic.read_csv(stream, name))(octets)
        try:
            copied = b"".join(canonical_blocks(io.BytesIO(octets), columns))
        except NotCanonical:
            return
        assert copied == octets
        lines = octets.count(b"\n") - octets.endswith(b"\n")  # behind the header
        try:
            octets.decode()  # the server refuses other bytes itself
        except UnicodeDecodeError:
            return
        found = sum(batch.rows_read for batch in synthetic.read_csv(io.BytesIO(octets), name))
        assert found == lines

    return target


def manifest(octets: bytes) -> None:
    """Read a folder with this manifest, as the loader and as the generator."""
    with tempfile.TemporaryDirectory(prefix="tokenscope-fuzz-") as name:
        folder = Path(name)
        (folder / "manifest.json").write_bytes(octets)
        (folder / "users.csv").write_text("user_id\n")
        for read in (lambda: verify_files(read_manifest(folder)), lambda: read_tick(folder)):
            try:
                read()
            except LoadError as error:
                assert len(str(error)) < 5000
        is_up_to_date(folder, ARGUMENTS)
        listed_files(folder)
        try:
            read_chain(folder)
        except GenerationError as error:
            str(error)


def goal(octets: bytes) -> None:
    """Read a note of the day to reach."""
    with tempfile.NamedTemporaryFile(prefix="tokenscope-fuzz-") as file:
        file.write(octets)
        file.flush()
        job = Continuation(Path(), 1, None, None, 1, 1)
        try:
            found = towards_goal(job, Path(file.name), datetime(2025, 12, 31, tzinfo=UTC).date())
        except GenerationError:
            return
        assert found.until is not None


def json_depth(octets: bytes) -> None:
    """Tell the depth of JSON; what is told to be shallow must parse without recursing far."""
    import json

    text = octets.decode("utf-8", "replace")
    if nesting_depth(text) > 100:
        return
    try:
        json.loads(text)
    except ValueError:
        return


TARGETS: dict[str, Target] = {
    "azure-llm": adapter(lambda stream: azure_llm.read(stream, CONTEXT)),
    "burstgpt": adapter(lambda stream: burstgpt.read(stream, CONTEXT)),
    "litellm": adapter(lambda stream: litellm.read(stream, CONTEXT)),
    **{name: table(name) for name in TABLES},
    "manifest": manifest,
    "goal": goal,
    "json-depth": json_depth,
}
