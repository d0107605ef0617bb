"""How good predictions were, for whom, how sure that is, and what is served. Nothing is fitted.

Metrics of `probabilities` and of `amounts`, resampled by `bootstrap`, are the figures of `judging`;
the `gate` decides by them. `segments` and `curves` look closer.
"""
