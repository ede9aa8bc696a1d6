"""JSON files of a folder that may hold annotations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping

from snowroll.base.nouns import Json
from snowroll.prepare.manifest import TOO_LARGE
from snowroll.prepare.read import Folder

LARGEST = 256 << 20  # bytes of one annotation file
_LARGEST_JSON = 512 << 20  # the most that is read of any file (archives.Limits); COCO's largest has 448 MB


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
