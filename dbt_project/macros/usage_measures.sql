{# The measures that usage_hourly and usage_daily share. A sum of what no request reports is NULL, not 0. #}
{% macro usage_measures() -%}
    count(*) as requests,
    count(status_code) as requests_with_status,
    cast(sum(input_uncached_tokens) as bigint) as input_uncached_tokens,
    cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
    cast(sum(cache_write_tokens) as bigint) as cache_write_tokens,
    cast(sum(output_tokens) as bigint) as output_tokens,
    cast(sum(reasoning_tokens) as bigint) as reasoning_tokens,
    cast(sum(total_tokens) as bigint) as total_tokens,
    cast(sum(cost_usd) as numeric(20, 6)) as cost_usd,
    count(*) filter (where is_error) as errors,
    count(*) filter (where is_rate_limited) as rate_limited,
    count(*) filter (where is_flagged) as flagged,
    count(*) filter (where cost_usd is null) as unpriced_requests
{%- endmacro %}
