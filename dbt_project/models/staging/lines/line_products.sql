with priced_lines as (
    select * from {{ ref('priced_lines') }}
),

names as (
    select
        product_id,
        product_name,
        category,
        count(*) as uses
    from priced_lines
    group by product_id, product_name, category
),

final as (
    select
        product_id,
        product_name as name,
        category
    from names
    qualify row_number() over (
        partition by product_id
        order by product_name is null asc, category is null asc, uses desc, product_name asc, category asc
    ) = 1
)

select * from final
