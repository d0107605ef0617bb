with

owners as (
    select * from {{ ref('owner_scorecard_monthly') }}
),

final as (
    select
        month,
        coalesce(team, 'no_team') as team,
        cast(count(*) filter (where is_employed) as integer) as representatives,
        cast(count(*) filter (where is_employed and is_recording) as integer) as representatives_recording,
        {{ ratio('count(*) filter (where is_employed and is_recording)', 'count(*) filter (where is_employed)') }}
            as adoption_rate,
        {{ scorecard_measures(grouped=true) }},
        cast(sum(records_entered) as integer) as records_entered
    from owners
    group by month, coalesce(team, 'no_team')
)

select * from final
