"""Cases, found by their files: see ../README.md."""
