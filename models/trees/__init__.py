"""Boosted trees as files and as arithmetic: whether one is sound, what each feature adds."""
