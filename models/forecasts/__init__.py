"""Who returns, when the next order comes, what is earned: one way of learning, three forecasts."""
