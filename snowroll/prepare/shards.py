"""Files that hold many pictures each, and perhaps their labels: CIFAR's batches, as pickles and as rows of bytes,
STL-10's rows of bytes, and MATLAB's matrices, as SVHN has them.

They are opened in a limited child, one at a time. A row's `where` is data_batch_1#@17, see names.py.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from math import isqrt
from typing import Any

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.decode import Guarded
from snowroll.prepare.pickles import plain

_MOST = 1 << 30  # bytes of pictures in one file
_MEMORY_MB, _SECONDS = 6 << 10, 300
_PICTURES = ("data", "features", "images", "x", "image")
_LABELS = ("fine_labels", "labels", "label", "y", "targets", "target")  # the finest first
_NAMES = ("fine_label_names", "label_names", "class_names", "classes")
_SIDE, _LARGE_SIDE = 32, 96  # of CIFAR's pictures and of STL-10's, whose rows of bytes tell no size


@dataclass(frozen=True)
class Shard:
    """What one file holds. `labels`: one for each picture, or none at all."""

    what: str  # "a pickle"; or what is none of all
    count: int = 0  # pictures
    shape: list[int] = field(default_factory=list)  # of one
    labels: list[Any] = field(default_factory=list)  # numbers or names
    labelled_by: str = ""  # what they are called in the file
    names: dict[str, list[str]] = field(default_factory=dict)  # lists of names of classes
    numbers: dict[str, list[int]] = field(default_factory=dict)  # lists of whole numbers of a file without pictures
    pictures: Any = None  # uint8 [n, H, W, C], where they were asked for


def opener(with_pictures: bool) -> Guarded:
    """A warm child that makes a Shard of a file's bytes. Raises DataError where it is none."""
    return Guarded(partial(opened, with_pictures=with_pictures), _MEMORY_MB, _SECONDS)


def is_pickle(raw: bytes) -> bool:
    return raw[:1] == b"\x80" and raw[1:2] in (b"\2", b"\3", b"\4", b"\5")


def opened(raw: bytes, with_pictures: bool) -> Shard:
    """In the child. The kind is told by the first bytes, and of rows of bytes by their size."""
    if is_pickle(raw):
        return _of_dict("a pickle", plain(raw), with_pictures)
    if raw[:6] == b"MATLAB":
        return _of_matrices(raw, with_pictures)
    return _of_rows(raw, with_pictures)


def _of_matrices(raw: bytes, with_pictures: bool) -> Shard:
    """One array of pictures, [H, W, n] or [H, W, C, n], and one of their labels."""
    from scipy.io import loadmat

    if raw[:10] != b"MATLAB 5.0":
        raise DataError("a MATLAB file of version 7.3, which is not read", cure="save it with -v7")
    try:
        found = loadmat(io.BytesIO(raw))
    except MemoryError:
        raise
    except Exception as fault:  # damaged input raises anything
        told = " ".join(str(fault).split())[:120]
        raise DataError(f"a damaged MATLAB file ({told})", cure="copy it again") from None
    arrays = {name: array for name, array in found.items() if isinstance(array, np.ndarray) and array.size > 1}
    many = [name for name, array in arrays.items() if array.ndim in (3, 4) and array.dtype == np.uint8]
    flat = {name: array for name, array in arrays.items() if array.size == max(array.shape) and name not in many}
    if not many and (lists := {name: list_ for name, array in flat.items() if (list_ := _whole_numbers(array))}):
        return Shard("a MATLAB file of 0 arrays of pictures, and numbers", numbers=lists)
    if len(many) != 1:
        raise DataError(f"a MATLAB file of {len(many)} arrays of pictures of 8 bits", cure="save one, and its labels")
    whole = arrays[many[0]]
    count = next((whole.shape[axis] for axis in (-1, 0) if whole.shape[axis] in {a.size for a in flat.values()}), 0)
    fitting = [name for name, array in flat.items() if array.size == count]
    if len(fitting) > 1:
        raise DataError(f"several arrays that may be its labels: {', '.join(fitting)}", cure="save one of them")
    if whole.shape[-1] == count or not count:
        whole = np.moveaxis(whole, -1, 0)
    labels = _labels(flat[fitting[0]]) if fitting else []
    labelled_by = fitting[0] if fitting else ""
    if {*many, labelled_by} == {"X", "y"} and whole.shape[1:] == (32, 32, 3) and {*labels} <= {*range(1, 11)}:
        labels, labelled_by = [label % 10 for label in labels], "y, whose 10 is the digit 0"
    return _shard("a MATLAB file", as_pictures(whole), labels, labelled_by, {}, with_pictures)


def _of_dict(what: str, found: Any, with_pictures: bool) -> Shard:
    """Arrays and lists by their names."""
    if not isinstance(found, Mapping):
        raise DataError(f"{what} of no names: a dict of pictures and labels is read", cure="save them as an .npz")
    known = {str(key).lower(): value for key, value in found.items()}
    names = {key: texts for key in _NAMES if (texts := _texts(known.get(key)))}
    pictures = next((known[key] for key in _PICTURES if isinstance(known.get(key), np.ndarray)), None)
    if pictures is None:
        if names:
            return Shard(what, names=names)
        raise DataError(f"{what} without an array of pictures", cure="save pictures and labels as an .npz")
    labelled_by = next((key for key in _LABELS if key in known), "")
    labels = _labels(known[labelled_by]) if labelled_by else []
    return _shard(what, as_pictures(pictures), labels, labelled_by, names, with_pictures)


def _of_rows(raw: bytes, with_pictures: bool) -> Shard:
    """A byte or two of labels before each picture's bytes, red before green before blue. Of two the last is finer.

    Large pictures stand there alone, column by column.
    """
    if raw and len(raw) % (3 * _LARGE_SIDE * _LARGE_SIDE) == 0:
        columns = np.frombuffer(raw, np.uint8).reshape(-1, 3, _LARGE_SIDE, _LARGE_SIDE)
        return _shard("rows of bytes", columns.transpose(0, 3, 2, 1), [], "", {}, with_pictures)
    pixels = 3 * _SIDE * _SIDE
    first = next((labels for labels in (1, 2) if raw and len(raw) % (labels + pixels) == 0), 0)
    if not first:
        return Shard(f"{len(raw):,} bytes are no rows of {pixels + 1:,} or {pixels + 2:,}, a label and a picture each")
    rows = np.frombuffer(raw, np.uint8).reshape(-1, first + pixels)
    labels = rows[:, first - 1].tolist()
    labelled_by = "labels" if first == 1 else "fine_labels"
    return _shard("rows of bytes", as_pictures(rows[:, first:]), labels, labelled_by, {}, with_pictures)


def _shard(
    what: str,
    pictures: np.ndarray,
    labels: list[Any],
    labelled_by: str,
    names: dict[str, list[str]],
    with_pictures: bool,
) -> Shard:
    if labels and len(labels) != len(pictures):
        told = f"{len(pictures):,} pictures and {len(labels):,} labels ('{labelled_by}')"
        raise DataError(told, cure="copy it again")
    if pictures.nbytes > _MOST:
        raise DataError(f"more than {_MOST >> 20:,} MiB of pictures in one file", cure="split it")
    kept = np.ascontiguousarray(pictures) if with_pictures else None
    return Shard(what, len(pictures), list(pictures.shape[1:]), labels, labelled_by, names, pictures=kept)


def as_pictures(array: np.ndarray) -> np.ndarray:
    """uint8 [n, H, W] or [n, H, W, C] of such, of [n, C, H, W], or of rows of a picture each. Raises DataError.

    >>> as_pictures(np.zeros((5, 3072), np.uint8)).shape, as_pictures(np.zeros((5, 784), np.uint8)).shape
    ((5, 32, 32, 3), (5, 28, 28))
    """
    shape = list(array.shape)
    if array.dtype == np.uint8 and 0 not in shape:
        if len(shape) == 2:
            channels = 3 if shape[1] % 3 == 0 and isqrt(shape[1] // 3) ** 2 == shape[1] // 3 else 1
            side = isqrt(shape[1] // channels)
            if channels * side * side == shape[1] and side > 1:
                array = array.reshape(-1, channels, side, side)
                return array[:, 0] if channels == 1 else array.transpose(0, 2, 3, 1)
        if len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4)):
            return array
        if len(shape) == 4 and shape[1] in (1, 3):
            return array.transpose(0, 2, 3, 1)
    raise DataError(f"an array of {array.dtype} {shape} is no pictures of 8 bits", cure="save them as an .npz")


def _labels(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and (value == np.floor(value)).all():
        value = value.astype(np.int64)  # MATLAB's numbers
    flat = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else value
    if isinstance(flat, list) and all(isinstance(one, int | str | bytes) for one in flat):
        return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in flat]
    raise DataError("labels that are no whole numbers or names", cure="save pictures and labels as an .npz")


def _whole_numbers(array: np.ndarray) -> list[int]:
    """Of a list of them; none of anything else."""
    is_whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool((array == np.floor(array)).all()))
    return array.reshape(-1).astype(np.int64).tolist() if is_whole and np.isfinite(array).all() else []


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str | bytes) for one in value):
        return []
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in value]
