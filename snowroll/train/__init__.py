"""Step 3: the loop, its optimisers, its gates, and what lets a killed run go on."""
