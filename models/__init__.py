"""Machine learning on plain frames: numpy, pandas, scikit-learn and XGBoost.

Here: splits, baselines, the churn model, calibration, evaluation, drivers and the model store.
Not here: Dagster, dbt, SQL, the environment, or any file but those of the model store.
"""
