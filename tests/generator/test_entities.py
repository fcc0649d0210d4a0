"""Users, models, endpoints and dates hold together."""

from datetime import date, timedelta

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.distributions import TIERS
from generator.entities import Window, dates_table, endpoints_table, models_table, users_table

windows = st.builds(
    Window,
    start=st.dates(date(1973, 1, 1), date(2090, 1, 1)),
    days=st.integers(1, 800),
)


def rows_of(table):
    return table.to_pylist()


def test_users_have_the_contract_s_columns_and_numbers(default_set):
    users = default_set.users
    assert ",".join(users.column_names) == (
        "user_id,full_name,email,company_name,industry,company_size,country_code,billing_tier,signed_up_on"
    )
    assert users.num_rows == 2_000
    assert all(column.null_count == 0 for column in users.columns)
    assert users["user_id"].to_pylist() == list(range(1, 2_001))
    assert len(set(users["company_name"].to_pylist())) == 300
    assert len(set(users["email"].to_pylist())) == 2_000


def test_users_of_a_company_share_its_industry_size_and_country(default_set):
    facts = {
        (r["company_name"], r["industry"], r["company_size"], r["country_code"]) for r in rows_of(default_set.users)
    }
    assert len(facts) == 300


def test_users_crowd_in_some_companies_and_none_exceeds_its_headcount(default_set):
    counts = default_set.users.group_by(["company_name", "company_size"]).aggregate([("user_id", "count")])
    assert max(counts["user_id_count"].to_pylist()) > 30
    for row in rows_of(counts):
        upper = int(row["company_size"].split("-")[1]) if "-" in row["company_size"] else 10**9
        assert row["user_id_count"] <= upper


def test_users_split_into_tiers_exactly(default_set):
    tiers = default_set.users["billing_tier"].to_pylist()
    assert [tiers.count(tier) for tier in TIERS] == [1_100, 500, 300, 100]


def test_users_sign_up_at_the_same_pace_in_every_tier(default_set):
    for tier in TIERS:
        days = [r["signed_up_on"] for r in rows_of(default_set.users) if r["billing_tier"] == tier]
        assert sum(day >= date(2025, 1, 1) for day in days) == len(days) // 3
        assert sum(day >= date(2025, 7, 2) for day in days) == pytest.approx(len(days) / 6, abs=2)


def test_emails_are_ascii_in_a_reserved_domain(default_set):
    for email in default_set.users["email"].to_pylist():
        assert email.isascii()
        assert email.endswith(".example")
        assert email.split("@")[0].replace(".", "").isalnum()


def test_names_come_from_the_countries_of_the_companies(default_set):
    names = default_set.users["full_name"].to_pylist()
    assert any(not name.isascii() for name in names)
    assert len(set(names)) > 1_900


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**63 - 1), windows, st.integers(1, 40))
def test_users_of_any_number_are_in_order_of_sign_up_and_one_is_there_from_the_start(seed, window, users):
    table = users_table(seed, window, users)
    signed_up = table["signed_up_on"].to_pylist()
    assert table.num_rows == users
    assert signed_up == sorted(signed_up)
    assert signed_up[0] < window.start
    assert signed_up[-1] <= window.day(window.days - 1)
    assert signed_up[0] >= date(1970, 1, 1)
    assert len(set(table["email"].to_pylist())) == users


def test_users_depend_on_the_seed():
    window = Window(date(2025, 1, 1), 30)
    assert users_table(1, window, 20).equals(users_table(1, window, 20))
    assert not users_table(1, window, 20).equals(users_table(2, window, 20))


@given(windows)
def test_models_are_in_order_of_release_and_some_exist_from_the_start(window):
    table = models_table(window)
    released = table["released_on"].to_pylist()
    assert released == sorted(released)
    assert released[0] < window.start
    assert released[-1] <= window.day(window.days - 1)


def test_models_are_twelve_of_five_providers_and_some_appear_inside_the_window():
    window = Window(date(2025, 1, 1), 365)
    models = rows_of(models_table(window))
    assert len({m["model_name"] for m in models}) == 12
    assert len({m["provider"] for m in models}) == 5
    assert sum(m["released_on"] >= window.start for m in models) == 4
    for model in models:
        assert 0 < model["input_usd_per_mtok"] < model["output_usd_per_mtok"]
        assert model["context_window"] >= 200_000  # the longest prompt and completion together


def test_endpoints_are_eight_with_different_paths():
    table = endpoints_table()
    assert len(set(table["path"].to_pylist())) == 8
    assert set(table["http_method"].to_pylist()) == {"POST"}


@given(windows)
def test_dates_cover_each_day_of_the_window_once(window):
    table = dates_table(window)
    days = table["full_date"].to_pylist()
    assert days == [window.start + timedelta(days=i) for i in range(window.days)]
    assert table["date_id"].to_pylist() == [int(day.strftime("%Y%m%d")) for day in days]
    assert table["is_weekend"].to_pylist() == [day.weekday() in (5, 6) for day in days]
    assert pc.all(pc.equal(table["quarter"], pc.quarter(table["full_date"]))).as_py()
    assert pc.all(pc.equal(table["week_of_year"], pc.iso_week(table["full_date"]))).as_py()
    assert pc.all(pc.equal(table["day_of_week"], pc.add(pc.day_of_week(table["full_date"]), 1))).as_py()


def test_dates_name_months_and_days_and_know_month_ends():
    rows = {row["date_id"]: row for row in rows_of(dates_table(Window(date(2024, 2, 1), 60)))}
    assert rows[20240229]["is_month_end"] and not rows[20240228]["is_month_end"]
    assert (rows[20240229]["month_name"], rows[20240229]["day_name"]) == ("February", "Thursday")
