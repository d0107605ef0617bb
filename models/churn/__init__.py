"""Who stops buying: baselines, trees, one training, scores with their drivers, the backtest.

`history` is what was known on a day, `fitting` learns from it, `out_of_time` holds it against what
came after; `training` decides by that what is served, `backtest` asks it of earlier days.
"""
