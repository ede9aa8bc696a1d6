"""Gates for a training loop that Snowroll did not write."""
