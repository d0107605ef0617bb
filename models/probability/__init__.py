"""What every predictor offers, and how its log odds become probabilities that come true."""
