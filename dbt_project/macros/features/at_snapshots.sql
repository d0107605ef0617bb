{# The events of a relation as every snapshot sees them: those of the snapshot's day or before, with their age in days
   (0 on the day itself); `within` drops older ones. Features read events in no other way, so none can see later ones. #}
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
