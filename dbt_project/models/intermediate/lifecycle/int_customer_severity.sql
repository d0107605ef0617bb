with

unit_spells as (
    select * from {{ ref('int_unit_severity') }}
),

unit_counts as (
    select
        customer_id,
        count(distinct unit_id) as units
    from unit_spells
    group by customer_id
),

-- Most customers have one unit and its spells: only the others are counted up day by day.
single_unit as (
    select unit_spells.* from unit_spells
    inner join unit_counts on unit_spells.customer_id = unit_counts.customer_id
    where unit_counts.units = 1
),

several_units as (
    select unit_spells.* from unit_spells
    inner join unit_counts on unit_spells.customer_id = unit_counts.customer_id
    where unit_counts.units > 1
),

steps as (
    select
        customer_id,
        severity,
        valid_from as changed_on,
        1 as units
    from several_units
    union all
    select
        customer_id,
        severity,
        valid_to as changed_on,
        -1 as units
    from several_units
    where valid_to is not null
),

daily as (
    select
        customer_id,
        changed_on
        {%- for severity in range(4) %},
        sum(sum(units) filter (where severity = {{ severity }})) over placed as units_{{ severity }}
        {%- endfor %}
    from steps
    group by customer_id, changed_on
    window placed as (partition by customer_id order by changed_on)
),

changes as (
    select
        customer_id,
        changed_on as valid_from,
        case
            {% for severity in (range(4) if var('lifecycle_rollup') == 'all' else range(3, -1, -1)) -%}
            when units_{{ severity }} > 0 then {{ severity }}
            {% endfor %}
        end as severity
    from daily
),

final as (
    select
        customer_id,
        severity,
        previous_severity,
        valid_from,
        valid_to
    from single_unit
    union all
    {{ severity_spells('changes', ['customer_id']) }}
)

select * from final
