"""Draw the requests: first how many fall into each ten minutes, then block by block all their columns.

Pure: streams, window and tables in, arrays out. Requests are ordered by time across the whole data set although no
process ever holds them all: one multinomial draw says how many requests each cell (ten minutes) gets, blocks are runs
of whole cells of about `BLOCK_ROWS` requests, and each block draws from a child stream of its own. Counts by
multinomial and times inside a cell by rejection are together exactly a sorted independent sample of the rate.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from generator.distributions import (
    DAILY_CYCLE,
    IS_FLAGGED,
    LATENCY_MS,
    STATUS_CODE,
    TIER_WEIGHTS,
    TIERS,
    TOKENS,
    WEEKEND_FACTOR,
    Floats,
    Ints,
)
from generator.entities import ENDPOINTS, MODELS, Window

ALLOCATION_STREAM = 2  # the child of the seed for `blocks`; entities.py uses 1
BLOCK_STREAM = 3  # and, with the block's index, for `draw_block`

BLOCK_ROWS = 65_536  # part of what a seed means: other blocks, other draws
CELL_MS = 600_000  # divides the hour, so that the rate is smooth and monotonic inside every cell
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
CELLS_PER_DAY = DAY_MS // CELL_MS
EPOCH = date(1970, 1, 1)

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Slots:
    """A weighted choice among those who exist on a day.

    `ids` repeats each id by its weight, oldest first; the first `eligible[day]` of these entries exist on that day of
    the window.
    """

    ids: Ints
    eligible: Ints

    def draw(self, rng: np.random.Generator, day: Ints) -> Ints:
        """Return one id for each of `day`."""
        return self.ids[(rng.random(len(day)) * self.eligible[day]).astype(np.int64)]


@dataclass(frozen=True)
class Population:
    """Who may send what to where, by day of the window."""

    users: Slots
    models: Slots
    endpoints: Slots


@dataclass(frozen=True)
class Block:
    """A run of whole cells: `counts[i]` requests in cell `first_cell + i` of the window."""

    index: int
    first_cell: int
    counts: Ints

    @property
    def rows(self) -> int:
        """Return the number of requests."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Requests:
    """Columns of api_requests in order of time; an id is its two 64-bit halves, a time is ms since 1970 (UTC)."""

    id_high: Words
    id_low: Words
    user_id: Ints
    model_id: Ints
    endpoint_id: Ints
    requested_at_ms: Ints
    prompt_tokens: Ints
    completion_tokens: Ints
    latency_ms: Ints
    status_code: Ints
    is_flagged: NDArray[np.bool_]


def population(users: pa.Table, models: pa.Table, window: Window) -> Population:
    """Return the choices that the tables of entities.py allow on each day of `window`."""
    weight_of = dict(zip(TIERS, TIER_WEIGHTS, strict=True))
    user_weights = [weight_of[tier] for tier in users["billing_tier"].to_pylist()]
    always = np.full(len(ENDPOINTS), _epoch_day(window.start))
    return Population(
        users=_slots(user_weights, _epoch_days(users["signed_up_on"]), window),
        models=_slots([m.weight for m in MODELS], _epoch_days(models["released_on"]), window),
        endpoints=_slots([e.weight for e in ENDPOINTS], always, window),
    )


def blocks(rng: np.random.Generator, rows: int, window: Window) -> list[Block]:
    """Return the blocks of `rows` requests, in order of time, none of them empty."""
    weights = cell_rates(window)
    counts = rng.multinomial(rows, weights / weights.sum())
    before = np.cumsum(counts) - counts
    starts = np.unique(np.searchsorted(before, np.arange(0, rows, BLOCK_ROWS), side="left"))
    starts = starts[starts < len(counts)]  # the last cell may hold more than a block
    runs = np.split(counts, starts[1:])
    return [Block(i, int(first), run) for i, (first, run) in enumerate(zip(starts, runs, strict=True))]


def cell_rates(window: Window) -> Floats:
    """Return the expected share of requests, up to a factor, of each cell of the window."""
    edges = DAILY_CYCLE.mass(np.arange(CELLS_PER_DAY + 1) * (CELL_MS / HOUR_MS))
    weekday = (_epoch_day(window.start) + 3 + np.arange(window.days)) % 7  # 1970-01-01 was a Thursday; 0 = Monday
    return np.outer(np.where(weekday >= 5, WEEKEND_FACTOR, 1.0), np.diff(edges)).ravel()


def draw_block(rng: np.random.Generator, block: Block, window: Window, people: Population) -> Requests:
    """Return the requests of one block. The order of the draws below is part of what a seed means."""
    cell = block.first_cell + np.repeat(np.arange(len(block.counts)), block.counts)
    in_window = np.sort(cell * CELL_MS + _moments(rng, cell % CELLS_PER_DAY))
    day = in_window // DAY_MS
    requested_at_ms = in_window + _epoch_day(window.start) * DAY_MS
    size = len(cell)
    user_id, model_id, endpoint_id = (s.draw(rng, day) for s in (people.users, people.models, people.endpoints))
    prompt_tokens, completion_tokens = TOKENS.sample(rng, size), TOKENS.sample(rng, size)
    latency_ms = LATENCY_MS.sample(rng, size)
    status_code = STATUS_CODE.sample(rng, size)
    is_flagged = IS_FLAGGED.sample(rng, size) == 1
    id_high, id_low = _request_ids(rng, requested_at_ms)
    return Requests(
        id_high=id_high,
        id_low=id_low,
        user_id=user_id,
        model_id=model_id,
        endpoint_id=endpoint_id,
        requested_at_ms=requested_at_ms,
        prompt_tokens=prompt_tokens,
        completion_tokens=np.where(status_code == 200, completion_tokens, 0),
        latency_ms=latency_ms,
        status_code=status_code,
        is_flagged=is_flagged,
    )


def _moments(rng: np.random.Generator, cell_of_day: Ints) -> Ints:
    """Return a moment, in ms, inside each cell, by rejection against the daily cycle.

    The rate is monotonic inside a cell, so its bound there is the larger of the values at both ends.
    """
    ends = np.arange(CELLS_PER_DAY) * (CELL_MS / HOUR_MS)
    bound = np.maximum(DAILY_CYCLE.rate(ends), DAILY_CYCLE.rate(ends + (CELL_MS - 1) / HOUR_MS))
    moments = np.empty(len(cell_of_day), dtype=np.int64)
    pending = np.arange(len(cell_of_day))
    while pending.size:
        cell = cell_of_day[pending]
        proposal = (rng.random(pending.size) * CELL_MS).astype(np.int64)
        rate = DAILY_CYCLE.rate((cell * CELL_MS + proposal) / HOUR_MS)
        accepted = rng.random(pending.size) * bound[cell] < rate
        moments[pending[accepted]] = proposal[accepted]
        pending = pending[~accepted]
    return moments


def _request_ids(rng: np.random.Generator, at_ms: Ints) -> tuple[Words, Words]:
    """Return the halves of ids in UUID version 7 layout (RFC 9562, 5.7), rising with the rows.

    high = 48 bits of ms, 4 of version, 12 random; low = 2 bits of variant, 62 random.
    """
    random = rng.integers(0, 2**64, size=(2, len(at_ms)), dtype=np.uint64)
    high = (at_ms.astype(np.uint64) << np.uint64(16)) | np.uint64(0x7000) | (random[0] >> np.uint64(52))
    low = np.uint64(1 << 63) | (random[1] >> np.uint64(2))
    later = np.flatnonzero(at_ms[1:] == at_ms[:-1]) + 1
    tied = np.union1d(later - 1, later)  # sorting these alone takes a twentieth of the time of sorting all
    order = tied[np.lexsort((low[tied], high[tied]))]
    high[tied], low[tied] = high[order], low[order]
    return high, low


def _slots(weights: list[int], available_on: Ints, window: Window) -> Slots:
    """Return the choice among ids 1, 2, ... that become available on epoch days `available_on` (rising)."""
    first = _epoch_day(window.start)
    existing = np.searchsorted(available_on, np.arange(first, first + window.days), side="right")
    if existing[0] == 0:
        raise ValueError(
            f"nobody to choose from on {window.start}: the first becomes available after the window's start"
        )
    return Slots(ids=np.repeat(np.arange(1, len(weights) + 1), weights), eligible=np.cumsum(weights)[existing - 1])


def _epoch_days(column: pa.ChunkedArray) -> Ints:
    days: Ints = column.cast(pa.int32()).to_numpy().astype(np.int64)
    return days


def _epoch_day(day: date) -> int:
    return (day - EPOCH).days
