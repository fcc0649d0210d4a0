-- Fails if the current version of a model is not what dim_models says, or one of them lacks the model.
(
    select
        model_id,
        model_name,
        provider,
        family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on
    from {{ ref('dim_models_history') }}
    where is_current
    except
    select
        model_id,
        model_name,
        provider,
        family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on
    from {{ ref('dim_models') }}
)
union all
(
    select
        model_id,
        model_name,
        provider,
        family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on
    from {{ ref('dim_models') }}
    except
    select
        model_id,
        model_name,
        provider,
        family,
        context_window,
        input_usd_per_mtok,
        output_usd_per_mtok,
        is_deprecated,
        released_on
    from {{ ref('dim_models_history') }}
    where is_current
)
