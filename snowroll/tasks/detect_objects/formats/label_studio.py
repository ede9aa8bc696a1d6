"""Label Studio's JSON: a list of tasks; rectangles, and the hulls of polygons and ellipses, in per cent of the
picture's sides.

Of several annotations of one task the last that was not cancelled counts. A task without one is not labelled, nor is
one with a region that has no box.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import json_trees
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object, hull, in_pixels


def read(folder: Folder) -> Told:
    told = Told("Label Studio")
    for where, tree in json_trees(folder, told.skipped, b'"annotations"', b'"data"', b'"result"'):
        if not (isinstance(tree, list) and all(isinstance(task, dict) and "data" in task for task in tree)):
            continue
        told.used.add(where)
        before = len(told.pictures)
        for number, task in enumerate(tree, 1):
            try:
                told.pictures += _pictures(task, f"{where} task {number}")
            except (ValueError, TypeError, LookupError, AttributeError) as fault:
                told.skipped[f"{where} task {number}"] = f"a task that cannot be used ({fault!r})"
        told.evidence.append(f"{where}: Label Studio, {len(told.pictures) - before:,} pictures")
    return told


def _pictures(task: Mapping[str, Any], line: str) -> Iterator[Marked]:
    data = task["data"]
    named = data.get("image") or next((value for value in data.values() if isinstance(value, str)), "")
    given = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
    if not given:
        return
    objects: list[Json] = []
    size: tuple[int, int] | None = None
    regions = given[-1]["result"]
    labelled = {one.get("id") for one in regions if one.get("type", "").endswith("labels")}
    for one in regions:
        kind = one.get("type", "")
        if kind.endswith("labels"):  # choices, ratings and words are of the picture, not of a region
            if "original_width" in one:
                size = int(one["original_width"]), int(one["original_height"])
            box = [side / 100 for side in _box(one["value"], kind)]
            objects.append({**an_object(one["value"][kind][0], box), "box": box})
        elif {"x", "points", "rle"} & one.get("value", {}).keys() and one.get("id") not in labelled:
            raise ValueError("a region without a class")
    one = Marked(_file_name(named), tuple(objects), line, size, relative=True)
    yield in_pixels(one, size) if size is not None else one


def _box(value: Mapping[str, Any], kind: str) -> Sequence[float]:
    """In per cent."""
    if "points" in value:
        return hull((float(x), float(y)) for x, y in value["points"])
    if value.get("rotation"):
        raise ValueError("a rotated region")
    if "radiusX" in value:
        x, y, across, down = (float(value[side]) for side in ("x", "y", "radiusX", "radiusY"))
        return x - across, y - down, x + across, y + down
    if kind == "keypointlabels" or not {"x", "y", "width", "height"} <= value.keys():
        raise ValueError(f"{kind} without a box")
    x, y, wide, high = (float(value[side]) for side in ("x", "y", "width", "height"))
    return x, y, x + wide, y + high


def _file_name(named: str) -> str:
    """Of '/data/local-files/?d=photos/a.jpg', 'https://host/a.jpg' or '/data/upload/1/3fa2b1c0-a.jpg'."""
    parts = urlsplit(named)
    local = parse_qs(parts.query).get("d")
    path = local[0] if local else unquote(parts.path)
    head, _, tail = path.rpartition("/")
    first, dash, rest = tail.partition("-")
    uploaded = "upload" in head.split("/") and dash and len(first) == 8 and all(c in "0123456789abcdef" for c in first)
    return rest if uploaded else path.lstrip("/")


def write(pictures: Sequence[Marked]) -> dict[str, str]:
    """label_studio.json, to be imported there. Raises ValueError where a size is not known; it knows no splits, and
    no regions to be ignored."""
    tasks = []
    for one in pictures:
        if one.size is None:
            raise ValueError(f"the size of {one.picture} is not known")
        wide, high = one.size
        result = []
        for row in one.objects:
            if row.get("ignore"):
                continue
            left, top, right, bottom = row["box"]
            value = {
                "x": 100 * left / wide,
                "y": 100 * top / high,
                "width": 100 * (right - left) / wide,
                "height": 100 * (bottom - top) / high,
                "rotation": 0,
                "rectanglelabels": [row["class"]],
            }
            about = {"original_width": wide, "original_height": high, "from_name": "label", "to_name": "image"}
            result.append({**about, "type": "rectanglelabels", "value": value})
        tasks.append({"data": {"image": one.picture}, "annotations": [{"result": result}]})
    return {"label_studio.json": json.dumps(tasks, ensure_ascii=False)}
