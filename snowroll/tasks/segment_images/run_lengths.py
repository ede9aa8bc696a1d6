"""Masks as run lengths in the rows of a table, as competitions write them: "5 10 40 8" are ten pixels from the fifth on
and eight from the fortieth, counted from 1 and column by column.

A row is one thing in one picture; its class stands in a column, or behind the picture's name (a.jpg_3). An empty cell
says that nothing is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.decode import limited
from snowroll.prepare.manifest import TOO_LARGE, TWO_ROWS
from snowroll.prepare.manifest_columns import NAMES, by_name, column_of_runs
from snowroll.prepare.manifest_lines import Lines, lines_of
from snowroll.prepare.mask_targets import FOREGROUND
from snowroll.prepare.pictures import size_of
from snowroll.prepare.read import Folder
from snowroll.prepare.shelf import TRIED, Shelf
from snowroll.prepare.split_words import stem_of
from snowroll.prepare.trees import LARGEST
from snowroll.tasks.segment_images.coco import painted

_NOTHING = ("", "-1", "nan")
_MOST_WRONG = 0.5  # of the pictures; more of them are no such run lengths: row by row, or each counted from the last
Thing = tuple[str, str]  # class, run lengths


def read_runs(
    folder: Folder,
    pictures: Sequence[str],
    background: str,
    skipped: dict[str, str],
    workers: int,
    megapixels: float = 100.0,
) -> dict[str, Json]:
    """Picture -> target, for each that a table names. A picture with a row that cannot be painted goes to `skipped`,
    and so does one of which two tables say different things: what is missing would be learnt as background.
    """
    told: dict[str, tuple[str, set[Thing]]] = {}
    for where, things in _tables(folder, pictures, skipped):
        for picture, here in things.items():
            other, before = told.get(picture, (where, here))
            if not (before <= here or here <= before):
                skipped[picture] = f"{TWO_ROWS}: {other} and {where} mark other things"
            told[picture] = (where, here) if before <= here else (other, before)
    found, wrong = dict[str, Json](), dict[str, str]()
    for picture, size in limited(partial(size_of, megapixels=megapixels), folder.stream(told), workers):
        if isinstance(size, DataError):
            skipped[picture] = size.what
            continue
        where, things = told[picture]
        try:
            found[picture] = _painted(sorted(things), size, background, megapixels)
        except ValueError as fault:
            wrong[picture] = f"run lengths that cannot be used ({fault}), in {where}"
    if len(wrong) > _MOST_WRONG * len(told):
        for picture, why in wrong.items():
            folder.refused.setdefault(told[picture][0], f"{why}, of {picture}")
        return {}
    skipped |= wrong
    return {picture: target for picture, target in found.items() if picture not in skipped}


def _tables(
    folder: Folder, pictures: Sequence[str], skipped: dict[str, str]
) -> Iterator[tuple[str, dict[str, set[Thing]]]]:
    """(table, picture -> what is in it)"""
    shelf, wheres = Shelf(pictures), []
    for entry in folder.entries():
        if entry.where.lower().endswith((".csv", ".tsv")) and "submission" not in stem_of(entry.where).lower():
            if entry.size <= LARGEST:
                wheres.append(entry.where)
            else:
                skipped[entry.where] = f"{TOO_LARGE} ({entry.size >> 20:,} of {LARGEST >> 20:,} MiB)"
    for where, raw in folder.stream(wheres):
        head = raw[:4096].partition(b"\n")[0].decode("utf-8-sig", "replace")
        if column_of_runs(head.replace("\t", ",").replace(";", ",").replace('"', "").strip().split(",")):
            lines = lines_of(where, raw, shelf, skipped)
            things = _things(lines, shelf, skipped) if lines else {}
            if any(things.values()):
                yield where, things


def _things(lines: Lines, shelf: Shelf, skipped: dict[str, str]) -> dict[str, set[Thing]]:
    """Picture -> what is in it; none where no column names pictures."""
    runs = column_of_runs(lines.columns)
    others = [name for name in lines.columns if name != runs]
    tried = [cells for _, cells in lines.rows[:: max(1, len(lines.rows) // TRIED)]][:TRIED]
    shares = {
        (name, is_cut): shelf.share(lines.where, [_cut(cells[name], is_cut)[0] for cells in tried])
        for name in others
        for is_cut in (False, True)
    }
    if runs is None or not shares or max(shares.values()) < 0.5:
        return {}
    path, is_cut = max(shares, key=lambda one: shares[one])
    kind = None if is_cut else by_name(NAMES["label"], [name for name in others if name != path])
    named = [_cut(cells[path], is_cut) for _, cells in lines.rows]
    find = shelf.finder(lines.where, [name for name, _ in named])
    found: dict[str, set[Thing]] = defaultdict(set)
    for (name, behind), (number, cells) in zip(named, lines.rows, strict=True):
        picture, why = find(name)
        if picture is None:
            skipped[name] = f"named in {lines.where} line {number}, but {why}"
            continue
        here = found[picture]  # a picture with nothing in it is told, too
        if cells[runs].lower() not in _NOTHING:
            here.add(((behind if is_cut else cells[kind] if kind else "") or FOREGROUND, cells[runs]))
    return found


def _cut(cell: str, is_cut: bool) -> tuple[str, str]:
    """
    >>> _cut("a_1.jpg_3", True), _cut("a_1.jpg", False)
    (('a_1.jpg', '3'), ('a_1.jpg', ''))
    """
    before, _, behind = cell.rpartition("_")
    return (before, behind) if is_cut else (cell, "")


def _painted(things: list[Thing], size: tuple[int, int], background: str, megapixels: float) -> Json:
    wide, high = size
    rows = [
        {"segmentation": {"size": [high, wide], "counts": _counts(runs, wide * high)}, "category_id": kind}
        for kind, runs in things
    ]
    return painted(rows, {kind: kind for kind, _ in things}, size, background, megapixels)


def _counts(runs: str, pixels: int) -> list[int]:
    """Starts and lengths as COCO's counts, of what is outside and inside in turn. Raises ValueError where they do not
    fit the picture: nothing is laid out in memory before.

    >>> _counts("2 3 9 2", 10)
    [1, 3, 4, 2, 0]
    """
    numbers = [int(part) for part in runs.split()]
    counts, at = list[int](), 0
    if len(numbers) % 2:
        raise ValueError("a start without a length")
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        if start - 1 < at or length < 1 or start - 1 + length > pixels:
            raise ValueError("runs that go back, or leave the picture")
        counts += [start - 1 - at, length]
        at = start - 1 + length
    return [*counts, pixels - at]
