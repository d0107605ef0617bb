"""Who stops buying: baselines, trees, one training, scores with their drivers, the backtest."""
