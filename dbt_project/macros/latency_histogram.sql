{#
  The latencies of a group as one number whose k-th slot of ten decimal digits counts the requests of the k-th bucket, so that
  sum() merges histograms, in C and in parallel. Arrays would need an aggregate of our own, and rows per bucket forty times
  the rows. The buckets are log-spaced, as in DDSketch (Masson, Rim and Lee, VLDB 2019): bucket b ends at e^(width b) ms, and
  no quantile is off by more than a bucket is wide. Slots do not run over below 10^10 requests in one bucket.
#}
{% macro latency_histogram(latency_ms) -%}
    sum(
        cast(
            '1e' || 10 * cast(
                ceil(ln(cast(greatest({{ latency_ms }}, 1) as double precision)) / {{ var('latency_bucket_width') }})
                as integer
            ) as numeric
        )
    ) filter (where {{ latency_ms }} is not null)
{%- endmacro %}

{# The functions dashboards read histograms with. Built with the mart, in its schema and its transaction. #}
{% macro create_latency_functions() -%}
create or replace function {{ this.schema }}.latency_quantile(histogram numeric, quantile double precision)
returns double precision
language plpgsql immutable strict parallel safe
as $function$
declare
    width constant double precision := {{ var('latency_bucket_width') }};
    -- 10^10 leaves the remainder 1 when divided by it, so a number's remainder is the sum of its 10-digit slots.
    modulus constant numeric := 9999999999;
    low integer := 0;
    high integer := (length(cast(histogram as text)) - 1) / 10;
    middle integer;
    rank numeric;
    requests_below numeric;
    requests_within numeric;
begin
    if quantile < 0 or quantile > 1 then
        raise exception 'latency_quantile: expected a quantile from 0 to 1, found %', quantile;
    end if;
    if histogram = 0 then
        return null;
    end if;
    rank := greatest(1, ceil(cast(quantile as numeric) * mod(histogram, modulus)));
    -- Halve until one bucket is left: the lowest with at least rank requests in it and below.
    while low < high loop
        middle := (low + high) / 2;
        if mod(mod(histogram, cast('1e' || 10 * (middle + 1) as numeric)), modulus) >= rank then
            high := middle;
        else
            low := middle + 1;
        end if;
    end loop;
    requests_below := mod(mod(histogram, cast('1e' || 10 * low as numeric)), modulus);
    requests_within := mod(div(histogram, cast('1e' || 10 * low as numeric)), 10000000000);
    return exp(width * (low - 1 + cast((rank - requests_below - 0.5) / requests_within as double precision)));
end
$function$;

create or replace function {{ this.schema }}.latency_buckets(histogram numeric)
returns table (bucket integer, from_ms double precision, to_ms double precision, requests bigint)
language sql immutable strict parallel safe
as $function$
    select
        slots.bucket,
        case when slots.bucket = 0 then 0 else exp({{ var('latency_bucket_width') }} * (slots.bucket - 1)) end,
        exp({{ var('latency_bucket_width') }} * slots.bucket),
        slots.requests
    from (
        select
            numbers.bucket,
            cast(mod(div(histogram, cast('1e' || 10 * numbers.bucket as numeric)), 10000000000) as bigint) as requests
        from generate_series(0, (length(cast(histogram as text)) - 1) / 10) as numbers (bucket)
    ) as slots
    where slots.requests > 0
$function$
{%- endmacro %}
