"""An .npz that holds images and labels: MedMNIST's `train_images`, Keras' `x_train`, or plain `images` and `labels`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.arrays import Array
from snowroll.prepare.manifest import SPLITS
from snowroll.prepare.read import Entry, Folder

_IMAGES = frozenset({"images", "image", "x", "data", "imgs", "pictures"})
_LABELS = frozenset({"labels", "label", "y", "targets", "target", "classes"})


def read_image_arrays(folder: Folder, entries: Sequence[Entry]) -> Reading | None:
    """Every row of an images array is a sample, its class the same row of the labels array beside it.

    Images: [n, H, W], [n, H, W, C] or [n, C, H, W]. Labels: [n], [n, 1], or one-hot [n, classes].
    """
    found: list[Found] = []
    evidence: list[str] = []
    skipped: dict[str, str] = {}
    for entry in entries:
        if not entry.where.lower().endswith(".npz"):
            continue
        arrays = folder.arrays(entry.where)
        headers = arrays.headers()
        skipped |= {f"{entry.where}#{name}" if name else entry.where: why for name, why in arrays.refused.items()}
        for images, labels, split in _pairs(headers):
            try:
                targets = _targets(arrays.whole(labels))
            except DataError as fault:
                skipped[f"{entry.where}#{labels}"] = fault.what
                continue
            found += [Found(f"{entry.where}#{images}/{i}", target, None, split) for i, target in enumerate(targets)]
            few = ", ".join(f"{name} {n:,}" for name, n in sorted(Counter(targets).items())[:12])
            kind = f"{headers[images].dtype} {list(headers[images].shape)}"
            evidence.append(f"{entry.where}: '{images}' {kind} labelled by '{labels}': {few}")
    if not found:
        return None
    return Reading("NumPy arrays of images and labels", tuple(evidence), tuple(found), skipped)


def _pairs(headers: Mapping[str, Array]) -> list[tuple[str, str, Split | None]]:
    """(images, labels, split) by name, where the two have as many rows."""
    kinds = {name: _kind(name) for name in headers}
    pairs = []
    for images, (kind, split) in kinds.items():
        shape = headers[images].shape
        if kind != "images" or len(shape) not in (3, 4) or 0 in shape:
            continue
        for labels, (other, its_split) in kinds.items():
            if other == "labels" and its_split == split and headers[labels].shape[:1] == shape[:1]:
                pairs.append((images, labels, split))
                break
    return pairs


def _kind(name: str) -> tuple[str | None, Split | None]:
    """('images' or 'labels', split) that an array's name says."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    splits: set[Split] = {SPLITS[word] for word in words if word in SPLITS}
    kind = "images" if _IMAGES & set(words) else "labels" if _LABELS & set(words) else None
    return kind, next(iter(splits)) if len(splits) == 1 else None


def _targets(labels: np.ndarray) -> list[str]:
    """One class name a row. Raises DataError where a row has not exactly one class."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DataError(
                "several labels a row: one class a picture is what this task learns", cure="choose a column"
            )
        labels = labels.argmax(axis=1)
    flat = labels.reshape(len(labels))
    if flat.dtype.kind == "f" and not (np.isfinite(flat).all() and (flat == np.floor(flat)).all()):
        raise DataError("labels that are no whole numbers or names", cure="save the classes as integers or text")
    if flat.dtype.kind == "f":
        flat = flat.astype(np.int64)
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in flat.tolist()]
