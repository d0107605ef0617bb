{# From what a source wrote to the type the contract asks for. `stored` is the column's type in the
   Parquet file, none where the column was not delivered. A value that cannot be read gives NULL,
   never an error: the rules then say what was wrong with it. #}

{%- macro is_number_type(stored) -%}
    {{- return((stored or '').split('(')[0] in (
        'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT',
        'UHUGEINT', 'FLOAT', 'DOUBLE', 'DECIMAL'
    )) -}}
{%- endmacro -%}

{%- macro is_time_type(stored) -%}
    {{- return(stored == 'DATE' or (stored or '').startswith('TIMESTAMP')) -}}
{%- endmacro -%}

{# Whether the file already holds the kind of value that the contract asks for. #}
{%- macro is_native(type, stored) -%}
    {%- if type in ('integer', 'double') or type.startswith('decimal') -%} {{- return(is_number_type(stored)) -}}
    {%- elif type in ('timestamp', 'date') -%} {{- return(is_time_type(stored)) -}}
    {%- elif type == 'boolean' -%} {{- return(stored == 'BOOLEAN') -}}
    {%- else -%} {{- return(false) -}}
    {%- endif -%}
{%- endmacro -%}

{%- macro is_identifier(column) -%}
    {{- return(column.name.endswith('_id') or column.name == 'referred_by') -}}
{%- endmacro -%}

{# Whether a text contains what a regular expression describes. #}
{%- macro matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro -%}

{# Whether a text would be a number if it had a decimal point: 12,50. #}
{%- macro has_decimal_comma(text) -%}
    {{ matches(text, '^[+-]?[0-9]{1,3}([. ]?[0-9]{3})*,[0-9]{1,2}$') }}
{%- endmacro -%}

{# Text without surrounding space; the empty string becomes NULL. Exports bring more kinds of space than
   the blank: tab, line end, no-break, full-width, byte order mark. Trimming these costs five times a
   plain look at the first and the last character (10M values: 3.6 s, 0.8 s), so the look comes first. #}
{%- macro trimmed(text) -%}
    nullif(case when {{ matches(text, '^[^!-~]|[^!-~]$') }}
            then trim({{ text }}, ' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(12288) || chr(65279))
            else {{ text }} end, '')
{%- endmacro -%}

{# A number that identifies something, as text: the double 13085.0 is the customer 13085, whatever
   an empty cell in the same column did to its type. #}
{%- macro number_as_identifier(number) -%}
    case when {{ number }} = floor({{ number }}) and abs({{ number }}) < 1e18
            then cast(cast({{ number }} as bigint) as varchar)
            when isfinite(cast({{ number }} as double)) then cast({{ number }} as varchar) end
{%- endmacro -%}

{# What the source wrote: text without surrounding space, or the native value where it already is of the right kind. #}
{%- macro written_value(column, stored) -%}
    {%- if stored is none -%} cast(null as varchar)
    {%- elif is_native(column.type, stored) -%} {{ column.name }}
    {%- elif stored == 'VARCHAR' -%} {{ trimmed(column.name) }}
    {%- elif is_number_type(stored) and is_identifier(column) -%} {{ number_as_identifier(column.name) }}
    {%- else -%} cast({{ column.name }} as varchar)
    {%- endif -%}
{%- endmacro -%}

{# The written value, or NULL where it is a word for "nothing". Since a person may be called Null, these are words only
   in identifiers and in what is to be read as another type. "nan" for a number is no such word but a wrong number. #}
{%- macro given_value(column, stored) -%}
    {%- set written = 'written_' ~ column.name -%}
    {%- if stored == 'VARCHAR' and (is_identifier(column) or column.type != 'string') -%}
        {%- set words = ['null', 'none', 'n/a', '<na>', '\\n'] -%}
        {%- do words.append('nan') if column.type in ('string', 'timestamp', 'date', 'boolean') -%}
        {%- do words.append('nat') if column.type in ('timestamp', 'date') -%}
        case when lower({{ written }}) not in ('{{ words | join("', '") }}') then {{ written }} end
    {%- else -%}
        {{ written }}
    {%- endif -%}
{%- endmacro -%}

{# The given value in the type of the contract. #}
{%- macro typed_value(column, stored) -%}
    {%- set given = 'given_' ~ column.name -%}
    {%- set native = is_native(column.type, stored) -%}
    {%- if column.meta.default -%} coalesce({{ typed_text(column, given, stored) }}, '{{ column.meta.default }}')
    {%- elif stored is none -%} cast(null as {{ column.type }})
    {%- elif column.type == 'string' -%} {{ typed_text(column, given, stored) }}
    {%- elif column.type == 'integer' -%} {{ typed_integer(given, native) }}
    {%- elif column.type == 'timestamp' -%} {{ typed_timestamp(given, stored) }}
    {%- elif column.type == 'date' -%} {{ typed_date(given, stored) }}
    {%- elif column.type == 'boolean' and not native -%} {{ typed_boolean(given) }}
    {%- else -%} try_cast({{ given }} as {{ column.type }})
    {%- endif -%}
{%- endmacro -%}

{%- macro typed_text(column, given, stored) -%}
    {%- if column.meta.accepted -%} lower(replace(replace({{ given }}, ' ', '_'), '-', '_'))
    {%- elif column.name == 'currency' -%} upper({{ given }})
    {%- elif is_identifier(column) and stored == 'VARCHAR' -%}
        {#- a spreadsheet that once held an empty cell writes 13085.0 for the customer 13085 -#}
        case when {{ given }} like '%.0' then regexp_replace({{ given }}, '^([0-9]+)[.]0$', '\1') else {{ given }} end
    {%- else -%} {{ given }}
    {%- endif -%}
{%- endmacro -%}

{# A cast alone would round 2.5 to an integer. #}
{%- macro typed_integer(given, native) -%}
    {%- set number = given if native else 'try_cast(' ~ given ~ ' as decimal(38, 9))' -%}
    case when {{ number }} = floor({{ number }}) then try_cast({{ number }} as integer) end
{%- endmacro -%}

{%- macro typed_timestamp(given, stored) -%}
    {%- if stored == 'TIMESTAMP WITH TIME ZONE' -%} {{ zoned_to_utc(given) }}
    {%- elif is_time_type(stored) -%} {{ to_utc('try_cast(' ~ given ~ ' as timestamp)') }}
    {%- else -%}
        case when {{ matches(given, '^.{8}.*([zZ]|[+-][0-9:]+)$') }}
            then {{ zoned_to_utc('try_cast(' ~ given ~ ' as timestamptz)') }}
            else {{ to_utc('try_cast(' ~ given ~ ' as timestamp)') }} end
    {%- endif -%}
{%- endmacro -%}

{%- macro typed_date(given, stored) -%}
    {%- if stored == 'TIMESTAMP WITH TIME ZONE' -%} {{ business_date(zoned_to_utc(given)) }}
    {%- else -%} cast(try_cast({{ given }} as timestamp) as date)
    {%- endif -%}
{%- endmacro -%}

{%- macro typed_boolean(given) -%}
    case when lower({{ given }}) in ('true', 't', 'yes', 'y', '1', '1.0') then true
            when lower({{ given }}) in ('false', 'f', 'no', 'n', '0', '0.0') then false end
{%- endmacro -%}

{# A text without what a regular expression describes. #}
{%- macro without(text, pattern) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '', 'g')
{%- endmacro -%}

{# The digits of a text, in their order. #}
{%- macro digits(text) -%}
    {{ without(text, '[^0-9]') }}
{%- endmacro -%}

{# What a text looks like without what it says: letters as x, digits as 9, signs as they are. A phone number that
   slipped into a column of amounts must not leave with the row that it spoils. #}
{%- macro shape_of(text) -%}
    regexp_replace(regexp_replace({{ text }}, '[0-9]', '9', 'g'), '[^ -@\[-`{-~]', 'x', 'g')
{%- endmacro -%}
