"""Where YOLO's label files lie, and what their numbers are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import LARGEST

UNKNOWN_CLASS = "a line of class"  # begins the reason why a label file that names no known class is left out
_NAMES = ("classes.txt", "obj.names", "predefined_classes.txt", "labels.txt")


def label_files(folder: Folder) -> dict[str, str]:
    """Text -> the picture that it is called after: of train/images/a.jpg it is train/labels/a.txt, or a.txt beside it;
    last of all, the one picture of that name, wherever it lies.
    """
    entries = folder.entries()
    pictures = {_bare(entry.where): entry.where for entry in entries if format_of_name(entry.where)}
    beside = {_as_picture(bare): where for bare, where in pictures.items()}
    lone = {stem: where for stem, (where, *more) in _by_stem(pictures).items() if not more}
    texts = [entry.where for entry in entries if entry.where.lower().endswith(".txt") and entry.size < LARGEST]
    return {
        where: picture
        for where in texts
        for bare in [_bare(where)]
        if (picture := pictures.get(bare) or beside.get(bare) or lone.get(_stem(bare)))
    }


def _bare(where: str) -> str:
    return where.rpartition(".")[0]


def _stem(bare: str) -> str:
    return bare.replace("!", "/").rpartition("/")[2]


def _by_stem(pictures: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for bare, where in pictures.items():
        found.setdefault(_stem(bare), []).append(where)
    return found


def _as_picture(bare: str) -> str:
    """Where the labels of a picture lie: 'train/images/a' -> 'train/labels/a'."""
    head, _, tail = bare.rpartition("/")
    parts = head.split("/")
    places = [place for place, part in enumerate(parts) if part.rpartition("!")[2].lower() == "images"]
    if not places:
        return bare
    parts[places[-1]] = parts[places[-1]][: -len("images")] + "labels"
    return "/".join([*parts, tail])


def has_keypoints(folder: Folder) -> bool:
    """Whether a data.yaml says that after the four numbers of a box come places of its body, and no outline."""
    entries = [entry.where for entry in folder.entries() if entry.size < 1 << 20]
    yamls = [where for where in entries if where.lower().endswith((".yaml", ".yml"))]
    return any(b"kpt_shape:" in raw for _, raw in folder.stream(yamls))


def class_names(folder: Folder) -> tuple[dict[int, str], str]:
    """(the names of classes by number, the file that tells them); ({}, "") where none does."""
    entries = [entry.where for entry in folder.entries() if entry.size < 1 << 20]
    yamls = [where for where in entries if where.lower().endswith((".yaml", ".yml"))]
    lists = [where for where in entries if where.replace("!", "/").lower().rpartition("/")[2] in _NAMES]
    for where, raw in folder.stream(yamls):
        if found := _of_yaml(raw):
            return found, where
    for where, raw in folder.stream(lists):
        lines = raw.decode("utf-8", "replace").splitlines()
        return dict(enumerate(line.strip() for line in lines if line.strip())), where
    return {}, ""


def _of_yaml(raw: bytes) -> dict[int, str]:
    import yaml

    try:
        tree: Any = yaml.safe_load(raw)
        names = tree.get("names") if isinstance(tree, dict) else None
        if isinstance(names, list):
            return {number: str(name) for number, name in enumerate(names)}
        return {int(number): str(name) for number, name in names.items()} if isinstance(names, dict) else {}
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
