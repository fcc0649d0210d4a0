"""The contract's statistical demands, on 500,000 rows of seed 42, and the pure shapes behind them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from generator import distributions as d

SHAPES = {column.column: column.distribution for column in d.COLUMN_DISTRIBUTIONS}
KS_CRITICAL = 1.628 / np.sqrt(500_000)  # one-sample Kolmogorov-Smirnov, p = 0.01


def ks_distance(values, cdf):
    """Return the KS distance of values that were cut to whole numbers: k stands for [k, k + 1)."""
    found, counts = np.unique(values, return_counts=True)
    return np.abs(np.cumsum(counts) / len(values) - cdf(found + 1.0)).max()


def answered(requests):
    return requests.completion_tokens[requests.status_code == 200]


def test_latency_matches_the_log_normal(default_set):
    latency = default_set.requests.latency_ms
    assert np.median(latency) == pytest.approx(665, rel=0.01)
    assert np.quantile(latency, 0.99) == pytest.approx(4_277, rel=0.03)
    assert ks_distance(latency, d.LATENCY_MS.cdf) < KS_CRITICAL
    assert latency.min() > 0


@pytest.mark.parametrize("column", ["prompt_tokens", "completion_tokens"])
def test_tokens_match_the_capped_pareto(default_set, column):
    requests = default_set.requests
    tokens = requests.prompt_tokens if column == "prompt_tokens" else answered(requests)
    assert tokens.min() == 50
    assert np.median(tokens) == pytest.approx(79, abs=1)
    assert 1 / np.log(tokens / 50).mean() == pytest.approx(1.5, abs=0.05)  # Hill, over all values
    tail = np.sort(tokens)[-5_000:]
    assert 1 / np.log(tail / tail[0]).mean() == pytest.approx(1.5, abs=0.05)  # Hill, over the top 1 %
    assert tokens.max() == 100_000
    assert np.mean(tokens == 100_000) < 5e-5
    assert ks_distance(tokens[tokens < 100_000], d.TOKENS.cdf) < KS_CRITICAL


def test_prompt_and_completion_tokens_are_independent(default_set):
    requests = default_set.requests
    prompts = requests.prompt_tokens[requests.status_code == 200]
    assert abs(stats.spearmanr(prompts, answered(requests)).statistic) < 0.005


def test_requested_at_follows_the_daily_cycle(default_set):
    moment = default_set.requests.requested_at_ms % 86_400_000
    by_hour = np.bincount(moment // 3_600_000, minlength=24)
    assert by_hour.argmax() == 12
    assert ks_distance(moment, lambda ms: d.DAILY_CYCLE.cdf(ms / 3_600_000)) < KS_CRITICAL
    undamped = integrate.quad(lambda h: 1 + np.sin(2 * np.pi * (h - 6.5) / 24), 2, 5)[0]
    assert by_hour[2:5].sum() / by_hour.sum() == pytest.approx(
        0.15 * undamped / float(d.DAILY_CYCLE.mass(24)), rel=0.05
    )


def test_requested_at_is_damped_at_weekends(default_set):
    days = default_set.requests.requested_at_ms // 86_400_000
    per_day = np.bincount(days - days.min(), minlength=365)
    weekday = np.array([default_set.window.day(i).isoweekday() for i in range(365)])
    assert per_day[weekday >= 6].mean() / per_day[weekday < 6].mean() == pytest.approx(0.60, abs=0.02)


def test_requested_at_varies_from_day_to_day_as_independent_requests_do(default_set):
    days = default_set.requests.requested_at_ms // 86_400_000
    per_day = np.bincount(days - days.min(), minlength=365)
    weekday = np.array([default_set.window.day(i).isoweekday() for i in range(365)])
    work_days = per_day[weekday < 6]
    assert work_days.var() / work_days.mean() == pytest.approx(1, abs=0.3)


def test_status_code_shares_match(default_set):
    codes = default_set.requests.status_code
    counts = [(codes == code).sum() for code in (200, 429, 500, 401)]
    assert sum(counts) == len(codes)
    expected = np.array([0.94, 0.03, 0.02, 0.01])
    assert np.abs(np.array(counts) / len(codes) - expected).max() < 0.002
    assert stats.chisquare(counts, expected * len(codes)).pvalue > 0.01


def test_is_flagged_share_matches(default_set):
    assert default_set.requests.is_flagged.mean() == pytest.approx(0.008, abs=0.0005)


def test_users_send_by_the_weight_of_their_tier(default_set):
    per_user = np.bincount(default_set.requests.user_id, minlength=2_001)[1:]
    tiers = np.array(default_set.users["billing_tier"].to_pylist())
    means = np.array([per_user[tiers == tier].mean() for tier in d.TIERS])
    assert means / means[0] == pytest.approx([1, 3, 8, 20], rel=0.1)


@given(st.floats(0.001, 0.999))
@pytest.mark.parametrize("shape", [d.LATENCY_MS, d.TOKENS, d.DAILY_CYCLE], ids=lambda shape: shape.family)
def test_quantile_inverts_the_cdf(shape, p):
    assert shape.cdf(shape.quantile(p)) == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "low", "high"),
    [(d.LATENCY_MS, 100, 5_000), (d.TOKENS, 60, 90_000), (d.DAILY_CYCLE, 6, 23)],
    ids=["log-normal", "Pareto", "day"],
)
def test_density_integrates_to_the_cdf(shape, low, high):
    area = integrate.quad(lambda x: float(shape.density(x)), low, high, epsabs=1e-9, limit=200)[0]
    assert area == pytest.approx(float(shape.cdf(high) - shape.cdf(low)), abs=1e-6)


@pytest.mark.parametrize("edges", [(0, 2), (1, 3.5), (2, 5), (4, 8), (0, 24)])
def test_daily_cycle_mass_is_the_integral_of_its_rate(edges):
    area = integrate.quad(lambda h: float(d.DAILY_CYCLE.rate(h)), *edges, points=[2, 5], limit=200)[0]
    assert float(d.DAILY_CYCLE.mass(edges[1]) - d.DAILY_CYCLE.mass(edges[0])) == pytest.approx(area, abs=1e-6)


def test_categorical_curves_agree_with_its_probabilities():
    shape = d.STATUS_CODE
    assert shape.density([200, 404, 500]) == pytest.approx([0.94, 0, 0.02])
    assert shape.cdf([199, 200, 401, 500]) == pytest.approx([0, 0.94, 0.95, 1])
    assert shape.quantile([0.5, 0.945, 0.99, 1.0]).tolist() == [200, 401, 500, 500]


@given(st.integers(0, 2**63 - 1), st.integers(0, 300))
@pytest.mark.parametrize("shape", [d.LATENCY_MS, d.TOKENS, d.STATUS_CODE, d.IS_FLAGGED], ids=lambda shape: shape.family)
def test_sample_returns_whole_numbers_of_the_support_and_repeats(shape, seed, size):
    values = shape.sample(d.child_stream(seed), size)
    assert values.dtype == np.int64
    assert values.shape == (size,)
    assert (shape.cdf(values + 1.0) > 0).all()
    assert (values == shape.sample(d.child_stream(seed), size)).all()


def test_child_streams_differ_by_key():
    first = {key: d.child_stream(42, *key).random() for key in [(), (1,), (2,), (2, 0), (2, 1)]}
    assert len(set(first.values())) == 5


def test_description_holds_a_curve_and_a_reason_for_every_drawn_column():
    described = json.loads(json.dumps([d.description(column) for column in d.COLUMN_DISTRIBUTIONS]))
    assert {entry["column"] for entry in described} == set(SHAPES)
    for entry in described:
        assert len(entry["x"]) == len(entry["density"]) == len(entry["cdf"]) > 1
        assert entry["parameters"]
        assert len(entry["reason"]) > 80


def test_described_tiers_are_what_users_send(default_set):
    tiers = default_set.users["billing_tier"].to_pylist()
    sent = np.bincount([d.TIERS.index(tiers[user - 1]) + 1 for user in default_set.requests.user_id])[1:]
    assert sent / sent.sum() == pytest.approx(d.REQUEST_TIER.density([1, 2, 3, 4]), abs=0.005)
