"""Pictures that are numbered, and their labels and splits as lists of numbers in MATLAB's files, as Oxford's flowers
come: jpg/image_00001.jpg, imagelabels.mat, setid.mat."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.read import Folder
from snowroll.prepare.shards import Shard
from snowroll.prepare.split_words import SPLITS

Lists = dict[tuple[str, str], list[int]]  # (file, name in it)
_MOST_FILES = 20  # more of them are recordings or annotations, one each


def read_numbered(folder: Folder, pictures: Sequence[str]) -> Reading | None:
    """The pictures whose names count from 1 to as many as the only list of labels has."""
    files = [entry.where for entry in folder.entries() if entry.where.lower().endswith(".mat")]
    if not pictures or not 0 < len(files) <= _MOST_FILES:
        return None
    shards = {where: shard for where, shard in folder.shards(files).items() if isinstance(shard, Shard)}
    lists: Lists = {(where, name): some for where, shard in shards.items() for name, some in shard.numbers.items()}
    for numbered in _series(pictures).values():
        n = len(numbered)
        labels = [name for name, some in lists.items() if len(some) == n and 1 < len({*some}) < n]
        if len(labels) == 1 and numbered.keys() == {*range(1, n + 1)} and 2 * n >= len(pictures):
            return _reading(pictures, numbered, lists, *labels)
    return None


def _reading(pictures: Sequence[str], numbered: Mapping[int, str], lists: Lists, name: tuple[str, str]) -> Reading:
    labels, (splits, files) = lists[name], _splits(lists, len(numbered))
    found = (Found(where, str(labels[n - 1]), None, splits.get(n)) for n, where in sorted(numbered.items()))
    told = f"{len(numbered):,} pictures numbered as {numbered[1]} is, labelled by '{name[1]}' in {name[0]}"
    told += f": {len({*labels}):,} classes" + "".join(f"; splits by {file}" for file in files)
    skipped = dict.fromkeys({*pictures} - {*numbered.values()}, "it lies beside the numbered pictures")
    skipped |= dict.fromkeys([name[0], *files], "labels and splits of the pictures")
    return Reading("a list for numbered pictures", (told,), tuple(found), skipped)


def _series(pictures: Sequence[str]) -> dict[str, dict[int, str]]:
    """What stands before the last number of a name -> number -> picture."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for where in pictures:
        if match := re.fullmatch(r"(.*?)(\d{1,9})\.\w+", where):
            found[match[1]][int(match[2])] = where
    return found


def _splits(lists: Mapping[tuple[str, str], Sequence[int]], n: int) -> tuple[dict[int, Split], list[str]]:
    """(number -> its split, the files that tell it): lists called trnid, valid and tstid that share no number."""
    called = {name: re.sub(r"_?(ids?|idx|indices)$", "", name[1].lower()) for name in lists}
    meant: dict[tuple[str, str], Split] = {name: SPLITS[word] for name, word in called.items() if word in SPLITS}
    numbers = [number for name in meant for number in lists[name]]
    if len({*meant.values()}) < 2 or len({*numbers}) < len(numbers) or not {*numbers} <= {*range(1, n + 1)}:
        return {}, []
    told: dict[int, Split] = {number: split for name, split in meant.items() for number in lists[name]}
    return told, sorted({file for file, _ in meant})
