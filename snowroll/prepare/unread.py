"""Files that may say what is in the pictures, and that nothing reads: whoever is shown classes has to know of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from snowroll.prepare.disk import Entry
from snowroll.prepare.split_words import stem_of

_TEXTS = (".json", ".jsonl", ".ndjson", ".xml", ".csv", ".tsv", ".txt", ".lst")
_BINARIES = (".mat", ".pkl", ".npy", ".h5", ".hdf5", ".parquet")
_LARGE = 8192  # bytes at least of a file that tells something of all pictures
_OF_ONE = 8  # bytes at least that it takes for each: a name, or a number
_TOLD = 3
_ABOUT = re.compile(r"readme|licen[sc]e|copying|changelog|requirements", re.IGNORECASE)
_CURE = "if they say what is in them, the folders are no classes"


def unread_beside(pictures: Collection[str], others: Sequence[Entry]) -> list[str]:
    """Sentences about files that are called like at least half of the pictures, and about large ones that may be
    annotations. others: what is no picture and was of no use.
    """
    return [*_called_alike(pictures, others), *_large(len(pictures), others)]


def _called_alike(pictures: Collection[str], others: Sequence[Entry]) -> list[str]:
    names = {name for where in pictures for name in (stem_of(where), _name(where))}
    by_ending: dict[str, list[str]] = defaultdict(list)
    for entry in others:
        if stem_of(entry.where) in names:  # 1.txt of 1.jpg, and 1.jpg.json, too
            by_ending[_name(entry.where).rpartition(".")[2].lower()].append(entry.where)
    told = {stem_of(where) for some in by_ending.values() for where in some}
    if 2 * sum(stem_of(where) in told or _name(where) in told for where in pictures) < len(pictures):
        return []
    often = sorted(by_ending.items(), key=lambda one: (-len(one[1]), one[0]))[:_TOLD]
    return [
        f"{len(some):,} .{ending} files such as {min(some)} are called like the pictures and are not read: {_CURE}"
        for ending, some in often
    ]


def _large(pictures: int, others: Sequence[Entry]) -> list[str]:
    """About files that are alone of their kind of name: a log of each day is no annotation of all pictures."""
    least = max(_LARGE, _OF_ONE * pictures)
    may_tell = [entry for entry in others if entry.size >= least and _may_annotate(entry.where)]
    alike = Counter(re.sub(r"\d+", "#", entry.where) for entry in may_tell)
    largest = sorted(may_tell, key=lambda entry: (-entry.size, entry.where))
    lone = [entry for entry in largest if alike[re.sub(r"\d+", "#", entry.where)] <= _TOLD]
    return [
        f"{entry.where} ({entry.size >> 10:,} KiB) is not read: if it says what is in the pictures, the folders are no "
        "classes"
        for entry in lone[:_TOLD]
    ]


def _may_annotate(where: str) -> bool:
    name = _name(where).lower()
    has_ending = "." in name
    return not _ABOUT.search(name) and (not has_ending or name.endswith((*_TEXTS, *_BINARIES)))


def _name(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[2]
