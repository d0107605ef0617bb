{# What makes a row of a table unusable, in the order in which the rules are asked:
   [{rule, breaks (a condition over the typed columns), reason (for people, without the value), column (whose value
   is at fault and may be shown; absent where several are, or where it describes a person)}]. #}
{%- macro row_rules(table) -%}
    {%- set rules = [] -%}
    {%- for column in table_contract(table).columns -%}
        {%- do rules.extend(column_rules(column)) -%}
    {%- endfor -%}
    {{- return(rules) -}}
{%- endmacro -%}

{%- macro column_rules(column) -%}
    {%- set name, type, meta = column.name, column.type, column.meta -%}
    {%- set rules = [] -%}
    {%- if meta.required -%}
        {%- do rules.append({'rule': name ~ '_missing', 'breaks': 'given_' ~ name ~ ' is null', 'reason': 'required, found nothing'}) -%}
    {%- endif -%}
    {%- if type != 'string' -%}
        {%- do rules.append({
            'rule': name ~ '_not_' ~ {'integer': 'an_integer', 'timestamp': 'a_time', 'date': 'a_date', 'boolean': 'a_boolean'}.get(type, 'a_number'),
            'breaks': name ~ ' is null and given_' ~ name ~ ' is not null',
            'reason': 'expected ' ~ type ~ ', found a value that is none',
            'may_have_comma': type in ('integer', 'double') or type.startswith('decimal')
        }) -%}
    {%- endif -%}
    {%- if type in ('timestamp', 'date') -%}
        {%- set earliest = meta.earliest or var('earliest_plausible_on') -%}
        {%- set latest = var('latest_plausible_on') -%}
        {%- if name in known_with(column) -%}
            {#- a placeholder such as 9999-12-31 means "not yet" here, and is masked as every time to come -#}
            {%- do rules.append({
                'rule': name ~ '_implausible', 'breaks': name ~ " < cast('" ~ earliest ~ "' as " ~ type ~ ')',
                'reason': 'expected ' ~ earliest ~ ' or later, found an earlier time'
            }) -%}
        {%- else -%}
            {%- do rules.append({
                'rule': name ~ '_implausible',
                'breaks': name ~ " < cast('" ~ earliest ~ "' as " ~ type ~ ') or ' ~ name ~ " >= cast('" ~ latest ~ "' as " ~ type ~ ')',
                'reason': 'expected ' ~ earliest ~ ' or later and before ' ~ latest ~ ', found a time outside'
            }) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if type.startswith('decimal') -%}
        {%- set largest = var('largest_plausible_amount') -%}
        {%- do rules.append({
            'rule': name ~ '_implausible', 'breaks': 'abs(' ~ name ~ ') > ' ~ largest,
            'reason': 'expected at most ' ~ largest ~ ', found more'
        }) -%}
    {%- endif -%}
    {%- if meta.minimum is defined -%}
        {%- do rules.append({
            'rule': name ~ '_below_minimum', 'breaks': name ~ ' < ' ~ meta.minimum,
            'reason': 'expected ' ~ meta.minimum ~ ' or more, found less'
        }) -%}
    {%- endif -%}
    {%- if meta.maximum is defined -%}
        {%- do rules.append({
            'rule': name ~ '_above_maximum', 'breaks': name ~ ' > ' ~ meta.maximum,
            'reason': 'expected ' ~ meta.maximum ~ ' or less, found more'
        }) -%}
    {%- endif -%}
    {%- if meta.nonzero -%}
        {%- do rules.append({'rule': name ~ '_zero', 'breaks': name ~ ' = 0', 'reason': 'expected a number other than 0, found 0'}) -%}
    {%- endif -%}
    {%- if meta.accepted -%}
        {%- do rules.append({
            'rule': name ~ '_unknown', 'breaks': name ~ " not in ('" ~ meta.accepted | join("', '") ~ "')",
            'reason': 'expected one of ' ~ meta.accepted | join(', ') ~ ', found another code'
        }) -%}
    {%- endif -%}
    {%- for rule in rules -%} 
        {%- do rule.update({'reason': name ~ ': ' ~ rule.reason}) -%}
        {%- do rule.update({'column': name}) if not meta.personal -%}
    {%- endfor -%}
    {{- return(rules) -}}
{%- endmacro -%}

{# The reason of a rule as SQL. A number written as 12,50 is told what mends it, as the border `arrival` tells whole columns. #}
{%- macro reason_text(rule, value) -%}
    {%- if rule.may_have_comma -%}
        {%- set mended = 'replace(replace(' ~ rule.column ~ ", '.', ''), ',', '.')" -%}
        {%- set hint = rule.column ~ ': expected a decimal point, found a decimal comma; in mapping.toml: '
            ~ rule.column ~ ' = { sql = "' ~ mended ~ '" }' -%}
        case when {{ has_decimal_comma(value) }} then '{{ hint | replace("'", "''") }}' else '{{ rule.reason }}' end
    {%- else -%} '{{ rule.reason }}'
    {%- endif -%}
{%- endmacro -%}

{# The columns that a rule may show a value of. #}
{%- macro shown_columns(rules) -%}
    {{- return(rules | selectattr('column', 'defined') | map(attribute='column') | unique | list) -}}
{%- endmacro -%}

{# What the source gave in the column that the broken rule is about. A row whose values slipped by a column may hold
   anything there, so no more than a figure, a code or a word is shown. #}
{%- macro value_at_fault(rules) -%}
    {%- set shown = rules | selectattr('column', 'defined') | list -%}
    case
            {%- for name in shown_columns(rules) %}
            when _rule in ('{{ shown | selectattr('column', 'equalto', name) | map(attribute='rule') | join("', '") }}')
                then left(cast(given_{{ name }} as string), 40)
            {%- endfor %}
        end
{%- endmacro -%}

{# The rules that a row breaks beside the first one, between commas. Of a row that is none the columns say nothing. #}
{%- macro further_rules(rules) -%}
    nullif(concat_ws(
            ', '
            {%- for rule in rules %},
            case when _rule not in ('row_malformed', '{{ rule.rule }}') and ({{ rule.breaks }}) then '{{ rule.rule }}' end
            {%- endfor %}
        ), '')
{%- endmacro -%}
