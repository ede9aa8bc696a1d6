"""Sets of files of many pictures, as CIFAR, SVHN and STL-10 come: which are to learn from, what classes are called."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from snowroll.base.errors import DataError
from snowroll.base.listing import in_order
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.disk import Entry
from snowroll.prepare.names import home_of, is_shard
from snowroll.prepare.read import Folder
from snowroll.prepare.shards import Shard
from snowroll.prepare.split_words import SPLITS

_MOST_FILES = 100  # recordings and scans are .mat files too, one each
_NAME_LISTS = {
    "batches.meta.txt": "label_names",
    "fine_label_names.txt": "fine_label_names",
    "class_names.txt": "class_names",
}


def read_shards(folder: Folder, entries: Sequence[Entry]) -> Reading | None:
    """Every picture in the files of one set is a sample, its class the label that its file gives it.

    What tells no split among files of which some are for testing, is to learn from.
    """
    wheres = [entry.where for entry in entries if is_shard(entry.where)]
    if len(wheres) > _MOST_FILES:
        why = f"one of {len(wheres):,} files that may hold many pictures, and {_MOST_FILES} are opened at most"
        folder.refused = {**dict.fromkeys(wheres, why), **folder.refused}
        return None
    opened = folder.shards(wheres)
    shards = {where: shard for where, shard in opened.items() if isinstance(shard, Shard)}
    skipped = {where: str(fault) for where, fault in opened.items() if isinstance(fault, DataError)}
    shards |= _with_labels_beside(folder, shards, skipped)
    sets: dict[str, dict[str, Shard]] = defaultdict(dict)
    for where, shard in shards.items():
        if shard.count and shard.labels:
            sets[home_of(where)][where] = shard
        elif shard.count:
            skipped[where] = f"{shard.what} of {shard.count:,} pictures without labels"
        elif shard.numbers:
            skipped[where] = shard.what
        elif shard.names:
            skipped[where] = "names of classes"
        elif "batch" in where[len(home_of(where)) :]:  # what is called 'train' may be anything
            skipped[where] = shard.what
    skipped |= _copies(sets)
    if len(sets) > 1:
        why = f"several sets lie side by side ({', '.join(sorted(sets))}), each with classes of its own"
        told = f"{why}: give --data on the folder of one"
        folder.refused.update({where: told for files in sets.values() for where in files})
        return None
    if not sets:
        folder.refused = {**skipped, **folder.refused}
        return None
    home, files = next(iter(sets.items()))
    names = _names(folder, entries, home, shards)
    splits = _splits(list(files))
    numbers = [label for shard in files.values() for label in shard.labels]
    found: list[Found] = []
    for where, shard in files.items():
        try:
            targets = _targets(shard, names, numbers)
        except DataError as fault:
            skipped[where] = fault.what
            continue
        found += [Found(f"{where}#@{number}", target, None, splits[where]) for number, target in enumerate(targets)]
    if not found:
        folder.refused = {**skipped, **folder.refused}
        return None
    return Reading("files of many pictures", (_evidence(files, found),), tuple(found), skipped)


def _with_labels_beside(folder: Folder, shards: Mapping[str, Shard], skipped: dict[str, str]) -> dict[str, Shard]:
    """Those of train_X.bin whose labels are the bytes of train_y.bin."""
    beside = {where: f"{where[:-5]}y.bin" for where in shards if where.lower().endswith("_x.bin")}
    found: dict[str, Shard] = {}
    for where, file in beside.items():
        if file in shards:
            labels = [*folder.read(file)]
            if len(labels) == shards[where].count:
                found[where] = replace(shards[where], labels=labels, labelled_by=file.rpartition("/")[2])
                skipped[file] = "the labels of pictures beside it"
    return found


def _evidence(files: Mapping[str, Shard], found: Sequence[Found]) -> str:
    counts = Counter(str(one.target) for one in found)
    few = ", ".join(f"{name} {counts[name]:,}" for name in in_order(sorted(counts))[:12]) + ", ..." * (len(counts) > 12)
    first, shard = next(iter(files.items()))
    kinds = f"{shard.shape} labelled by '{shard.labelled_by}'"
    return f"{len(found):,} pictures {kinds} in {len(files):,} files such as {first}, {shard.what}: {few}"


def _copies(sets: dict[str, dict[str, Shard]]) -> dict[str, str]:
    """Takes out the sets that hold again what another does, as an archive beside what was unpacked from it."""
    kept: dict[tuple[tuple[str, str], ...], str] = {}
    skipped: dict[str, str] = {}
    for home in sorted(sets, key=lambda home: ("!" in home, home)):
        told = tuple(
            sorted((where[len(home) :], ",".join(map(str, shard.labels))) for where, shard in sets[home].items())
        )
        if told in kept:
            skipped |= dict.fromkeys(sets.pop(home), f"holds again what lies in '{kept[told]}'")
        kept.setdefault(told, home)
    return skipped


def _splits(files: Sequence[str]) -> dict[str, Split | None]:
    told: dict[str, Split | None] = {}
    for where in files:
        words = re.findall(r"[^\W\d_]+", where[len(home_of(where)) :].lower())
        splits: set[Split] = {SPLITS[word] for word in words if word in SPLITS}
        told[where] = splits.pop() if len(splits) == 1 else None
    if "test" in told.values():
        return {where: split or "train" for where, split in told.items()}
    return told


def _names(folder: Folder, entries: Sequence[Entry], home: str, shards: Mapping[str, Shard]) -> dict[str, list[str]]:
    """Lists of the names of classes that lie beside the files of a set, in files of their own."""
    names: dict[str, list[str]] = {}
    for where, shard in shards.items():
        if home_of(where) == home:
            names |= shard.names
    lists = {f"{home}{name}": key for name, key in _NAME_LISTS.items()}
    there = [entry.where for entry in entries if entry.where in lists and entry.size < 1 << 20]
    for where, raw in folder.stream(there):
        names.setdefault(lists[where], [line for line in raw.decode("utf-8", "replace").split("\n") if line.strip()])
    return {key: [name.strip() for name in told] for key, told in names.items()}


def _targets(shard: Shard, names: Mapping[str, list[str]], numbers: Sequence[Any]) -> list[str]:
    """Labels by their names, where there is a name for each. Raises DataError where there are too few. numbers: the
    labels of all files, which count from 1 where they come to as many as there are names.
    """
    called = names.get(re.sub("labels?$", "label_names", shard.labelled_by), names.get("class_names"))
    if not called or not all(isinstance(label, int) for label in numbers):
        return [str(label) for label in shard.labels]
    first = int(min(numbers) == 1 and max(numbers) == len(called))
    if min(shard.labels) < first or max(shard.labels) >= len(called) + first:
        raise DataError(f"label {max(shard.labels)}, and there are names of {len(called)} classes")
    return [called[label - first] for label in shard.labels]
