"""Beside the steps: the project folder. Blobs by SHA-256, one SQLite catalog, an append-only journal. No torch."""
