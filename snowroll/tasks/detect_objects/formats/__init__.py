"""How annotation tools write boxes down. Each module reads its format from a folder and writes it back."""
