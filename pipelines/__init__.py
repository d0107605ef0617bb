"""Wiring: the only room that imports Dagster.

Here: settings, resources, sources, assets, schedules, sensors and the command line.
Not here: tables (dbt_project/), machine learning (models/), expectations (checks/).
"""
