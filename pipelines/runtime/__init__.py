"""What runs beneath a run: Dagster's storage in the home, its event log, what a process spares."""
