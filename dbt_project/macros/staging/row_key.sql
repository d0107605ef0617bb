{# What names a row to people: the columns of its key; where all columns are the key, the identifiers among them.
   The keys of bad rows are published: where columns slipped, a mail address must not come out as one. #}
{%- macro row_key(contract) -%}
    {%- set parts = [] -%}
    {%- for column in contract.columns if column.name in contract.key and (contract.key == contract.identity or is_identifier(column)) -%}
        {%- set text = 'cast(' ~ column.name ~ ' as string)' -%}
        {%- do parts.append("case when " ~ text ~ " like '%@%' then '(mail address)' else " ~ text ~ " end") -%}
    {%- endfor -%}
    concat_ws('/'{% for part in parts %}, {{ part }}{% endfor %})
{%- endmacro -%}
