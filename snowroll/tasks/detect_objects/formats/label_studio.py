"""Label Studio's JSON and JSON-MIN: a list of tasks; rectangles, and the hulls of polygons and ellipses, in per cent of
the picture's sides.

Of several annotations of one task the last that was not cancelled counts. A task without one is not labelled, nor is
one with a region that has no box.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from snowroll.base.nouns import Json
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import UNUSABLE, json_trees, size_told
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object, hull, in_pixels


def read(folder: Folder) -> Told:
    told = Told("Label Studio")
    whole = json_trees(folder, told.skipped, b'"annotations"', b'"data"', b'"result"')
    short = json_trees(folder, told.skipped, b'"annotation_id"', b'labels"')
    for where, tree in (*whole, *((where, _lengthened(tree)) for where, tree in short)):
        if where in told.used or not _are_tasks(tree):
            continue
        told.used.add(where)
        before = len(told.pictures)
        for number, task in enumerate(tree, 1):
            try:
                told.pictures += _pictures(task, f"{where} task {number}")
            except UNUSABLE as fault:
                told.skipped[f"{where} task {number}"] = f"a task that cannot be used ({fault!r})"
        told.evidence.append(f"{where}: Label Studio, {len(told.pictures) - before:,} pictures")
    return told


def _are_tasks(tree: Json) -> bool:
    return isinstance(tree, list) and all(isinstance(task, dict) and "data" in task for task in tree)


def _lengthened(tree: Json) -> Json:
    """JSON-MIN as JSON: there a task is its data, who annotated it, and the regions under a name of their own."""
    are_short = isinstance(tree, list) and all(isinstance(task, dict) and "annotation_id" in task for task in tree)
    return [{"data": _data(task), "annotations": [{"result": _regions(task)}]} for task in tree] if are_short else None


def _data(task: Mapping[str, Any]) -> Json:
    texts = (value for value in task.values() if isinstance(value, str))
    named = (text for text in texts if format_of_name(text) or format_of_name(text.partition("?")[0]))
    return {"image": task.get("image") or next(named, "")}


def _regions(task: Mapping[str, Any]) -> list[Json]:
    rows = [row for value in task.values() if isinstance(value, list) for row in value if isinstance(row, dict)]
    kinds = [next((key for key in row if key.endswith("labels")), "") for row in rows]
    return [{**row, "type": kind, "value": row} for row, kind in zip(rows, kinds, strict=True)]


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
                size = size_told(one["original_width"], one["original_height"])
            box = [side / 100 for side in _box(one["value"], kind)]
            objects.append({**an_object(one["value"][kind][0], box), "box": box})
        elif {"x", "points", "rle"} & one.get("value", {}).keys() and one.get("id") not in labelled:
            raise ValueError("a region without a class")
    name, kept = _file_name(named), _path(named).rpartition("/")[2]
    # who copies the uploads keeps what stands before their names
    also = kept if kept.endswith(f"-{name}") else ""
    one = Marked(name, tuple(objects), line, size, relative=True, also=also)
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
    path = _path(named)
    head, _, tail = path.rpartition("/")
    first, dash, rest = tail.partition("-")
    uploaded = "upload" in head.split("/") and dash and len(first) == 8 and all(c in "0123456789abcdef" for c in first)
    return rest if uploaded else path.lstrip("/")


def _path(named: str) -> str:
    parts = urlsplit(named)
    local = parse_qs(parts.query).get("d")
    return local[0] if local else unquote(parts.path)


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
