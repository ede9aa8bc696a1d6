"""CSV with a line for each object: file, class and the sides of its box, under the names that tools give them.

A line with a file and no box says that there is nothing in the picture. Where all sides of a file lie between 0 and 1
they are shares of the picture's. A box around several things at once (IsGroupOf) is to be ignored.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from snowroll.base.nouns import Json, Split
from snowroll.prepare.manifest import TOO_LARGE
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import SPLITS, split_of_name
from snowroll.prepare.trees import LARGEST
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object

_NAMES = {  # meaning -> column names, lower case, letters only
    "file": "filename file image imagename imageid imagepath path filepath img picture photo name",
    "class": "class label category classname labelname categoryname object type",
    "left": "xmin x1 left xtl minx bboxxmin bboxx bx x",
    "top": "ymin y1 top ytl miny bboxymin bboxy by y",
    "right": "xmax x2 right xbr maxx bboxxmax",
    "bottom": "ymax y2 bottom ybr maxy bboxymax",
    "wide": "bboxwidth boxwidth bwidth w bw width",
    "high": "bboxheight boxheight bheight h bh height",
    "split": "split subset set partition",
    "crowd": "isgroupof iscrowd",
}
_YES = ("1", "1.0", "true")
_SHARE = 1.01  # the largest side that may be a share: tools round
_FRAME = {"wide": "imagewidth imgwidth width", "high": "imageheight imgheight height"}


def read(folder: Folder) -> Told:
    told = Told("CSV")
    files = [entry for entry in folder.entries() if entry.where.lower().endswith((".csv", ".tsv"))]
    for entry in files:
        if entry.size > LARGEST:
            told.skipped[entry.where] = f"{TOO_LARGE} ({entry.size >> 20:,} of {LARGEST >> 20:,} MiB)"
    for where, raw in folder.stream([entry.where for entry in files if entry.size <= LARGEST]):
        try:
            rows = _rows(raw)
            columns = _columns(rows[0]) if rows else None
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


def _rows(raw: bytes) -> list[dict[str, str]]:
    text = raw.decode("utf-8-sig", "replace")
    head = text[:65536].splitlines()[:1]
    mark = max(",\t;|", key=lambda mark: head[0].count(mark)) if head else ","
    return [
        {str(key): (cell or "").strip() for key, cell in row.items() if isinstance(cell, str | None)}
        for row in csv.DictReader(io.StringIO(text), delimiter=mark)
    ]


def _columns(row: Mapping[str, str]) -> dict[str, str] | None:
    """meaning -> column, or None where the table names no boxes."""
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(list(row))}
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


def _pictures(rows: Sequence[Mapping[str, str]], columns: Mapping[str, str], where: str, told: Told) -> list[Marked]:
    objects: dict[str, list[Json]] = defaultdict(list)
    sizes: dict[str, tuple[int, int]] = {}
    splits: dict[str, Split | None] = {}
    by_corners = columns["by"] == "corners"
    declared = split_of_name(where)
    ends = ("right", "bottom") if by_corners else ("wide", "high")
    sides = [columns[side] for side in ("left", "top", *ends)]
    relative = _are_shares(rows, sides)
    for number, row in enumerate(rows, 2):
        named = row.get(columns["file"], "")
        cells = [row.get(side, "") for side in sides]
        here = objects[named]
        splits[named] = SPLITS.get(row.get(columns.get("split", ""), "").lower()) or declared
        try:
            if by_corners and columns["wide"] and columns["high"]:
                sizes[named] = int(float(row[columns["wide"]])), int(float(row[columns["high"]]))
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
    return [
        Marked(named, tuple(rows), where, sizes.get(named), splits[named], relative)
        for named, rows in objects.items()
        if named
    ]


def _are_shares(rows: Sequence[Mapping[str, str]], sides: Sequence[str]) -> bool:
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
