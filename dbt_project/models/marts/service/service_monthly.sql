with

{{ service_months("coalesce(team, 'none')") }},

final as (
    select
        month,
        group_id as team,
        {{ service_figures() | join(',\n        ') }}
    from figures
)

select * from final
