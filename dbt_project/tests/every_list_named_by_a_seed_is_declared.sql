{# A strategy that names a list nobody declared would never be carried out; neither would a plan whose goal, or a due
   date whose cadence, no list asks for. #}
{%- set lists = declared_lists() -%}
with wanted as (
    {{ declarations(lists, {'goal': 'string', 'cadence': 'string'}) }}
),

named as (
    select
        'stage_policy' as seed,
        'list_code' as column_name,
        list_code as name
    from {{ ref('stage_policy') }}
    where list_code is not null
    union
    select
        'plan_by_reason' as seed,
        'goal' as column_name,
        goal as name
    from {{ ref('plan_by_reason') }}
    union
    select
        'revisit_cadence' as seed,
        'cadence_code' as column_name,
        cadence_code as name
    from {{ ref('revisit_cadence') }}
)

select named.*
from named
where
    not exists (
        select 1
        from wanted
        where
            case named.column_name
                when 'list_code' then wanted.list_code
                when 'goal' then wanted.goal
                else wanted.cadence
            end = named.name
    )
