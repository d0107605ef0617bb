"""Models of buying and leaving from three numbers per customer: no features, no outcome."""
