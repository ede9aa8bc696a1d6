"""Files of lines with a label in each: fastText's, a tab between label and text, a number before the text. No torch.

A text is a stretch of its file, named by its bytes, so that it is read without the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from snowroll.prepare.split_words import SPLITS
from snowroll.prepare.texts import is_of_numbers

NEARLY = 0.95  # of the lines must be of the file's form
LEAST = 4  # lines
_FAST = b"__label__"
# a number, or a class and its kind as of TREC: DESC:manner
_MARK = re.compile(rb"-?\d{1,4}|[A-Z]{2,12}:[A-Za-z]+")
_ENDINGS = (".txt", ".text", ".lst", ".label", ".labels", ".all", ".ft", ".tsv", ".raw", ".data")
NO_LINES = ("readme", "license", "licence", "copying", "changelog", "requirements", "notice")


@dataclass(frozen=True, slots=True)
class Line:
    """A text as it lies in a file: bytes start to stop; `number` as an editor counts."""

    number: int
    start: int
    stop: int
    label: str | None


@dataclass(frozen=True, slots=True)
class Lines:
    """What a file says. `has_names`: whether the labels are words."""

    form: str
    lines: tuple[Line, ...]
    refused: dict[int, str]


def may_hold_lines(where: str) -> bool:
    """By its name: an ending of texts, of a split (.train), or none."""
    name = where.replace("!", "/").rpartition("/")[2].lower()
    if name.startswith(NO_LINES):
        return False
    ending = name.rpartition(".")[2]
    return "." not in name or name.endswith(_ENDINGS) or ending in SPLITS


def labelled_lines(raw: bytes) -> Lines | None:
    """None where the file has no such form."""
    if b"\0" in raw[:65536] or raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    lines = [line for line in _lines(raw) if raw[line[1] : line[2]].strip()]
    if len(lines) < LEAST:
        return None
    for read in (_fast, _tabbed, _marked):
        found = read(raw, lines)
        if found is not None:
            some = b"\n".join(raw[line.start : line.stop] for line in found.lines[:100])
            return None if is_of_numbers(some) else found  # a class and a series after it
    return None


def plain_lines(raw: bytes) -> list[Line]:
    """Every line that says something, as a text without a label."""
    return [
        Line(number, *_stripped(raw, start, stop), None)
        for number, start, stop in _lines(raw)
        if raw[start:stop].strip()
    ]


def _lines(raw: bytes) -> Iterator[tuple[int, int, int]]:
    start, number = 3 if raw.startswith(b"\xef\xbb\xbf") else 0, 1
    while start < len(raw):
        end = raw.find(b"\n", start)
        stop = len(raw) if end < 0 else end
        yield number, start, stop
        start, number = stop + 1, number + 1


def _fast(raw: bytes, lines: Sequence[tuple[int, int, int]]) -> Lines | None:
    """__label__spam win a prize"""
    if sum(raw.startswith(_FAST, start) for _, start, _ in lines) < NEARLY * len(lines):
        return None
    found, refused = [], {}
    for number, start, stop in lines:
        match = re.compile(rb"__label__([^\s]+)\s+(?!__label__)").match(raw, start, stop)
        if match is None:
            several = raw.count(_FAST, start, stop) > 1
            refused[number] = "several labels in one line" if several else "no label before a text"
        else:
            found.append(Line(number, *_stripped(raw, match.end(), stop), _decoded(match[1])))
    return Lines("fastText's lines, __label__ before each text", tuple(found), refused)


def _tabbed(raw: bytes, lines: Sequence[tuple[int, int, int]]) -> Lines | None:
    """ham<TAB>see you, or see you<TAB>0; of more cells the longest is the text."""
    cells = [(number, *_cells(raw, start, stop)) for number, start, stop in lines]
    if sum(len(places) > 1 for _, *places in cells) < NEARLY * len(cells):
        return None
    width = Counter(len(places) for _, *places in cells).most_common(1)[0][0]
    for at in (0, width - 1):
        labels = Counter(raw[places[at][0] : places[at][1]].strip() for _, *places in cells if len(places) == width)
        # a header has a label of its own, once
        often = [label for label, n in labels.items() if n > 1]
        if 2 <= len(often) <= max(2, len(cells) // 5) and sum(labels[label] for label in often) >= NEARLY * len(cells):
            break
    else:
        return None
    found, refused = [], {}
    for row, (number, *places) in enumerate(cells):
        if len(places) != width:
            refused[number] = f"{len(places)} cells where others have {width}"
            continue
        label = raw[places[at][0] : places[at][1]].strip()
        if not row and labels[label] == 1 and len(often) > 1:
            continue  # the names of the columns
        rest = [place for number_, place in enumerate(places) if number_ != at]
        start, stop = max(rest, key=lambda place: place[1] - place[0])
        if not raw[start:stop].strip():
            refused[number] = "a label without a text"
            continue
        found.append(Line(number, *_stripped(raw, start, stop), _decoded(label) or None))
    return Lines(f"lines, the label {'after' if at else 'before'} the text and a tab between", tuple(found), refused)


def _marked(raw: bytes, lines: Sequence[tuple[int, int, int]]) -> Lines | None:
    """4 What county is Modesto in ?"""
    marks = [raw[start:stop].lstrip().split(None, 1) for _, start, stop in lines]
    fits = [bool(parts) and len(parts) == 2 and bool(_MARK.fullmatch(parts[0])) for parts in marks]
    kinds = {parts[0] for parts, is_fit in zip(marks, fits, strict=True) if is_fit}
    if sum(fits) < NEARLY * len(lines) or not 2 <= len(kinds) <= max(2, len(lines) // 20):
        return None
    found, refused = [], {}
    for (number, start, stop), parts, is_fit in zip(lines, marks, fits, strict=True):
        if is_fit:
            start = raw.find(parts[0], start) + len(parts[0])
            found.append(Line(number, *_stripped(raw, start, stop), _decoded(parts[0])))
        else:
            refused[number] = "no label before a text"
    return Lines("lines, the label before the text and a space between", tuple(found), refused)


def _cells(raw: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    places, at = [], start
    while (tab := raw.find(b"\t", at, stop)) >= 0:
        places.append((at, tab))
        at = tab + 1
    return [*places, (at, stop)]


def _stripped(raw: bytes, start: int, stop: int) -> tuple[int, int]:
    """Without white space on either side; at least a byte."""
    text = raw[start:stop]
    before = len(text) - len(text.lstrip())
    return start + before, max(start + before + 1, start + len(text.rstrip()))


def _decoded(label: bytes) -> str:
    try:
        return label.decode("utf-8")
    except UnicodeDecodeError:
        return label.decode("cp1252", "replace")
