"""Step 2: networks by name, fresh or from weights on disk, and the rules that choose among them."""
