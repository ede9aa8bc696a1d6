"""Texts with a JSON object a line: CrowdHuman's .odgt, and the metadata.jsonl of a folder of pictures as Hugging Face
has it. A line that cannot be used costs its picture alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import LARGEST, UNUSABLE
from snowroll.tasks.detect_objects.formats.beside import lines_of
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, a_region, an_object, split_of_place

Line = Mapping[str, Any]


def read_crowdhuman(folder: Folder) -> Told:
    return _read(folder, "CrowdHuman", (".odgt",), b'"gtboxes"', _crowd)


def read_hugging_face(folder: Folder) -> Told:
    return _read(folder, "Hugging Face", (".jsonl",), b'"objects"', _objects)


def _read(
    folder: Folder, name: str, endings: tuple[str, ...], sign: bytes, parse: Callable[[Line], tuple[str, list[Json]]]
) -> Told:
    told = Told(name)
    files = [e.where for e in folder.entries() if e.where.lower().endswith(endings) and e.size < LARGEST]
    for where, raw in folder.stream(files):
        if sign not in raw[:65536]:
            continue
        before = len(told.pictures)
        for number, line in lines_of(raw):
            try:
                picture, objects = parse(json.loads(line))
                told.pictures.append(Marked(picture, tuple(objects), where, split=split_of_place(where)))
            except (*UNUSABLE, RecursionError) as fault:
                told.skipped[f"{where} line {number}"] = f"a line that cannot be used ({fault!r})"
        if found := told.pictures[before:]:
            told.used.add(where)
            boxes = sum(len(one.objects) for one in found)
            told.evidence.append(f"{where}: {name}, {len(found):,} pictures, {boxes:,} boxes")
    return told


def _crowd(line: Line) -> tuple[str, list[Json]]:
    """Whole bodies. Masks are regions to be ignored."""
    objects = []
    for row in line["gtboxes"]:
        left, top, wide, high = row["fbox"]
        box = left, top, left + wide, top + high
        ignore = bool((row.get("extra") or {}).get("ignore"))
        objects.append(a_region(box) if row["tag"] == "mask" else an_object(row["tag"], box, ignore))
    return str(line["ID"]), objects


def _objects(line: Line) -> tuple[str, list[Json]]:
    """Left, top, width and height of each, and its class: by number where names stand elsewhere."""
    told = line["objects"]
    if isinstance(told, dict):
        kinds = next((told[key] for key in ("categories", "category", "labels", "label") if key in told), None)
        rows = list(zip(told["bbox"], kinds if kinds is not None else (), strict=True))
    else:
        rows = [(row["bbox"], row["category"] if "category" in row else row["label"]) for row in told]
    objects = []
    for (left, top, wide, high), kind in rows:
        objects.append(an_object(kind, (left, top, left + wide, top + high)))
    return str(line["file_name"]), objects
