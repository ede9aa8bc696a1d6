"""Of several manifests that split or label the same pictures in different ways, those that are read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from snowroll.base.nouns import Split
from snowroll.prepare.manifest_lines import Lines
from snowroll.prepare.several_labels import several_labels
from snowroll.prepare.shelf import Shelf
from snowroll.prepare.split_words import SPLITS, split_of_name, stem_of, words_of

Used = tuple[Lines, dict[str, str]]  # a manifest, and what its columns mean


def of_one_round(used: Sequence[Used], skipped: dict[str, str], evidence: list[str]) -> list[Used]:
    """Without the lists of further rounds: train1 and test1, train2 and test2 ... of which each splits all anew."""
    rounds: dict[str, int] = {}
    told: dict[int, dict[str, Split]] = defaultdict(dict)
    for lines, columns in used:
        split, numbers = split_of_name(lines.where), re.findall(r"\d+", stem_of(lines.where))
        if split and numbers:
            rounds[lines.where] = int(numbers[-1])
            told[int(numbers[-1])] |= {cells[columns["path"]]: split for _, cells in lines.rows}
    first = min(told, default=0)
    others = {number for number, again in told.items() if _split_anew(told[first], again)}
    if others:
        evidence.append(f"lists of {len(others) + 1:,} rounds: the splits are those of round {first}")
    left = {where for where, number in rounds.items() if number in others}
    skipped |= dict.fromkeys(left, f"a list of another round than {first}")
    return [(lines, columns) for lines, columns in used if lines.where not in left]


def of_one_split(used: Sequence[Used], skipped: dict[str, str]) -> list[Used]:
    """Without the tables that split anew what one before them splits: 1cls.csv, 2cls_fewshot.csv ..."""
    told = {
        lines.where: {cells[columns["path"]]: cells[columns["split"]] for _, cells in lines.rows}
        for lines, columns in used
        if "split" in columns
    }
    left: set[str] = set()
    for at, (where, again) in enumerate(told.items()):
        for before, first in list(told.items())[:at]:
            if before not in left and _tells_others(again, first):
                left.add(where)
                skipped[where] = f"it splits anew what {before} splits: take that away to use it"
    return [(lines, columns) for lines, columns in used if lines.where not in left]


def of_one_labelling(used: Sequence[Used], shelf: Shelf, evidence: list[str]) -> list[Used]:
    """With the labels of those files alone that tell most: makers, families and variants may be told of each picture,
    each by lists of its own. What the others say of splits and groups is kept."""
    families: dict[str, dict[str, str]] = defaultdict(dict)
    for lines, columns in used:
        if "label" in columns:
            families[_family(lines.where)]
    if len(families) < 2:
        return list(used)
    for lines, columns in used:
        if "label" in columns:
            families[_family(lines.where)] |= _labels_told(lines, columns, shelf)
    order = sorted(families, key=lambda name: (len(families[name]), len(set(families[name].values()))), reverse=True)
    passed: set[str] = set()
    for at, name in enumerate(order):
        others = [families[before] for before in order[:at] if before not in passed]
        if any(
            _tells_others(families[name], other) and {*families[name].values()} - {*other.values()} for other in others
        ):
            passed.add(name)
    kept: list[Used] = []
    for lines, columns in used:
        if "label" in columns and _family(lines.where) in passed:
            columns = {meaning: name for meaning, name in columns.items() if meaning != "label"}
            evidence.append(f"{lines.where} has other labels for the same pictures: take the rest away to use them")
        kept.append((lines, columns))
    return kept


def _family(where: str) -> str:
    """What files of one kind are called: without splits and numbers."""
    return " ".join(word for word in words_of(where) if word not in SPLITS)


def _labels_told(lines: Lines, columns: Mapping[str, str], shelf: Shelf) -> dict[str, str]:
    path, label = columns["path"], columns["label"]
    find = shelf.finder(lines.where, [cells[path] for _, cells in lines.rows])
    several = several_labels({cells[label] for _, cells in lines.rows})
    found = ((find(cells[path])[0], cells[label]) for _, cells in lines.rows)
    return {where: label for where, label in found if where and label and label not in several}


def _tells_others(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether it says something else of a tenth of the pictures of which both speak: errors are fewer."""
    both = one.keys() & other.keys()
    return sum(one[where] != other[where] for where in both) > 0.1 * len(both)


def _split_anew(first: Mapping[str, Split], again: Mapping[str, Split]) -> bool:
    """Whether much the same files are split in another way, and not further ones."""
    both = first.keys() & again.keys()
    return 2 * len(both) >= min(len(first), len(again)) and any(first[name] != again[name] for name in both)
