"""How good predictions were, for whom, and how sure that is. Nothing here fits a model."""
