{# What makes a row of a table unusable, in the order in which the rules are asked:
   [{rule, breaks (a condition over the typed columns), reason (for people, without the value)}]. #}
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
            'reason': 'expected ' ~ type ~ ', found a value that is none'
        }) -%}
    {%- endif -%}
    {%- if type in ('timestamp', 'date') -%}
        {%- set earliest = meta.earliest or var('earliest_plausible_on') -%}
        {%- set latest = var('latest_plausible_on') -%}
        {%- if meta.known_with == name -%}
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
    {%- for rule in rules -%} {%- do rule.update({'reason': name ~ ': ' ~ rule.reason}) -%} {%- endfor -%}
    {{- return(rules) -}}
{%- endmacro -%}
