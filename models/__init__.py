"""Machine learning on plain frames: numpy, pandas, scikit-learn and XGBoost.

From the ground up: `frame` (what enters), `purchase` and `trees` (what is fitted), `probability`,
`evaluation` and `monitoring` (what it is held against), `versions` (what is kept and told of it),
then what is learnt: `churn`, `forecasts`, `effects`. `store` keeps the versions of all three.
Not here: Dagster, dbt, SQL, the environment, or any file but those of the model store.
"""
