"""Every kind of data test can fail: data is broken on purpose, and dbt reports exactly the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

ONE_REQUEST = "(select {key} from {table} where {condition} order by {key} limit 1)"
FACT, FACT_KEY = "public_star.fct_api_requests", "request_key"
RAW = "raw_staging.api_requests"


@dataclass(frozen=True)
class Break:
    """One way to break the data: the statement, the model whose core tests then run, and those that must fail."""

    kind: str  # the generic or singular test it is about; its name starts with it
    statement: str
    model: str
    failing: frozenset[str]


def one_of(table: str, key: str, condition: str = "true") -> str:
    return f"{key} = {ONE_REQUEST.format(key=key, table=table, condition=condition)}"


def breaks(kind: str, statement: str, model: str, *failing: str) -> Break:
    return Break(kind, statement, model, frozenset(failing))


BREAKS = [
    breaks(
        "not_null",
        "update public_star.dim_users set email = null where user_id = 1",
        "dim_users",
        "not_null_dim_users_email",
        "assert_snowflake_users_equal_star_users",
    ),
    breaks(
        "unique",
        "insert into public_star.dim_endpoints select * from public_star.dim_endpoints where endpoint_id = 1",
        "dim_endpoints",
        "unique_dim_endpoints_endpoint_key",
        "unique_dim_endpoints_endpoint_id",
    ),
    breaks(
        "relationships",
        "delete from public_star.dim_models where model_id = 1",
        "dim_models",
        "relationships_fct_api_requests_model_key__model_key__ref_dim_models_",
        "relationships_fct_api_requests_sf_model_key__model_key__ref_dim_models_",
    ),
    breaks(
        "relationships",
        f"update {RAW} set user_id = 999999 where {one_of(RAW, 'request_id')}",
        "stg_api_requests",
        "relationships_stg_api_requests_user_id__user_id__ref_stg_users_",
    ),
    breaks(
        "accepted_values",
        "update raw_staging.endpoints set http_method = 'BREW' where endpoint_id = 1",
        "stg_endpoints",
        "accepted_values_stg_endpoints_http_method__GET__POST__PUT__PATCH__DELETE",
    ),
    breaks(
        "accepted_values",
        f"update {RAW} set status_code = 418, completion_tokens = 0 where {one_of(RAW, 'request_id')}",
        "stg_api_requests",
        "accepted_values_stg_api_requests_status_code__False__200__401__429__500",
    ),
    breaks(
        "accepted_range",
        "update public_star.dim_models set input_usd_per_mtok = -1 where model_id = 1",
        "dim_models",
        "accepted_range_dim_models_input_usd_per_mtok__5000__0",
    ),
    breaks(
        "accepted_range",
        "update public_star.dim_models set output_usd_per_mtok = 5000.01 where model_id = 1",
        "dim_models",
        "accepted_range_dim_models_output_usd_per_mtok__5000__0",
    ),
    breaks(
        "has_unknown_member",
        "delete from public_star.dim_endpoints where endpoint_id = 0",
        "dim_endpoints",
        "has_unknown_member_dim_endpoints_endpoint_id__path",
    ),
    breaks(
        "has_unknown_member",
        "update public_star.dim_endpoints set path = '/v1/nowhere' where endpoint_id = 0",
        "dim_endpoints",
        "has_unknown_member_dim_endpoints_endpoint_id__path",
    ),
    breaks(
        "matches_pattern",
        "update raw_staging.users set country_code = 'us' where user_id = 1",
        "stg_users",
        "matches_pattern_stg_users_country_code___A_Z_2_",
    ),
    breaks(
        "assert_no_request_before_sign_up",
        f"update raw_staging.users set signed_up_on = '2099-01-01' where user_id = (select min(user_id) from {RAW})",
        "stg_users",
        "assert_no_request_before_sign_up",
    ),
    breaks(
        "assert_no_request_before_model_release",
        "update raw_staging.models set released_on = '2099-01-01' where model_id = 1",
        "stg_models",
        "assert_no_request_before_model_release",
    ),
    breaks(
        "assert_failed_synthetic_requests_complete_nothing",
        f"update {RAW} set completion_tokens = 5 where {one_of(RAW, 'request_id', 'status_code = 500')}",
        "stg_api_requests",
        "assert_failed_synthetic_requests_complete_nothing",
    ),
    breaks(
        "assert_failed_requests_cost_nothing",
        f"update {FACT} set cost_usd = 1 where {one_of(FACT, FACT_KEY, 'status_code = 429')}",
        "fct_api_requests",
        "assert_failed_requests_cost_nothing",
        "assert_snowflake_fact_equals_star_fact",
    ),
    breaks(
        "assert_synthetic_requests_lie_in_calendar",
        f"delete from raw_staging.dates where full_date = (select max(requested_at)::date from {RAW})",
        "stg_dates",
        "assert_synthetic_requests_lie_in_calendar",
    ),
    breaks(
        "assert_calendar_has_no_gap",
        "delete from public_star.dim_date where date_id = 20250615",
        "dim_date",
        "assert_calendar_has_no_gap",
        "relationships_fct_api_requests_date_key__date_key__ref_dim_date_",
        "relationships_fct_api_requests_sf_date_key__date_key__ref_dim_date_",
    ),
    breaks(
        "assert_calendar_attributes_match_day",
        "update public_star.dim_date set is_weekend = not is_weekend where date_id = 20250615",
        "dim_date",
        "assert_calendar_attributes_match_day",
    ),
    breaks(
        "assert_total_tokens_add_up",
        f"update {FACT} set total_tokens = total_tokens + 1 where {one_of(FACT, FACT_KEY)}",
        "fct_api_requests",
        "assert_total_tokens_add_up",
        "assert_snowflake_fact_equals_star_fact",
    ),
    breaks(
        "assert_only_unpriceable_requests_lack_cost",
        f"update {FACT} set cost_usd = null where {one_of(FACT, FACT_KEY, 'status_code = 200')}",
        "fct_api_requests",
        "assert_only_unpriceable_requests_lack_cost",
        "assert_snowflake_fact_equals_star_fact",
    ),
    breaks(
        "assert_companies_have_one_industry_and_size",
        """
        update raw_staging.users set industry = 'Basket weaving' where user_id = (
            select max(user_id) from raw_staging.users group by company_name having count(*) > 1 limit 1
        )
        """,
        "stg_users",
        "assert_companies_have_one_industry_and_size",
    ),
    breaks(
        "assert_snowflake_fact_equals_star_fact",
        "update public_snowflake.fct_api_requests_sf set latency_ms = latency_ms + 1 "
        f"where {one_of('public_snowflake.fct_api_requests_sf', FACT_KEY)}",
        "fct_api_requests_sf",
        "assert_snowflake_fact_equals_star_fact",
    ),
    breaks(
        "assert_fact_holds_every_request",
        f"delete from {RAW} where {one_of(RAW, 'request_id')}",
        "stg_api_requests",
        "assert_fact_holds_every_request",
    ),
    breaks(
        "assert_snowflake_users_equal_star_users",
        "update public_snowflake.dim_users_sf set full_name = 'Someone Else' where user_id = 1",
        "dim_users_sf",
        "assert_snowflake_users_equal_star_users",
    ),
    breaks(
        "assert_error_flags_follow_status",
        f"update {FACT} set is_error = not is_error where {one_of(FACT, FACT_KEY)}",
        "fct_api_requests",
        "assert_error_flags_follow_status",
    ),
    breaks(
        "assert_dearer_tiers_give_more",
        "update public_snowflake.dim_billing_tiers set included_tokens = 1 where billing_tier = 'enterprise'",
        "dim_billing_tiers",
        "assert_dearer_tiers_give_more",
    ),
]


def test_breaks_cover_every_kind_of_core_test(project: Any) -> None:
    kinds = {test.test_metadata.name if hasattr(test, "test_metadata") else test.name for test in project.core_tests()}
    assert {case.kind for case in BREAKS} == kinds


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: f"{case.kind}-{case.model}")
def test_data_test_fails_when_data_is_broken(case: Break, built: psycopg.Connection, project: Any) -> None:
    changed = built.execute(case.statement).rowcount
    assert changed == 1

    found = project.problems("test", "--select", *(test.name for test in project.core_tests(case.model)))

    assert found == dict.fromkeys(case.failing, "fail")


def test_absent_references_pass_where_dangling_ones_fail(built: psycopg.Connection, project: Any) -> None:
    built.execute(f"update {RAW} set user_id = null, model_id = null, endpoint_id = null")

    tests = [test.name for test in project.core_tests("stg_api_requests")]
    assert len(tests) >= 8
    assert project.problems("test", "--select", *tests) == {}
