"""Classes that say how scans were made, and nothing of a patient: T1 beside T2, CT beside MR."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from snowroll.base.task import Reading

_WAYS = frozenset(
    {"t1", "t1w", "t1c", "t1ce", "t1gd", "t1n", "t2", "t2w", "t2f", "t2star", "flair", "pd", "pdw", "dwi", "dti", "adc"}
    | {"swi", "mra", "mr", "mri", "ct", "cta", "pet", "bold", "asl"}
)
_TABLES = (".csv", ".tsv", ".xls", ".xlsx", ".json", ".txt")
_NAMED = 3


def with_ways_told(reading: Reading, others: Sequence[str]) -> Reading:
    """With a warning before all else, where the folders taken for classes are ways of scanning. others: files that are
    no scans and of no use.
    """
    classes = sorted({str(one.target) for one in reading.found if one.target is not None})
    if not _are_ways(classes):
        return reading
    told = (
        f"the classes {', '.join(classes[:6])} are ways of scanning, and say nothing of a patient: a list with a line "
        "for each scan and a column of classes says what is to be told"
    )
    tables = sorted(where for where in others if where.lower().endswith(_TABLES) and "readme" not in where.lower())
    beside = [f"{', '.join(tables[:_NAMED])} may say more, and is not read: it names no scan as it lies there"]
    return replace(reading, evidence=(told, *(beside if tables else ()), *reading.evidence))


def _are_ways(names: Collection[str]) -> bool:
    """Whether what tells them apart is how each was made.

    >>> _are_ways(["IXI-T1", "IXI-T2"]), _are_ways(["T1 tumour", "T1 healthy"]), _are_ways(["ct", "ill"])
    (True, False, False)
    """
    words = [set(re.findall(r"[^\W_]+", name.lower())) for name in names]
    shared = set[str].intersection(*words) if words else set[str]()
    return len(words) > 1 and all(some - shared and some - shared <= _WAYS for some in words)
