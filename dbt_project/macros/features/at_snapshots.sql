{# The events of a relation as every snapshot sees them: those of the snapshot's day or before, with their age in days (0 on
   the snapshot's day). `within` drops older ones. The only way a feature reads an event: what comes later cannot be seen. #}
{%- macro at_snapshots(relation, happened_on, within=none) -%}
    select
        snapshots.snapshot_on,
        cast({{ days_between('events.' ~ happened_on, 'snapshots.snapshot_on') }} as integer) as age_days,
        events.*
    from {{ relation }} as events
    inner join {{ ref('snapshots') }} as snapshots
        on events.{{ happened_on }} <= snapshots.snapshot_on
        {% if within %}and events.{{ happened_on }} > {{ days_after('snapshots.snapshot_on', -within) }}{% endif %}
{%- endmacro -%}
