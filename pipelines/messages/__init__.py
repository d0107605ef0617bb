"""What people are told: the screen at the end, why a run failed, alerts, pictures in the UI."""
