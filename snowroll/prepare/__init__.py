"""Step 1: read a folder, split it, decode it once into a pack."""
