"""Masks of a picture's parts, each in a file of its own that is called after the picture and the part: 7.jpg and
00007_hair.png, 00007_l_brow.png, however many parts there are and wherever they lie."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from snowroll.prepare.split_words import stem_of

_BREAK = re.compile(r"[ _.-]+(?=[A-Za-z])")
_FEWEST = 3  # files of a part
_LOOKED_AT = 8  # files of each part that are decoded to see whether they are masks


def parts_of(
    pictures: Sequence[str], are_masks: Callable[[Mapping[str, Sequence[str]]], set[str]]
) -> dict[str, dict[str, str]]:
    """picture -> its masks -> what each is of. are_masks: some files of each part -> the parts that are masks."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for where in pictures:
        by_key[_key(stem_of(where))].append(where)
    told: dict[str, list[tuple[str, str]]] = defaultdict(list)  # part -> [(mask, key of its picture)]
    for where in pictures:
        if of := _part(stem_of(where), by_key):
            told[of[1]].append((where, of[0]))
    told = {part: some for part, some in told.items() if len(some) >= _FEWEST}
    chosen = {part: [where for where, _ in some[:: max(1, len(some) // _LOOKED_AT)]] for part, some in told.items()}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for part in are_masks({part: some[:_LOOKED_AT] for part, some in chosen.items()}) if chosen else ():
        for mask, key in told[part]:
            if len(by_key[key]) == 1:
                found[by_key[key][0]][mask] = part
    return found


def _part(stem: str, keys: Mapping[str, object]) -> tuple[str, str] | None:
    """(key of the picture, what its mask is of)

    >>> _part("00007_l_brow", {"7": 1}), _part("7", {"7": 1})
    (('7', 'l_brow'), None)
    """
    breaks = ((_key(stem[: at.start()]), stem[at.end() :]) for at in _BREAK.finditer(stem))
    return next(((key, part) for key, part in breaks if key in keys), None)


def _key(stem: str) -> str:
    """Numbers without their zeros: lists of pictures and of masks are padded to different widths."""
    return str(int(stem)) if stem.isascii() and stem.isdecimal() else stem
