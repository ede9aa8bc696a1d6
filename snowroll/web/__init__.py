"""Door 2: the browser. The label page and the routes behind it."""
