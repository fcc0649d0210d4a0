"""Write the next days of a data set: read where it stands, draw day after day, publish them together."""

import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from generator import days
from generator.entities import Window, dates_table, models_table
from generator.manifest import MANIFEST_NAME, TableFile, data_sha256, manifest_text
from generator.ticks import Chain, Command, pending_folder, publish_ticks
from generator.traffic import Block, Requests, blocks, draw_block
from generator.writer import REQUESTS_NAME, OnRows, Work, write_requests, write_table

USER_SCHEMA = pa.schema(
    [
        ("user_id", pa.int32()),
        *((name, pa.string()) for name in ("full_name", "email", "company_name", "industry", "company_size")),
        ("country_code", pa.string()),
        ("billing_tier", pa.string()),
        ("signed_up_on", pa.date32()),
    ]
)
MODEL_SCHEMA = models_table(Window(date(2025, 1, 1), 1)).schema
STATE = {"users": (USER_SCHEMA, "user_id"), "models": (MODEL_SCHEMA, "model_id")}


@dataclass(frozen=True)
class State:
    """Users and models as they are after the last day."""

    users: pa.Table
    models: pa.Table


def read_state(chain: Chain) -> State:
    """Return the tables of the data set with the changes of all its ticks."""
    tables = {}
    for name, (schema, key) in STATE.items():
        files = [folder / listed[name].file for folder, listed in chain.parts]
        tables[name] = _read_table(files[0], schema)
        for path in files[1:]:
            tables[name] = days.updated(tables[name], _read_table(path, schema), key)
    return State(**tables)


def row_counts(chain: Chain, count: int, rows: int | None) -> list[int]:
    """Return the requests of each of the next `count` days; `rows` where given is what each of them gets."""
    return [
        rows or days.request_count(chain.arguments, chain.next_day + timedelta(days=i), chain.sequence + i)
        for i in range(count)
    ]


def write_ticks(
    folder: Path, chain: Chain, counts: list[int], command: Command, work: Work, on_rows: OnRows
) -> list[dict[str, TableFile]]:
    """Write one tick for each of `counts` requests, all or none, and return their files by table.

    The caller holds the folder. Raises OSError where a file cannot be written.
    """
    pending = pending_folder(folder)
    state, identity, written = read_state(chain), chain.data_sha256, []
    try:
        for index, rows in enumerate(counts):
            day = chain.next_day + timedelta(days=index)
            target = pending / day.isoformat()
            target.mkdir()
            state, tables = _write_day(target, chain, state, day, rows, work, on_rows)
            place: dict[str, object] = {
                "day": day.isoformat(),
                "sequence": chain.sequence + index,
                "previous_sha256": identity,
            }
            text = manifest_text(chain.arguments, tables, place)
            (target / MANIFEST_NAME).write_text(text, encoding="utf-8", newline="\n")
            identity = data_sha256(tables, identity)
            written.append(tables)
    except BaseException:
        shutil.rmtree(pending, ignore_errors=True)
        raise
    publish_ticks(folder, command)
    return written


def _write_day(
    target: Path, chain: Chain, before: State, day: date, rows: int, work: Work, on_rows: OnRows
) -> tuple[State, dict[str, TableFile]]:
    """Write the files of one day; return the state after it and the files by table."""
    seed, window = chain.arguments.seed, Window(day, 1)
    rng = days.day_stream(seed, day, days.CHANGES)
    silent = days.silent_users(seed, before.users, chain.first_tick, day)
    users = days.changed_users(rng, before.users, silent, day, days.sign_ups_a_day(chain.arguments))
    models = days.changed_models(rng, before.models)
    state = State(days.updated(before.users, users, "user_id"), days.updated(before.models, models, "model_id"))
    silent = days.silent_users(seed, state.users, chain.first_tick, day)  # with those who have just signed up
    people = days.senders(state.users, state.models, silent)

    def draw(block: Block) -> Requests:
        return draw_block(days.day_stream(seed, day, days.BLOCKS, block.index), block, window, people)

    suffix = chain.arguments.format
    tables = {"users": users, "models": models, "dates": dates_table(window)}
    written = {name: write_table(target / f"{name}.{suffix}", table) for name, table in tables.items()}
    plan = blocks(days.day_stream(seed, day, days.ALLOCATION), rows, window)
    requests = write_requests(target / f"{REQUESTS_NAME}.{suffix}", plan, draw, work, on_rows)
    return state, written | {REQUESTS_NAME: requests}


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).cast(schema)
    return pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types=schema))
