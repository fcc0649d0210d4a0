{#
  Returns a query of what each model cost when: one row per model and period in which none of its prices changed.

  A price comes from the seed model_prices where that names the model and the kind of token, else from the prices the
  model reported with each of its versions. So a row in the seed corrects history, and what it does not say stays as
  reported. Reasoning tokens without a price of their own are charged as output, as providers do; any other kind without a
  price makes a request that used it unpriced.
#}
{% macro price_periods() %}
    with seeded as (

        select
            models.model_id,
            prices.token_kind,
            prices.usd_per_mtok,
            cast(prices.valid_from as timestamp) at time zone 'UTC' as valid_from,
            cast(prices.valid_to as timestamp) at time zone 'UTC' as valid_to
        from {{ ref('model_prices') }} as prices
        inner join {{ ref('stg_models') }} as models on prices.model_name = models.model_name

    ),

    versions as (

        select
            model_id,
            input_usd_per_mtok,
            output_usd_per_mtok,
            cast(changed_on as timestamp) at time zone 'UTC' as valid_from,
            cast(lead(changed_on) over (partition by model_id order by changed_on) as timestamp)
            at time zone 'UTC' as valid_to
        from {{ source('raw_staging', 'model_changes') }}

    ),

    reported as (

        select
            versions.model_id,
            kinds.token_kind,
            kinds.usd_per_mtok,
            versions.valid_from,
            versions.valid_to
        from versions
        cross join lateral (
            values ('input', versions.input_usd_per_mtok), ('output', versions.output_usd_per_mtok)
        ) as kinds (token_kind, usd_per_mtok)
        where
            kinds.usd_per_mtok is not null
            and not exists (
                select from seeded
                where seeded.model_id = versions.model_id and seeded.token_kind = kinds.token_kind
            )

    ),

    prices as (

        select * from seeded
        union all
        select * from reported

    ),

    moments as (

        select
            model_id,
            valid_from as moment
        from prices
        union
        select
            model_id,
            valid_to as moment
        from prices
        where valid_to is not null

    ),

    periods as (

        select
            model_id,
            moment as valid_from,
            lead(moment) over (partition by model_id order by moment) as valid_to
        from moments

    ),

    priced as (

        select
            periods.model_id,
            periods.valid_from,
            periods.valid_to,
            max(prices.usd_per_mtok) filter (where prices.token_kind = 'input') as input_usd_per_mtok,
            max(prices.usd_per_mtok) filter (where prices.token_kind = 'cache_read') as cache_read_usd_per_mtok,
            max(prices.usd_per_mtok) filter (where prices.token_kind = 'cache_write') as cache_write_usd_per_mtok,
            max(prices.usd_per_mtok) filter (where prices.token_kind = 'output') as output_usd_per_mtok,
            max(prices.usd_per_mtok) filter (where prices.token_kind = 'reasoning') as reasoning_usd_per_mtok
        from periods
        inner join prices
            on
                periods.model_id = prices.model_id
                and periods.valid_from >= prices.valid_from
                and (prices.valid_to is null or periods.valid_from < prices.valid_to)
        group by periods.model_id, periods.valid_from, periods.valid_to

    )

    select
        {{ generate_surrogate_key(['model_id', 'extract(epoch from valid_from)']) }} as price_key,
        model_id,
        input_usd_per_mtok,
        cache_read_usd_per_mtok,
        cache_write_usd_per_mtok,
        output_usd_per_mtok,
        coalesce(reasoning_usd_per_mtok, output_usd_per_mtok) as reasoning_usd_per_mtok,
        valid_from,
        valid_to
    from priced
{% endmacro %}

{#
  Returns a query of the first instant at which prices differ from those the fact was built with: one row, NULL when
  none does. Two sets of periods are compared as functions of time, so that a period cut short by a new price differs
  only from the cut on.
#}
{% macro repriced_from() %}
    {%- set prices -%}
        row(input_usd_per_mtok, cache_read_usd_per_mtok, cache_write_usd_per_mtok, output_usd_per_mtok, reasoning_usd_per_mtok)
    {%- endset %}
    select
        min(
            case
                when new.model_id is not null and applied.model_id is not null then least(new.valid_to, applied.valid_to)
                else coalesce(new.valid_from, applied.valid_from)
            end
        ) as repriced_from
    from (
        select
            *,
            cast({{ prices }} as text) as prices
        from ({{ price_periods() }}) as current_periods
    ) as new
    full outer join (
        select
            *,
            cast({{ prices }} as text) as prices
        from ops.applied_prices
    ) as applied
        on
            new.model_id = applied.model_id
            and new.valid_from = applied.valid_from
            and new.prices = applied.prices
    where
        new.model_id is null
        or applied.model_id is null
        or new.valid_to is distinct from applied.valid_to
{% endmacro %}

{# What one kind of tokens cost, in millionths of a dollar: nothing where there were none, whatever the price. #}
{% macro token_cost(tokens, price) -%}
    case when {{ tokens }} = 0 then 0 else {{ tokens }} * prices.{{ price }} end
{%- endmacro %}
