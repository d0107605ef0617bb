{# A representative has left, or said that he will: what is about to be signed goes first, then whoever brings most. What
   may be false or worthless is handed over too, and told apart. Who left the company himself is a matter of the lists
   revisit and win_back, which ask for his consent, unless he waits for an answer to a quotation. #}
{% call retention_list(
    title='Customers of representatives who leave',
    who='Customers whose representative on record has left, or leaves within var handover_ahead_days, and to whom no representative has spoken since; of churned ones, those with an open quotation',
    kind='duty',
    needs=[['customers.owner_id'], ['reps.departed_at']],
    goal='handover',
    cadence='handover',
    plan_for="case when is_near_signing then 'close_to_signing' when is_doubtful then 'doubtful_data' when " ~ is_key_customer() ~ " then 'key_customer' when open_quotes > 0 then 'open_quote' else 'other' end",
    action="case when is_owner_still_there and not is_doubtful then 'Let the representative who leaves introduce the successor while he is there' end",
    topic="'New representative'",
    occasion="leaving_owner_id",
    occasion_on='owner_leaves_on',
    rank="case when is_near_signing then 1000000 + least(coalesce(open_quoted_amount, 0), 1000000000) else least(coalesce(gross_profit_12m, 0), 999999) end",
    ranked_by='quotations near signing first, by amount; then profit of the last 12 months (home currency)'
) %}
    leaving_owner_id is not null
    -- whoever was spoken to since has somebody to talk to; handover_pack names him all the same
    and coalesce(last_rep_contact_on <= owner_leaves_on, true)
    and (lifecycle_stage <> 'churned' or open_quotes > 0)
{% endcall %}
