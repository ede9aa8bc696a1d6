"""Which code found something, so that what other code found is not taken for its own."""

from __future__ import annotations

from functools import cache
from inspect import getfile
from pathlib import Path
from typing import Any

from snowroll.base.nouns import digest


@cache
def code_beside(*things: Any) -> str:
    """One name for all source in the folders where these classes, functions or modules are defined."""
    folders = sorted({Path(getfile(thing)).parent for thing in things})
    return digest(*(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.py"))))
