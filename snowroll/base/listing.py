"""How many names people are told, how much of a text, and in which order. The order in which a model numbers its
classes is its schema's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)


def in_order(names: Iterable[str]) -> list[str]:
    """Numbers by their value, then words as they come.

    >>> in_order(["10", "1", "-1", "2.5", "nut", "bolt"])
    ['-1', '1', '2.5', '10', 'nut', 'bolt']
    """
    return sorted(names, key=lambda name: (0, float(name)) if _NUMBER.fullmatch(name) else (1, 0.0))


def few(names: Sequence[str], most: int = 12) -> str:
    """
    >>> few(["bolt", "nut"]), few(["bolt", "nut", "pin", "rivet"], 2)
    ('bolt, nut', 'bolt, nut and 2 more')
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shortened(text: str, most: int = 1_000) -> str:
    """A text that fills no screen: what a stranger's file holds may be of any length.

    >>> shortened("a long text", 6)
    'a long ... and 5 letters more'
    """
    return text if len(text) <= most else f"{text[:most]} ... and {len(text) - most:,} letters more"
