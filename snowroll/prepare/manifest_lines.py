"""The rows of a file that may name pictures: CSV, TSV, JSON lines, and lists of one file a line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.shelf import TRIED, Shelf

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")
LISTS = (".txt", ".lst")  # lines that name files, perhaps with a label: train.txt, testing_list.txt
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
FLAGS = frozenset({"0", "1", "0.0", "1.0"})
FOLDED = "the one of"  # begins the name of a column that is made of several


@dataclass(frozen=True, slots=True)
class Lines:
    """One file's rows: (line number, column -> cell)."""

    where: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def has_ending(where: str) -> bool:
    return "." in where.replace("!", "/").rpartition("/")[2]


def is_delimited(raw: bytes) -> bool:
    """Whether a file without an ending begins as a table: UTF-8, several lines, and as many commas or tabs in each.

    >>> is_delimited(b"image,dx\\na,nv\\nb,mel\\n"), is_delimited(b"Free, as in beer\\nand open.\\n")
    (True, False)
    """
    try:
        head = raw[:65536].decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        if fault.start < 65530:
            return False
        head = raw[: fault.start].decode("utf-8-sig")
    lines = head.splitlines()[:20]
    counts = [{line.count(mark) for line in lines} for mark in ",\t;"]
    return len(lines) > 1 and any(len(told) == 1 and min(told) > 0 for told in counts)


def lines_of(where: str, raw: bytes, shelf: Shelf, skipped: dict[str, str]) -> Lines | None:
    """The rows of one file; None where it has none, and in `skipped` what could not be read."""
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    is_list = where.lower().endswith(LISTS)
    rows = _list_lines(where, text, shelf) if is_list else []
    if where.lower().endswith(("jsonl", "ndjson")):
        rows = _json_lines(where, text, skipped)
    elif not is_list or (not rows and is_delimited(raw)):
        try:
            rows = list(_csv_lines(where, text, shelf))
        except csv.Error as fault:
            skipped[where] = f"not a table that can be read ({fault})"
            return None
    if not rows:
        return None
    columns = tuple(dict.fromkeys(name for _, cells in rows for name in cells))
    return Lines(where, columns, tuple((n, {name: cells.get(name, "") for name in columns}) for n, cells in rows))


def _csv_lines(where: str, text: str, shelf: Shelf) -> Iterator[tuple[int, dict[str, str]]]:
    head = text[:65536].splitlines()[:20]
    mark = max("\t,;|", key=lambda mark: (min((line.count(mark) for line in head), default=0), mark == ","))
    quoting = csv.QUOTE_NONE if mark == "|" else csv.QUOTE_MINIMAL  # LJ Speech: quotes are part of what is said
    reader = csv.reader(text.splitlines(keepends=True), delimiter=mark, strict=True, quoting=quoting)
    first = next(reader, [])
    if any(shelf.share(where, [cell]) or format_of_name(cell) for cell in first):  # no header: it names a picture
        widest = max(line.count(mark) for line in text.splitlines()) + 1
        names = [f"column {i}" for i in range(1, max(widest, len(first)) + 1)]
        yield 1, dict(zip(names, (cell.strip() for cell in first), strict=False))
    else:
        names = [name.strip() or f"column {i}" for i, name in enumerate(first, 1)]
    for cells in reader:
        if cells:
            yield reader.line_num, dict(zip(names, (cell.strip() for cell in cells), strict=False))


def _list_lines(where: str, text: str, shelf: Shelf) -> list[tuple[int, dict[str, str]]]:
    """Lines that name a file, or a file and its label after it; none where they name none."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    tried = [line for _, line in lines[:: max(1, len(lines) // TRIED)]][:TRIED]
    if shelf.share(where, tried) >= 0.5:
        return [(number, {"file": line}) for number, line in lines]
    last = _cut(lines, r"(.*[^\s,;|])[\s,;|]+([^\s,;|]+)")  # a name may have blanks
    first = _cut(lines, r"([^\s,;|]+)[\s,;|]+(.+)")  # and so may a label
    by_last, by_first = (shelf.share(where, [cells["file"] for _, cells in cut][:TRIED]) for cut in (last, first))
    if by_last >= 0.5 and by_last >= by_first:
        return last
    if by_first < 0.5:
        return []
    apart = [(number, re.split(r"[\s,;|]+", line)) for number, line in lines]
    widths = {len(cells) for _, cells in apart}
    numbers = [at for at in range(1, min(widths)) if all(NUMBER.fullmatch(cells[at]) for _, cells in apart)]
    if len(widths) > 1 or not numbers:  # words alone: are they the names of classes, or sentences?
        return first if 2 * len({cells.get("label") for _, cells in first}) <= len(first) else []
    words = [at for at in range(1, min(widths)) if at not in numbers]
    meanings = {"file": 0, **({"label": words[0]} if len(words) == 1 else {})}  # it may stand beside the sides of a box
    return [(number, {name: cells[at] for name, at in meanings.items()}) for number, cells in apart]


def _cut(lines: Sequence[tuple[int, str]], pattern: str) -> list[tuple[int, dict[str, str]]]:
    """Lines as a file and its label."""
    cut = ((number, re.fullmatch(pattern, line), line) for number, line in lines)
    return [(number, {"file": of[1], "label": of[2]} if of else {"file": line}) for number, of, line in cut]


def _json_lines(where: str, text: str, skipped: dict[str, str]) -> list[tuple[int, dict[str, str]]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            plain = {key: item for key, item in value.items() if isinstance(item, str | int | float)}
            rows.append((number, {key: str(item).strip() for key, item in plain.items()}))
        else:
            skipped[f"{where}:{number}"] = "not one JSON object on a line"
    return rows


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def unnumbered(parsed: Sequence[Lines]) -> list[Lines]:
    """Lists without their last column where that is a running number and no label: a whole number that is another one
    in each row, and not only of those that another list gives to many."""
    lists = {
        lines.where: [cells["label"] for _, cells in lines.rows if cells["label"]]
        for lines in parsed
        if lines.where.lower().endswith(LISTS) and "label" in lines.columns
    }
    known = {label for labels in lists.values() if len(set(labels)) < len(labels) for label in labels}
    return [
        Lines(lines.where, ("file",), lines.rows) if _is_running(lists.get(lines.where, ()), known) else lines
        for lines in parsed
    ]


def _is_running(labels: Sequence[str], known: Set[str]) -> bool:
    are_whole = all(label.isdecimal() for label in labels)
    return len(labels) > 2 and are_whole and len(set(labels)) == len(labels) and not set(labels) <= known


def folded(lines: Lines) -> Lines:
    """Columns of zeros and ones of which each row has one 1 are one column, of their names: 'MEL', 'NV', 'BCC'."""
    flags = [name for name in lines.columns if all(cells[name] in FLAGS for _, cells in lines.rows)]
    marked = [[name for name in flags if float(cells[name])] for _, cells in lines.rows]
    if len(flags) < 2 or any(len(names) > 1 for names in marked) or sum(map(bool, marked)) < 0.9 * len(marked):
        return lines
    name = f"{FOLDED} {len(flags)} columns that is 1"
    rows = [
        (number, {**{key: cell for key, cell in cells.items() if key not in flags}, name: "".join(names)})
        for (number, cells), names in zip(lines.rows, marked, strict=True)
    ]
    return Lines(lines.where, (*(key for key in lines.columns if key not in flags), name), tuple(rows))
