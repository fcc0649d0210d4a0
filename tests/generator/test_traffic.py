"""Requests are ordered, inside their window and refer to what existed at the time."""

import uuid
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator import traffic
from generator.distributions import child_stream
from generator.entities import Window, models_table, users_table
from generator.traffic import BLOCK_ROWS, CELLS_PER_DAY, Slots, blocks, cell_rates

YEAR = Window(date(2025, 1, 1), 365)


def id_numbers(requests):
    pairs = zip(requests.id_high.tolist(), requests.id_low.tolist(), strict=True)
    return [high << 64 | low for high, low in pairs]


def epoch_days(column):
    return column.to_numpy().astype("datetime64[D]").astype(np.int64)


@given(st.integers(0, 2**32), st.integers(1, 50_000_000), st.integers(1, 20))
@example(seed=1, rows=50_000_000, days=1)
@example(seed=1, rows=1, days=1)
def test_blocks_cover_every_row_once_in_order_and_stay_small(seed, rows, days):
    plan = blocks(child_stream(seed), rows, Window(date(2025, 3, 1), days))
    assert sum(block.rows for block in plan) == rows
    assert all(block.rows > 0 for block in plan)
    ends = [block.first_cell + len(block.counts) for block in plan]
    assert [block.first_cell for block in plan] == [0, *ends[:-1]]
    assert ends[-1] == days * CELLS_PER_DAY
    largest_cell = max(int(block.counts.max()) for block in plan)
    assert max(block.rows for block in plan) <= BLOCK_ROWS + largest_cell


def test_cell_rates_damp_saturday_and_sunday():
    per_day = cell_rates(Window(date(2025, 12, 22), 14)).reshape(14, -1).sum(axis=1)  # a Monday
    assert per_day / per_day[0] == pytest.approx([1, 1, 1, 1, 1, 0.6, 0.6] * 2)


def test_requests_rise_in_time_and_ids_rise_with_them(default_set):
    requests = default_set.requests
    assert (np.diff(requests.requested_at_ms) >= 0).all()
    ids = id_numbers(requests)
    assert all(a < b for a, b in pairwise(ids))


def test_request_ids_are_version_7_and_hold_the_time(default_set):
    requests = default_set.requests
    for number, at_ms in list(zip(id_numbers(requests), requests.requested_at_ms.tolist(), strict=True))[::997]:
        request_id = uuid.UUID(int=number)
        assert (request_id.version, request_id.variant) == (7, uuid.RFC_4122)
        assert request_id.int >> 80 == at_ms


def test_request_ids_rise_when_many_requests_share_a_millisecond():
    at_ms = np.repeat(np.arange(1_000, 1_100), 50)
    high, low = traffic._request_ids(child_stream(5), at_ms)
    numbers = [h << 64 | w for h, w in zip(high.tolist(), low.tolist(), strict=True)]
    assert numbers == sorted(set(numbers))
    assert [number >> 80 for number in numbers] == at_ms.tolist()


def test_requests_stay_inside_the_window(default_set):
    at_ms = default_set.requests.requested_at_ms
    first, end = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    assert first.timestamp() * 1000 <= at_ms[0] < first.timestamp() * 1000 + 86_400_000
    assert end.timestamp() * 1000 - 86_400_000 <= at_ms[-1] < end.timestamp() * 1000


def test_no_request_precedes_its_user_s_sign_up_or_its_model_s_release(default_set):
    requests = default_set.requests
    day = requests.requested_at_ms // 86_400_000
    assert (day >= epoch_days(default_set.users["signed_up_on"])[requests.user_id - 1]).all()
    assert (day >= epoch_days(default_set.models["released_on"])[requests.model_id - 1]).all()


def test_models_released_inside_the_window_are_used_from_their_first_day(default_set):
    requests = default_set.requests
    waited = (requests.requested_at_ms // 86_400_000) - epoch_days(default_set.models["released_on"])[
        requests.model_id - 1
    ]
    assert set(requests.model_id[waited == 0]) == {9, 10, 11, 12}


def test_every_model_endpoint_and_almost_every_user_is_used(default_set):
    requests = default_set.requests
    assert set(requests.model_id) == set(range(1, 13))
    assert set(requests.endpoint_id) == set(range(1, 9))
    assert len(set(requests.user_id)) > 1_980


def test_failed_requests_have_no_completion_tokens(default_set):
    requests = default_set.requests
    assert ((requests.completion_tokens == 0) == (requests.status_code != 200)).all()


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    rows=st.integers(1, 3_000),
    start=st.dates(date(1973, 1, 1), date(2099, 1, 1)),
    days=st.integers(1, 400),
    users=st.integers(1, 30),
)
def test_rules_hold_for_any_arguments(draw, seed, rows, start, days, users):
    window = Window(start, days)
    data = draw(seed, rows, window, users)
    requests = data.requests
    day = requests.requested_at_ms // 86_400_000
    first = (start - date(1970, 1, 1)).days
    assert len(requests.user_id) == rows
    assert first <= day.min() and day.max() < first + days
    assert (day >= epoch_days(data.users["signed_up_on"])[requests.user_id - 1]).all()
    assert (day >= epoch_days(data.models["released_on"])[requests.model_id - 1]).all()
    ids = id_numbers(requests)
    assert ids == sorted(set(ids))


def test_slots_draw_by_weight_among_those_who_exist():
    slots = Slots(ids=np.repeat([1, 2, 3], [1, 3, 6]), eligible=np.array([4, 10]))
    early = slots.draw(child_stream(1), np.zeros(20_000, dtype=np.int64))
    late = slots.draw(child_stream(2), np.ones(20_000, dtype=np.int64))
    assert np.bincount(early, minlength=4)[1:] / 20_000 == pytest.approx([0.25, 0.75, 0], abs=0.02)
    assert np.bincount(late, minlength=4)[1:] / 20_000 == pytest.approx([0.1, 0.3, 0.6], abs=0.02)


def test_population_refuses_a_window_that_starts_before_anybody_exists():
    users, models = users_table(1, YEAR, 5), models_table(YEAR)
    with pytest.raises(ValueError, match="nobody to choose from on 1990-01-01"):
        traffic.population(users, models, Window(date(1990, 1, 1), 10))
