with

reps as (
    select * from {{ ref('dim_rep') }}
),

{{ service_months('handler_id') }},

scored as (
    select
        *,
        case
            when tickets >= {{ var('appraisal_min_tickets') }}
                then round(
                    100 * (
                        {{ var('appraisal_weight_satisfaction') }} * ticket_csat
                        + {{ var('appraisal_weight_in_time') }} * answered_in_time_share
                        + {{ var('appraisal_weight_solved') }} * first_contact_resolution
                    ), 2
                )
        end as service_score
    from figures
),

final as (
    select
        scored.month,
        scored.group_id as handler_id,
        reps.team,
        scored.{{ service_figures() | join(',\n        scored.') }},
        scored.service_score,
        case
            when scored.service_score is not null
                then cast(
                    rank() over (partition by scored.month order by scored.service_score desc nulls last) as integer
                )
        end as rank_in_month
    from scored
    left join reps on scored.group_id = reps.rep_id
)

select * from final
