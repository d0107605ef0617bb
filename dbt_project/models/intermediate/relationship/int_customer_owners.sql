with

customers as (
    select * from {{ ref('int_customers') }}
),

versions as (
    select
        customer_id,
        owner_id,
        coalesce(updated_on, _batch) as written_on,
        updated_at,
        _batch,
        _row
    from {{ ref('checked_customers') }}
    -- what staging sees, but for the rank: here every version counts
    where
        _rule is null
        and not _duplicate
        and created_on <= {{ as_of() }}
        {%- if var('as_known_then') %}
        and _batch <= {{ as_of() }}
        {%- endif %}
),

-- what a day ended with
daily as (
    select * from versions
    qualify row_number() over (
        partition by customer_id, written_on
        order by updated_at desc nulls last, _batch desc, _row desc
    ) = 1
),

placed as (
    select
        *,
        row_number() over by_time as version_number,
        lag(owner_id) over by_time as previous_owner_id
    from daily
    window by_time as (partition by customer_id order by written_on)
),

-- the first version stands for the time before it was written, as in staging
changes as (
    select *
    from placed
    where
        version_number = 1
        or (owner_id is distinct from previous_owner_id and written_on <= {{ as_of() }})
),

final as (
    select
        changes.customer_id,
        changes.owner_id,
        case
            when changes.version_number = 1 then least(customers.known_on, changes.written_on)
            else changes.written_on
        end as valid_from,
        lead(changes.written_on) over (partition by changes.customer_id order by changes.written_on) as valid_to
    from changes
    inner join customers on changes.customer_id = customers.customer_id
)

select * from final
