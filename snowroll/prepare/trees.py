"""Files of a folder that may hold annotations: JSON as trees, and what may be wrong with what they tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, MutableMapping
from typing import Any

from snowroll.base.nouns import Json
from snowroll.prepare.manifest import TOO_LARGE
from snowroll.prepare.read import Folder

LARGEST = 256 << 20  # bytes of one annotation file
_LARGEST_JSON = 512 << 20  # the most that is read of any file (archives.Limits); COCO's largest has 448 MB
_LISTS = (".json", ".jsonl", ".ndjson", ".xml", ".csv", ".tsv", ".txt")
_WIDEST = 1 << 31  # pixels of a side: no format of pictures has more
# what ends in these is not what its format says; numbers of JSON may be too large for any arithmetic
UNUSABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError)


def json_trees(
    folder: Folder, skipped: MutableMapping[str, str], *signs: bytes, thin: Callable[[Json], Json] | None = None
) -> Iterator[tuple[str, Json]]:
    """(where, parsed) of each JSON file that holds these bytes; others are not parsed. What cannot be read, or is too
    large, goes to `skipped` with the reason.

    thin: what is kept of each object, once it is parsed: the whole tree of a large file may not fit in memory.
    """
    files = [entry for entry in folder.entries() if entry.where.lower().endswith(".json")]
    for entry in files:
        if entry.size > _LARGEST_JSON:
            skipped[entry.where] = f"{TOO_LARGE} ({entry.size >> 20:,} of {_LARGEST_JSON >> 20:,} MiB)"
    for where, raw in folder.stream([entry.where for entry in files if entry.size <= _LARGEST_JSON]):
        if not all(sign in raw for sign in signs):
            continue
        try:
            yield where, json.loads(raw, object_hook=thin)
        except (ValueError, RecursionError):
            skipped[where] = "JSON that cannot be read"


def oversized(folder: Folder, found: Collection[str]) -> dict[str, str]:
    """Files that may say what pictures show and are larger than any that is read: where -> why. Of those none that
    holds a sample; found: where the samples lie.
    """
    large = {
        entry.where: f"{TOO_LARGE} ({entry.size >> 20:,} of {most >> 20:,} MiB)"
        for entry in folder.entries()
        if entry.where.lower().endswith(_LISTS)
        and entry.size > (most := _LARGEST_JSON if entry.where.lower().endswith(".json") else LARGEST)
    }
    used = {where for where in large if any(one.startswith(where) for one in found)}
    return {where: why for where, why in large.items() if where not in used}


def size_told(wide: Any, high: Any) -> tuple[int, int] | None:
    """Width and height of a picture as a file tells them; None where these are no sides."""
    try:
        size = int(float(wide)), int(float(high))
    except UNUSABLE:
        return None
    return size if all(0 < side < _WIDEST for side in size) else None
