{#- what was said of the scores of a day, by kind of figure -#}
{%- set kinds = ['expected', 'tested', 'realised'] -%}

with

monitoring as (
    select
        *,
        -- before the forecasts were watched, too, no row said what it was of
        coalesce(model_kind, 'churn') as kind_of_model
    from {{ ref('fed_back_monitoring') }}
),

-- a run that was repeated, or a later one that judged the same scores again, counts last
latest as (
    select * from monitoring
    qualify row_number() over (partition by kind_of_model, scored_on, kind, metric order by batch_on desc) = 1
),

beside as (
    select
        kind_of_model,
        scored_on,
        metric,
        {% for column in ['model_version', 'customers', 'horizon_days'] -%}
        coalesce(
            max({{ column }}) filter (where kind = 'expected'),
            max({{ column }}) filter (where kind = 'tested'),
            max({{ column }}) filter (where kind = 'realised')
        ) as {{ column }},
        {% endfor -%}
        {% for kind in kinds -%}
        {% for column in ['value', 'lower', 'upper'] -%}
        max({{ column }}) filter (where kind = '{{ kind }}') as {{ kind }}_{{ column }},
        {% endfor -%}
        {% endfor -%}
        max(customers) filter (where kind = 'realised') as judged_customers,
        max(batch_on) filter (where kind = 'realised') as judged_on
    from latest
    group by kind_of_model, scored_on, metric
),

final as (
    select
        scored_on,
        kind_of_model as model_kind,
        metric,
        model_version,
        customers,
        {{ days_after('scored_on', 'horizon_days') }} as horizon_ends_on,
        {% for kind in kinds -%}
        {{ kind }}_value,
        {{ kind }}_lower,
        {{ kind }}_upper,
        {% endfor -%}
        judged_customers,
        judged_on
    from beside
)

select * from final
