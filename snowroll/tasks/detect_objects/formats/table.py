"""CSV with a line for each object: file, class and the sides of its box, under the names that tools give them.

A line with a file and no box says that there is nothing in the picture; a picture with a line that cannot be used has
no label. Where all sides of a file lie between 0 and 1 they are shares of the picture's. A box around several things at
once (IsGroupOf) is to be ignored. Without a header a line is file, left, top, right, bottom, class, as SKU-110K and
GTSDB have it; a cell may hold a whole box, or several.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from snowroll.base.nouns import Json, Split
from snowroll.prepare.manifest import TOO_LARGE
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import SPLITS, split_of_name
from snowroll.prepare.trees import LARGEST, size_told
from snowroll.tasks.detect_objects.formats.beside import lone_texts
from snowroll.tasks.detect_objects.formats.marks import UNNAMED, Marked, Told, an_object

_NAMES = {  # meaning -> column names, lower case, letters only
    "file": "filename file image imagename imageid imagepath path filepath img picture photo name patientid",
    "class": "class label category classname labelname categoryname object type target",
    "left": "xmin x1 left xtl minx bboxxmin bboxx bx x",
    "top": "ymin y1 top ytl miny bboxymin bboxy by y",
    "right": "xmax x2 right xbr maxx bboxxmax",
    "bottom": "ymax y2 bottom ybr maxy bboxymax",
    "wide": "bboxwidth boxwidth bwidth w bw width",
    "high": "bboxheight boxheight bheight h bh height",
    "split": "split subset set partition",
    "crowd": "isgroupof iscrowd",
}
_HEADLESS = ("filename", "xmin", "ymin", "xmax", "ymax", "class", "imagewidth", "imageheight")
_BY_SIZE, _BY_CORNERS = ("bx", "by", "bw", "bh"), ("xmin", "ymin", "xmax", "ymax")
_IN_A_CELL = {"bbox": _BY_SIZE, "boxesstring": _BY_CORNERS}  # column -> what the four numbers of a box are
_TRIED = 20  # lines that show whether the first is a header
_YES = ("1", "1.0", "true")
_SHARE = 1.01  # the largest side that may be a share: tools round
_FRAME = {"wide": "imagewidth imgwidth width", "high": "imageheight imgheight height"}


def read(folder: Folder) -> Told:
    told = Told("CSV")
    texts = set(lone_texts(folder))
    files = [e for e in folder.entries() if e.where.lower().endswith((".csv", ".tsv")) or e.where in texts]
    for entry in files:
        if entry.size > LARGEST:
            told.skipped[entry.where] = f"{TOO_LARGE} ({entry.size >> 20:,} of {LARGEST >> 20:,} MiB)"
    for where, raw in folder.stream([entry.where for entry in files if entry.size <= LARGEST]):
        try:
            is_headless = _is_headless(raw)
            rows = _rows(raw, is_headless) if is_headless or where not in texts else []
            columns = _columns(rows[0][1]) if rows else None
        except csv.Error:
            continue
        if columns is None:
            continue
        told.used.add(where)
        found = _pictures(rows, columns, where, told)
        told.pictures += found
        boxes = sum(len(one.objects) for one in found)
        told.evidence.append(f"{where}: {len(found):,} pictures, {boxes:,} boxes, a line each")
    return told


Row = Mapping[str, str]


def _rows(raw: bytes, is_headless: bool) -> list[tuple[int, Row]]:
    """With the numbers of their lines."""
    text = raw.decode("utf-8-sig", "replace")
    lines = csv.reader(io.StringIO(text), delimiter=_mark(text))
    names = _HEADLESS[: len(next(lines, ()))] if is_headless else None
    rows = [
        {str(key): (cell or "").strip() for key, cell in row.items() if isinstance(cell, str | None)}
        for row in csv.DictReader(io.StringIO(text), names, delimiter=_mark(text))
    ]
    numbered: list[tuple[int, Row]] = list(enumerate(rows, 1 if is_headless else 2))
    holder = next((name for name in (rows[0] if rows else ()) if _plain(name) in _IN_A_CELL), None)
    return numbered if holder is None or _columns(rows[0]) else list(_taken_apart(numbered, holder))


def _mark(text: str) -> str:
    """What parts the cells."""
    head = text[:65536].splitlines()[:1]
    return max(",\t;|", key=lambda mark: head[0].count(mark)) if head else ","


def _is_headless(raw: bytes) -> bool:
    """Whether the first line, and most that follow, is a picture with corners and a class, or with nothing."""
    text = raw[:65536].decode("utf-8-sig", "replace")
    told = [_is_box(line) for line in csv.reader(text.splitlines()[:_TRIED], delimiter=_mark(text))]
    return bool(told) and told[0] and 2 * sum(told) > len(told)


def _is_box(line: Sequence[str]) -> bool:
    picture, *cells = line or [""]
    if len(cells) not in (5, 7) or not format_of_name(picture):
        return False
    try:
        left, top, right, bottom = map(float, cells[:4])
    except ValueError:
        return not any(cells[:4])
    return left <= right and top <= bottom


def _taken_apart(rows: Iterable[tuple[int, Row]], holder: str) -> Iterator[tuple[int, Row]]:
    """A row for each box of a cell: '[834.0, 222.0, 56.0, 36.0]' or '99 692 160 764;641 27 697 115'. A cell without
    numbers (no_box) holds none."""
    sides = _IN_A_CELL[_plain(holder)]
    for number, row in rows:
        named = {} if {_plain(name) for name in row} & {*_NAMES["class"].split()} else {"class": UNNAMED}
        for box in [box for box in row[holder].split(";") if re.search(r"\d", box)] or [""]:
            numbers = re.findall(r"[^\s,\[\]()]+", box)
            cells = numbers if len(numbers) == len(sides) else [box] * len(sides)
            yield number, {**row, **named, **dict(zip(sides, cells, strict=True))}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _columns(row: Row) -> dict[str, str] | None:
    """meaning -> column, or None where the table names no boxes."""
    plain = {_plain(name): name for name in reversed(list(row))}
    found = {
        meaning: column
        for meaning, names in _NAMES.items()
        if (column := next((plain[name] for name in names.split() if name in plain), None))
    }
    by_corners = {"right", "bottom"} <= found.keys()
    if by_corners:
        frame = {
            meaning: next((plain[n] for n in names.split() if n in plain), "") for meaning, names in _FRAME.items()
        }
        found |= frame
    needed = {"file", "class", "left", "top"} | ({"right", "bottom"} if by_corners else {"wide", "high"})
    return {**found, "by": "corners" if by_corners else "size"} if needed <= found.keys() else None


def _pictures(rows: Sequence[tuple[int, Row]], columns: Row, where: str, told: Told) -> list[Marked]:
    objects: dict[str, list[Json]] = defaultdict(list)
    sizes: dict[str, tuple[int, int]] = {}
    splits: dict[str, Split | None] = {}
    unknown = set[str]()  # pictures that hold what cannot be used: what else they hold would be learnt as all
    by_corners = columns["by"] == "corners"
    declared = split_of_name(where)
    ends = ("right", "bottom") if by_corners else ("wide", "high")
    sides = [columns[side] for side in ("left", "top", *ends)]
    relative = _are_shares([row for _, row in rows], sides)
    for number, row in rows:
        named = row.get(columns["file"], "")
        cells = [row.get(side, "") for side in sides]
        here = objects[named]
        splits[named] = SPLITS.get(row.get(columns.get("split", ""), "").lower()) or declared
        if by_corners and (size := size_told(row.get(columns["wide"]), row.get(columns["high"]))):
            sizes[named] = size
        try:
            if not any(cells):
                continue
            left, top, *rest = map(float, cells)
            right, bottom = rest if by_corners else (left + rest[0], top + rest[1])
            box = [left, top, right, bottom]
            is_crowd = row.get(columns.get("crowd", ""), "").lower() in _YES
            found = an_object(row.get(columns["class"], ""), box, is_crowd)
            here.append({**found, "box": box} if relative else found)
        except (ValueError, TypeError) as fault:
            told.skipped[f"{where} line {number}"] = f"a line that cannot be used ({fault})"
            unknown.add(named)
    return [
        Marked(named, tuple(rows), where, sizes.get(named), splits[named], relative)
        for named, rows in objects.items()
        if named and named not in unknown
    ]


def _are_shares(rows: Sequence[Row], sides: Sequence[str]) -> bool:
    """Whether the sides of all boxes are told as shares: in pixels none would have a visible box."""
    largest, is_broken = 0.0, False
    for cell in (row.get(side, "") for row in rows for side in sides):
        try:
            number = float(cell or 0)
        except ValueError:
            continue
        largest, is_broken = max(largest, number), is_broken or not number.is_integer()
    return is_broken and largest <= _SHARE


def write(pictures: Sequence[Marked]) -> dict[str, str]:
    """boxes.csv. A table has no regions to be ignored: they are left out."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["filename", "image_width", "image_height", "split", "class", "xmin", "ymin", "xmax", "ymax"])
    for one in pictures:
        about = [one.picture, *(one.size or ("", "")), one.split or ""]
        rows = [row for row in one.objects if not row.get("ignore")]
        for row in rows:
            table.writerow([*about, row["class"], *[f"{side:.10g}" for side in row["box"]]])
        if not rows:
            table.writerow([*about, "", "", "", "", ""])
    return {"boxes.csv": out.getvalue()}
