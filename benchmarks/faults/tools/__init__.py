"""Adapters, one a tool: NAME, PACKAGES, and data(root) or training(program). See ../README.md."""
