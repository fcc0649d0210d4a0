"""Draw the default data set once, in memory: 500,000 requests, seed 42."""

from collections.abc import Callable
from dataclasses import fields
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from generator.distributions import child_stream
from generator.entities import Window, models_table, users_table
from generator.traffic import ALLOCATION_STREAM, BLOCK_STREAM, Requests, blocks, draw_block, population


class DataSet(NamedTuple):
    window: Window
    users: pa.Table
    models: pa.Table
    requests: Requests


def drawn(seed: int, rows: int, window: Window, users: int) -> DataSet:
    user_table, model_table = users_table(seed, window, users), models_table(window)
    people = population(user_table, model_table, window)
    parts = [
        draw_block(child_stream(seed, BLOCK_STREAM, block.index), block, window, people)
        for block in blocks(child_stream(seed, ALLOCATION_STREAM), rows, window)
    ]
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Requests)}
    return DataSet(window, user_table, model_table, Requests(**columns))


@pytest.fixture(scope="session")
def draw() -> Callable[[int, int, Window, int], DataSet]:
    return drawn


@pytest.fixture(scope="session")
def default_set() -> DataSet:
    return drawn(42, 500_000, Window(date(2025, 1, 1), 365), 2_000)
