-- Quarantine, never loss: what the ledger calls accepted stands in a fact, unless it is of a test account.
select
    priced_orders.order_id,
    priced_orders.status
from {{ ref('priced_orders') }} as priced_orders
anti join {{ ref('test_accounts') }} as test_accounts on priced_orders.customer_id = test_accounts.customer_id
anti join {{ ref('fct_orders') }} as fct_orders on priced_orders.order_id = fct_orders.order_id
anti join {{ ref('fct_returns') }} as fct_returns on priced_orders.order_id = fct_returns.order_id
