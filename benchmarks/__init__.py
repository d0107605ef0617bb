"""What was measured, and how to measure it again. Not imported by the product."""
