"""YOLO: one text file a picture, a line an object: class number, centre and size as shares of the picture's sides.

data.yaml (or classes.txt, obj.names) names the classes; the label file of train/images/a.jpg is train/labels/a.txt, or
a.txt beside it. An empty file says that there is nothing; no file says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import splits_of_folders
from snowroll.prepare.yolo import UNKNOWN_CLASS, class_names, has_keypoints, label_files
from snowroll.tasks.detect_objects.formats.marks import ANY, Marked, Told, an_object, classes_of, hull, stems_of


def read(folder: Folder) -> Told:
    told = Told("YOLO")
    labels = label_files(folder)
    if not labels:
        return told
    splits = splits_of_folders(labels)
    names, named_in = class_names(folder)
    are_boxes = has_keypoints(folder)
    told.used |= {named_in} - {""}
    scored = 0
    strange: dict[str, str] = {}  # line -> why its class is none of those that are named
    for where, raw in folder.stream(list(labels)):
        try:
            objects = tuple(_objects(raw, names, are_boxes))
            unnamed = _beyond(raw, names)
        except ValueError as fault:
            told.skipped[where] = f"no YOLO labels ({fault})"
            continue
        told.used.add(where)
        if unnamed:
            number, kind = unnamed
            strange[f"{where} line {number}"] = f"{UNKNOWN_CLASS} {kind}, where {len(names):,} have names in {named_in}"
        told.pictures.append(Marked(labels[where], objects, where, None, splits.get(where), relative=True))
        scored += any(map(_is_scored, raw.splitlines()))
    if 2 * len(strange) > len(told.pictures):  # the names may be another set's
        told.evidence.append(
            f"{next(iter(strange))}: {next(iter(strange.values()))}; such classes are called by number"
        )
    else:  # what else such pictures hold would be learnt as all
        lost = {line.rpartition(" line ")[0] for line in strange}
        told.pictures = [one for one in told.pictures if one.line not in lost]
        told.skipped |= strange
    known = f"{len(names):,} class names" if names else "without class names, so they are called by number"
    told.evidence.append(f"{len(told.pictures):,} YOLO label files, {known}")
    if scored:
        of = f"{scored:,} of {len(told.pictures):,} YOLO label files"
        told.evidence.append(f"{of} have a sixth number in a line, a confidence: they are answers of a model")
    return told


def _is_scored(line: bytes) -> bool:
    """Whether it ends in how sure a model was. A whole number is something else, such as that of a thing in a film."""
    cells = line.split()
    return len(cells) == 6 and 0 < float(cells[5]) < 1


def _beyond(raw: bytes, names: Mapping[int, str]) -> tuple[int, int] | None:
    """The first line whose class has no name though others do, and that class."""
    kinds = ((number, int(line.split()[0])) for number, line in enumerate(raw.splitlines(), 1) if line.split())
    return next(((number, kind) for number, kind in kinds if names and kind not in names), None)


def _objects(raw: bytes, names: Mapping[int, str], are_boxes: bool) -> Iterator[Json]:
    for number, line in enumerate(raw.decode("ascii", "strict").splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) < 5:
            raise ValueError(f"line {number} has {len(cells)} numbers")
        kind = int(cells[0])
        shares = [float(cell) for cell in cells[1:]]
        if len(shares) > 6 and len(shares) % 2 == 0 and not are_boxes:  # a polygon: its hull
            xs, ys = shares[::2], shares[1::2]
            box = hull(zip(xs, ys, strict=True))
        else:
            x, y, wide, high = shares[:4]
            box = [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]
        found = an_object(names.get(kind, str(kind)), box)
        yield {**found, "box": [round(side, 9) for side in box]}


def write(pictures: Sequence[Marked]) -> dict[str, str]:
    """labels/[SPLIT/]NAME.txt for each picture, and data.yaml. Raises ValueError where a size is not known, and
    DataError as `paths_of`.

    YOLO has no regions to be ignored: they are left out.
    """
    names = [name for name in classes_of(pictures) if name != ANY]
    files = {}
    named = dict[str, str]()
    for split in {one.split for one in pictures}:
        within = [one for one in pictures if one.split == split]
        named.update((one.picture, stem) for one, stem in zip(within, stems_of(within), strict=True))
    for one in pictures:
        if one.size is None:
            raise ValueError(f"the size of {one.picture} is not known")
        wide, high = one.size
        lines = []
        for row in one.objects:
            if row.get("ignore"):
                continue
            left, top, right, bottom = row["box"]
            shares = (
                (left + right) / 2 / wide,
                (top + bottom) / 2 / high,
                (right - left) / wide,
                (bottom - top) / high,
            )
            lines.append(" ".join([str(names.index(row["class"])), *[f"{share:.10g}" for share in shares]]))
        place = "/".join(filter(None, ("labels", one.split, f"{named[one.picture]}.txt")))
        files[place] = "".join(line + "\n" for line in lines)
    spelled = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(names))
    return {"data.yaml": f"names:\n{spelled}", **files}
