"""dbt seen from Dagster: its call, its lineage, what to tell of tables that fail, the register."""
