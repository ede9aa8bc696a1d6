"""How far a text is from the one that was meant: letters or words changed, left out and added."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Edits(NamedTuple):
    """Of the fewest steps from what was meant to what was said."""

    changed: int
    left_out: int
    added: int

    @property
    def total(self) -> int:
        return sum(self)


def edits(meant: Sequence[Hashable], said: Sequence[Hashable]) -> Edits:
    """The steps from `meant` to `said` (Levenshtein 1966; Wagner & Fischer 1974), the fewest there are.

    >>> edits("kitten", "sitting"), edits("one two".split(), "one".split()).left_out
    (Edits(changed=2, left_out=0, added=1), 1)
    """
    # a row of the table: (steps, changed, left out, added) to each beginning of `said`
    row = [(n, 0, 0, n) for n in range(len(said) + 1)]
    for n, one in enumerate(meant, 1):
        corner, row[0] = row[0], (n, 0, n, 0)
        for place, other in enumerate(said, 1):
            above, left = row[place], row[place - 1]
            if one == other:
                best = corner
            else:
                steps, changed, lost, added = min(corner, above, left, key=lambda cell: cell[0])
                if steps == corner[0]:
                    best = (corner[0] + 1, corner[1] + 1, corner[2], corner[3])
                elif steps == above[0]:
                    best = (steps + 1, changed, lost + 1, added)
                else:
                    best = (steps + 1, changed, lost, added + 1)
            corner, row[place] = above, best
    return Edits(*row[-1][1:])


def plain(text: str) -> str:
    """One spelling: composed characters (NFC), one space between words.

    >>> plain("  one\\ttwo ")
    'one two'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())
