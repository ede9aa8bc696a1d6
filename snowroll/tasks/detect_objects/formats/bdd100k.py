"""BDD100K (Scalabel): JSON with a list of frames, or one a picture; the corners of boxes. Crowds are to be ignored.

Lanes and areas of the road stand in the same files: a class that has no box anywhere is none of these objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import UNUSABLE, json_trees
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object, split_of_place

Frame = tuple[str, Sequence[Mapping[str, Any]]]  # its picture, what is marked in it
_SIDES = ("x1", "y1", "x2", "y2")


def read(folder: Folder) -> Told:
    told = Told("BDD100K")
    found: list[tuple[str, Frame]] = []
    lists = json_trees(folder, told.skipped, b'"name"', b'"category"', b'"box2d"')
    single = json_trees(folder, told.skipped, b'"name"', b'"frames"', b'"objects"')  # where nothing is, too
    for where, tree in (*lists, *single):
        if where in told.used:
            continue
        try:
            frames = list(_frames(tree))
        except UNUSABLE:
            continue
        if frames:
            told.used.add(where)
            found += [(where, frame) for frame in frames]
    boxed = {str(row.get("category")) for _, (_, rows) in found for row in rows if row.get("box2d")}
    for where, (picture, rows) in found:
        try:
            objects = tuple(_object(row) for row in rows if str(row.get("category")) in boxed)
            told.pictures.append(Marked(picture, objects, where, split=split_of_place(where)))
        except UNUSABLE as fault:
            told.skipped[f"{where} ({picture})"] = f"a picture that cannot be used ({fault!r})"
    if told.pictures:
        told.evidence.append(f"{len(told.pictures):,} pictures in {len(told.used):,} BDD100K files")
    return told


def _frames(tree: Json) -> Iterator[Frame]:
    """Of a list, of {"frames": [...]}, or of {"name": ..., "frames": [{"objects": [...]}]}."""
    frames = tree["frames"] if isinstance(tree, dict) else tree
    for frame in frames:
        if not {"labels", "objects"} & frame.keys():  # nobody looked at it
            continue
        rows = frame.get("labels", frame.get("objects")) or ()
        if not all(isinstance(row, dict) for row in rows):
            raise TypeError("no objects")
        yield str(frame["name"] if "name" in frame else tree["name"]), rows


def _object(row: Mapping[str, Any]) -> Json:
    is_crowd = bool((row.get("attributes") or {}).get("crowd"))
    return an_object(row["category"], [row["box2d"][side] for side in _SIDES], is_crowd)
