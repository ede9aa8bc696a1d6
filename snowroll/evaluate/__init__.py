"""Step 4: numbers with their intervals, where a model fails, and whether a new one may replace the old."""
