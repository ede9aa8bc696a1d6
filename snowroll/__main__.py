"""`python -m snowroll`."""

from snowroll.cli import main

main()
