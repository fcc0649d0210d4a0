"""The five files of a generated data set: their columns in order, which are the contract of the files.

`loader/sql/` defines the raw tables, and a test holds the two together.
"""

from __future__ import annotations

from loader.kinds import (
    BOOLEAN,
    COUNTRY,
    DATE,
    ID,
    INT_MAX,
    MILLISECONDS,
    NAME,
    PRICE,
    STATUS,
    TIMESTAMP,
    TOKENS,
    UUID,
    Column,
    Kind,
    whole_number,
)


def _number(low: int, high: int) -> Kind:
    return whole_number(low, high, 32)


TABLES: dict[str, tuple[Column, ...]] = {
    "users": (
        Column("user_id", ID),
        Column("full_name", NAME),
        Column("email", NAME),
        Column("company_name", NAME, is_required=False),
        Column("industry", NAME, is_required=False),
        Column("company_size", NAME, is_required=False),
        Column("country_code", COUNTRY, is_required=False),
        Column("billing_tier", NAME),
        Column("signed_up_on", DATE),
    ),
    "models": (
        Column("model_id", ID),
        Column("model_name", NAME),
        Column("provider", NAME),
        Column("family", NAME, is_required=False),
        Column("context_window", _number(1, INT_MAX), is_required=False),
        Column("input_usd_per_mtok", PRICE, is_required=False),
        Column("output_usd_per_mtok", PRICE, is_required=False),
        Column("released_on", DATE, is_required=False),
        Column("is_deprecated", BOOLEAN),
    ),
    "endpoints": (
        Column("endpoint_id", ID),
        Column("path", NAME),
        Column("http_method", NAME),
        Column("category", NAME),
        Column("is_streaming", BOOLEAN),
    ),
    "dates": (
        Column("date_id", _number(19700101, 21001231)),
        Column("full_date", DATE),
        Column("year", _number(1970, 2100)),
        Column("quarter", _number(1, 4)),
        Column("month", _number(1, 12)),
        Column("month_name", NAME),
        Column("week_of_year", _number(1, 53)),
        Column("day_of_month", _number(1, 31)),
        Column("day_of_week", _number(1, 7)),
        Column("day_name", NAME),
        Column("is_weekend", BOOLEAN),
        Column("is_month_end", BOOLEAN),
    ),
    "api_requests": (
        Column("request_id", UUID),
        Column("user_id", ID, is_required=False),
        Column("model_id", ID, is_required=False),
        Column("endpoint_id", ID, is_required=False),
        Column("requested_at", TIMESTAMP),
        Column("prompt_tokens", TOKENS, is_required=False),
        Column("completion_tokens", TOKENS, is_required=False),
        Column("latency_ms", MILLISECONDS, is_required=False),
        Column("status_code", STATUS, is_required=False),
        Column("is_flagged", BOOLEAN, is_required=False),
    ),
}
