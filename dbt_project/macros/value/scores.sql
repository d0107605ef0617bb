{# What a customer's value is made of, for as_of (customer_value) and for every month-end before it (tier_history). #}

{# 0-100, from percent ranks (0-1, 1 best) by what is ranked; one that weighs nothing is not even computed. #}
{%- macro value_score(ranks) -%}
    cast(round(100 * (
            {%- for what, rank in ranks.items() if var('value_weight_' ~ what) %}
            {{ '+ ' if not loop.first }}{{ var('value_weight_' ~ what) }} * {{ rank }}
            {%- endfor %}
        ), 2) as decimal(5, 2))
{%- endmacro -%}

{# core, potential or general; `share_above`: share of customers with a better score. #}
{%- macro value_tier(gross_profit, share_above) -%}
    case
            when {{ gross_profit }} <= 0 then 'general'
            when {{ share_above }} < {{ var('value_core_share') }} then 'core'
            when {{ share_above }} < {{ var('value_core_share') }} + {{ var('value_potential_share') }} then 'potential'
            else 'general'
        end
{%- endmacro -%}

{# 1 (lowest fifth) to 5, of a percent rank; equal values share a score, whatever that does to the size of the fifths.
   No rank, no score: least() passes over a NULL, and who never ordered came out in the best fifth. #}
{%- macro fifth(rank) -%}
    case when {{ rank }} is not null then cast(least(1 + floor(5 * {{ rank }}), 5) as integer) end
{%- endmacro -%}
