with declared as (
    {{ declarations(declared_lists(), {
        'title': 'string', 'who': 'string', 'kind': 'string', 'goal': 'string', 'cadence': 'string',
        'ranked_by': 'string', 'is_about_profit': 'boolean', 'only_channels': 'string',
        'is_stepped': 'boolean', 'occasion_is_private': 'boolean', 'is_optional': 'boolean', 'needs_consent': 'boolean',
        'has_holdout': 'boolean', 'precedence': 'integer', 'cooling_days': 'integer', 'qualifies': 'string',
    }) }}
),

final as (
    select
        list_code,
        title,
        who,
        kind as list_kind,
        goal,
        cadence as cadence_code,
        ranked_by,
        is_about_profit,
        nullif(only_channels, '') as only_channels,
        is_stepped,
        occasion_is_private,
        is_optional,
        needs_consent,
        has_holdout,
        precedence,
        cooling_days,
        qualifies as qualifies_where
    from declared
)

select * from final
