"""Masks that are handed out in the place of those that are kept secret: of a test's, nothing but what is in all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading

_FEWEST = 5  # masks of a split, and of the others, that tell
_ALIKE = 0.9  # share of a split's masks that hold the same classes
_USUAL = 0.5  # share of the other masks from which on a class is usual; of the usual ones that are missing


def without_secret(reading: Reading) -> Reading:
    """Without the labels of a split whose masks all hold the same classes, where of those that other masks usually hold
    half are in none: a border of the lens, say, or nothing."""
    secret = _secret_splits(reading.found)
    if not secret:
        return reading
    named = [one.where for one in reading.found if one.split in secret and one.target]
    found = [replace(one, target=None) if one.split in secret else one for one in reading.found]
    told = (
        f"{len(named):,} masks of the {' and the '.join(secret)} set all hold the same, and little of what others "
        f"do: they stand in for masks that are kept secret, and are no labels, as of {named[0]}"
    )
    return replace(reading, found=tuple(found), evidence=(*reading.evidence, told))


def _secret_splits(found: Sequence[Found]) -> list[Split]:
    held: dict[Split, list[frozenset[str]]] = defaultdict(list)
    for one in found:
        if one.target and one.split:
            held[one.split].append(frozenset(one.target["classes"]) - {""})
    return [split for split in held if split != "train" and _stands_in(split, held)]


def _stands_in(split: Split, held: dict[Split, list[frozenset[str]]]) -> bool:
    here, others = held[split], [some for other, all_of in held.items() if other != split for some in all_of]
    if min(len(here), len(others)) < _FEWEST or Counter(here).most_common(1)[0][1] < _ALIKE * len(here):
        return False
    counts = Counter(chain.from_iterable(others))
    usual = {name for name, n in counts.items() if n >= _USUAL * len(others)}
    missing = usual - frozenset[str]().union(*here)
    return bool(missing) and len(missing) >= _USUAL * len(usual)
