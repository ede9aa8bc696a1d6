"""In which order people are told names of classes. The order in which a model numbers them is its schema's own."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


def in_order(names: Iterable[str]) -> list[str]:
    """Numbers by their value, then words as they come.

    >>> in_order(["10", "1", "-1", "2.5", "nut", "bolt"])
    ['-1', '1', '2.5', '10', 'nut', 'bolt']
    """
    return sorted(names, key=lambda name: (0, float(name)) if _NUMBER.fullmatch(name) else (1, 0.0))
