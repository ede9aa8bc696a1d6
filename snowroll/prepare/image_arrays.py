"""Images and labels as arrays: an .npz that holds MedMNIST's `train_images`, Keras' `x_train`, or plain `images` and
`labels`; IDX files of images beside those of labels, as MNIST has them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.listing import in_order
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.arrays import Array
from snowroll.prepare.disk import Entry
from snowroll.prepare.idx import NAME
from snowroll.prepare.names import is_idx
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import SPLITS

Pair = tuple[tuple[str, str], tuple[str, str], Split | None]  # (file, array) of images and of labels, their split
_IMAGES = frozenset({"images", "image", "x", "data", "imgs", "pictures"})
_LABELS = frozenset({"labels", "label", "y", "targets", "target", "classes"})


def read_image_arrays(folder: Folder, entries: Sequence[Entry]) -> Reading | None:
    """Every row of an images array is a sample, its class the same row of the labels array beside it.

    Images: [n, H, W], [n, H, W, C] or [n, C, H, W]. Labels: [n], [n, 1], or one-hot [n, classes].
    """
    found: list[Found] = []
    evidence: list[str] = []
    skipped: dict[str, str] = {}
    pairs: list[Pair] = _pairs_of_files(folder, [entry.where for entry in entries if is_idx(entry.where)], skipped)
    for entry in entries:
        if entry.where.lower().endswith(".npz"):
            headers = _headers(folder, entry.where, skipped)
            for one, other, split in _pairs(headers):
                pairs.append(((entry.where, one), (entry.where, other), split))
    if (others := _of_other_sets(folder, pairs)) is not None:
        folder.refused.update(others)
        return None
    for (file, images), (beside, labels), split in pairs:
        shape = folder.arrays(file).headers()[images].shape
        if len(shape) == 4 and shape[3] not in (1, 3, 4) and shape[1] not in (1, 3):
            skipped[f"{file}#{images}"] = f"{list(shape)} are no pictures: a side of 1, 3 or 4 channels is missing"
            continue
        try:
            targets = class_names_in(folder.arrays(beside).whole(labels))
        except DataError as fault:
            skipped[f"{beside}#{labels}"] = fault.what
            continue
        found += [Found(f"{file}#{images}/{i}", target, None, split) for i, target in enumerate(targets)]
        counts = Counter(targets)
        few = ", ".join(f"{name} {counts[name]:,}" for name in in_order(sorted(counts))[:12])
        array = folder.arrays(file).headers()[images]
        by = f"'{labels}'" if beside == file else beside
        evidence.append(f"{file}: '{images}' {array.dtype} {list(array.shape)} labelled by {by}: {few}")
    if not found:
        folder.refused = {**skipped, **folder.refused}
        return None
    kind = "NumPy arrays" if any(".npz#" in one.where for one in found) else "IDX files"
    return Reading(f"{kind} of images and labels", tuple(evidence), tuple(found), skipped)


def _of_other_sets(folder: Folder, pairs: Sequence[Pair]) -> dict[str, str] | None:
    """Where several sets lie side by side, each with a part to learn from, and number their classes: why each is left
    out. A 3 of one is no 3 of the other."""
    sets: dict[str, str] = {}
    for (file, _), (beside, labels), split in pairs:
        if split == "train" and folder.arrays(beside).headers()[labels].dtype.kind in "iuf":
            sets.setdefault(_set_called(file), file)
    if len(sets) < 2:
        return None
    why = f"several sets lie side by side ({', '.join(sorted(sets))}), each with classes in numbers of its own"
    return dict.fromkeys(sets.values(), f"{why}: give --data on one of them, or on a folder that holds it alone")


def _set_called(where: str) -> str:
    """
    >>> _set_called("a/emnist-letters-train-images-idx3-ubyte.gz"), _set_called("train_2.npz")
    ('emnist letters', '')
    """
    words = re.findall(r"[^\W\d_]+", where.rpartition("/")[2].lower())
    return " ".join(
        word for word in words if word not in SPLITS and word not in _IMAGES | {"idx", "ubyte", "gz", "npz"}
    )


def _headers(folder: Folder, where: str, skipped: dict[str, str]) -> Mapping[str, Array]:
    arrays = folder.arrays(where)
    headers = arrays.headers()
    skipped |= {f"{where}#{name}" if name else where: why for name, why in arrays.refused.items()}
    return headers


def _pairs_of_files(folder: Folder, files: Sequence[str], skipped: dict[str, str]) -> list[Pair]:
    """Files of images and of labels that are called alike otherwise: train-images-idx3-ubyte, train-labels-idx1-ubyte.

    Of sets of which some are for training, the others are the test: t10k-images-idx3-ubyte.
    """
    sets: dict[str, dict[str, str]] = {}
    for where in files:
        kind, _ = _kind(where.rpartition("/")[2])
        rest = re.sub(r"images?|labels?|idx\d", "", where.removesuffix(".gz"), flags=re.IGNORECASE)
        if kind and _headers(folder, where, skipped):
            sets.setdefault(rest, {})[kind] = where
    whole = {rest: known for rest, known in sets.items() if len(known) == 2 and _are_as_many(folder, known)}
    splits: dict[str, Split | None] = {rest: _kind(rest)[1] for rest in whole}
    if set(splits.values()) == {"train", None}:
        splits = {rest: "train" if split else "test" for rest, split in splits.items()}
    return [((known["images"], NAME), (known["labels"], NAME), splits[rest]) for rest, known in whole.items()]


def _are_as_many(folder: Folder, known: Mapping[str, str]) -> bool:
    images, labels = (folder.arrays(known[kind]).headers()[NAME].shape for kind in ("images", "labels"))
    return len(images) in (3, 4) and 0 not in images and images[:1] == labels[:1]


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


def class_names_in(labels: np.ndarray) -> list[str]:
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
