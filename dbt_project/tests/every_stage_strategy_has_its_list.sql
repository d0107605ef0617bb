{# A strategy that names a list nobody declared would never be carried out. #}
{%- set codes = declared_lists() | map(attribute='code') | list -%}
select
    scheme,
    stage,
    list_code
from {{ ref('stage_policy') }}
where list_code is not null and list_code not in ('{{ codes | join("', '") }}')
