-- Bayes' rule in churn_reasons counts on prior shares that add up to one.
select sum(prior_share) as total
from {{ ref('churn_reason') }}
having sum(prior_share) <> 1
