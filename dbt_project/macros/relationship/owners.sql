{# Who acts for the customers of a representative: nobody who has left is given a task, so the manager takes over until
   the customers are handed on; NULL where that one has left, too. #}
{%- macro acting_owner(reps, managers) -%}
    case
        when not {{ reps }}.is_departed then {{ reps }}.rep_id
        when not {{ managers }}.is_departed then {{ managers }}.rep_id
    end
{%- endmacro -%}
