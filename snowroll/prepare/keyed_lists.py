"""Lists that are joined by a key: images.txt says which file is 17, other lists beside it of which class 17 is and in
which split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snowroll.base.nouns import Split
from snowroll.prepare.manifest_lines import FLAGS, Lines
from snowroll.prepare.names import home_of
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.shelf import TRIED, Shelf
from snowroll.prepare.split_words import SPLITS, words_of

Keyed = Mapping[str, tuple[int, str]]  # key -> (line, what stands after it)
_FEWEST = 3  # lines
_SHARE = 0.9  # of the keys of the files that another list has
_OTHER: Mapping[Split, Split] = {"train": "test", "val": "train", "test": "train"}  # where a name tells one
_CLASSES = frozenset(["class", "classes", "label", "labels", "category", "categories", "species"])


@dataclass(frozen=True, slots=True)
class Joined:
    """A list of files with what others say of their keys."""

    lines: Lines
    lists: tuple[str, ...]  # all that were joined
    evidence: str


def keyed(raw: bytes) -> Keyed | None:
    """The lines of a list by the word that each begins with; None where two begin with the same, or one has no more."""
    found: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(raw.decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip():
            continue
        key, *rest = line.split(None, 1)
        if key in found or not rest:
            return None
        found[key] = number, rest[0].strip()
    return found if len(found) >= _FEWEST else None


def joined(lists: Mapping[str, Keyed], shelf: Shelf) -> Joined | None:
    """None where no list gives files a key, or no other says a class or a split of the keys."""
    for where, files in lists.items():
        if _gives_keys(where, files, shelf):
            near = {other: told for other, told in lists.items() if home_of(other) == home_of(where) and other != where}
            if found := _with_others(where, files, near):
                return found
    return None


def _gives_keys(where: str, files: Keyed, shelf: Shelf) -> bool:
    """Whether what stands after each key is a file; a key may be called as one, too: 12 is not 12.jpg."""
    some = [*files.items()][:: max(1, len(files) // TRIED)][:TRIED]
    keys, rests = [key for key, _ in some], [rest for _, (_, rest) in some]
    if any(format_of_name(key) for key in keys) or len(set(rests)) < len(rests) or shelf.share(where, rests) < 0.5:
        return False
    return all(format_of_name(rest) for rest in rests) or shelf.share(where, keys) < 0.5


def _with_others(where: str, files: Keyed, near: Mapping[str, Keyed]) -> Joined | None:
    said: dict[str, dict[str, str]] = {}  # meaning -> key -> cell
    used: dict[str, str] = {}  # meaning -> list
    told = ""
    for other, lines in near.items():
        if len(files.keys() & lines.keys()) < _SHARE * len(files):
            continue
        cells = {key: cell for key, (_, cell) in lines.items()}
        if splits := _splits(other, set(cells.values())):
            said["split"], used["split"] = {key: splits[cell] for key, cell in cells.items()}, other
            told = f" ({', '.join(f'{cell} is {splits[cell]}' for cell in sorted(splits))})"
        elif _CLASSES & {*words_of(other)} and 2 * len(set(cells.values())) <= len(cells):
            said["label"], used["label"] = cells, other
    if "label" in said and (names := _names_of({*said["label"].values()}, near, [*used.values()])):
        used["names"], of_class = names
        said["label"] = {key: of_class.get(cell, cell) for key, cell in said["label"].items()}
    if not said:
        return None
    rows = [
        (line, {"file": file, **{meaning: cells.get(key, "") for meaning, cells in said.items()}})
        for key, (line, file) in files.items()
    ]
    evidence = f"{where} gives each file a key, by which {', '.join(used.values())} are read{told}"
    return Joined(Lines(where, ("file", *said), tuple(rows)), (where, *used.values()), evidence)


def _splits(where: str, cells: set[str]) -> dict[str, Split]:
    """What each cell of a list means, where that is a split: a word, or whether it is what the name says first."""
    if len(cells) > 1 and all(cell.lower() in SPLITS for cell in cells):
        return {cell: SPLITS[cell.lower()] for cell in cells}
    named: list[Split] = [SPLITS[word] for word in words_of(where) if word in SPLITS]
    others = set(named) - set(named[:1])
    if not named or len(others) > 1 or len(cells) != 2 or not cells <= FLAGS:
        return {}
    no = others.pop() if others else _OTHER[named[0]]
    return {cell: named[0] if float(cell) else no for cell in cells}


def _names_of(classes: set[str], near: Mapping[str, Keyed], used: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """(the list that has a name for every class, class -> name)"""
    for where, lines in near.items():
        names = {cell for _, cell in lines.values()}
        if where not in used and classes <= lines.keys() and len(names) == len(lines) and _CLASSES & {*words_of(where)}:
            return where, {key: cell for key, (_, cell) in lines.items()}
    return None
