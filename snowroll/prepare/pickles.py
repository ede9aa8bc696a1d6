"""A stranger's pickle, of which nothing is built but arrays of numbers, texts, numbers, lists and dicts.

A pickle names what is to be called. Here the few names that an array needs mean stand-ins of ours, which look at what
they are given; any other name is refused. NumPy's own rebuilding, which trusts its input, is never called.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snowroll.base.errors import DataError

_NUMBERS = re.compile(r"[biuf][1248]")
_CURE = "save its arrays as an .npz"


def plain(raw: bytes) -> Any:
    """What it holds. Raises DataError for what is damaged, and for anything that is no plain data."""
    try:
        return _as_told(_Plain(io.BytesIO(raw), encoding="bytes").load())
    except (DataError, MemoryError):
        raise
    except Exception as fault:  # a damaged pickle raises anything
        told = " ".join(str(fault).split())[:120]
        raise DataError(f"a damaged pickle ({told})", cure="copy it again") from None


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            told = f"a pickle that asks for {module}.{name}: only arrays, numbers and texts are read of one"
            raise DataError(told, cure=_CURE)
        return known

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("a pickle that asks for what lies elsewhere", cure=_CURE)


class _Kind:
    """A dtype of plain numbers."""

    def __init__(self, spelled: Any, *_: Any) -> None:
        text = spelled.decode("ascii") if isinstance(spelled, bytes) else str(spelled)
        if not _NUMBERS.fullmatch(text):
            raise DataError(f"an array of '{text[:20]}' in a pickle: only numbers are read", cure=_CURE)
        self.dtype = np.dtype(text)

    def __setstate__(self, state: Sequence[Any]) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else str(state[1])
        self.dtype = self.dtype.newbyteorder(">" if order == ">" else "<")


class _Array:
    """An array, once its state is told."""

    array: np.ndarray

    def __setstate__(self, state: Sequence[Any]) -> None:
        _, shape, kind, is_fortran, raw = state
        self.array = _built(raw, kind, shape, "F" if is_fortran else "C")


def _empty_array(*_: Any) -> _Array:
    return _Array()


def _array_of(raw: Any, kind: Any, shape: Any, order: Any) -> _Array:
    made = _Array()
    made.array = _built(raw, kind, shape, str(order))
    return made


def _built(raw: Any, kind: Any, shape: Any, order: str) -> np.ndarray:
    if not isinstance(kind, _Kind) or not isinstance(raw, bytes | bytearray) or not isinstance(shape, tuple):
        raise DataError("an array in a pickle that is none of plain numbers", cure=_CURE)
    sides = [int(side) for side in shape]
    need = int(np.prod(sides, dtype=object)) * kind.dtype.itemsize
    if min(sides, default=0) < 0 or need != len(raw):
        raise DataError(f"an array in a pickle claims {need:,} bytes and has {len(raw):,}", cure="copy it again")
    return np.frombuffer(raw, kind.dtype).reshape(sides, order="F" if order == "F" else "C")


def _bytes_of(text: Any, coding: Any) -> bytes:
    """What Python 3 writes for bytes where Python 2 is to read them."""
    if not isinstance(text, str) or coding not in ("latin1", b"latin1"):
        raise DataError("bytes in a pickle that are spelled in no known way", cure=_CURE)
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """What it writes for none of them."""
    return b""


_KNOWN: Mapping[tuple[str, str], Callable[..., Any] | str] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy.core.numeric", "_frombuffer"): _array_of,
    ("numpy", "ndarray"): "ndarray",  # only handed to _reconstruct
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _bytes_of,
    ("__builtin__", "bytes"): _no_bytes,
}


def _as_told(value: Any, depth: int = 0) -> Any:
    """With arrays for their stand-ins; what Python 2 wrote as bytes is text where it is a key."""
    if depth > 8:
        raise DataError("lists within lists within lists in a pickle", cure=_CURE)
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, dict):
        return {_text(key): _as_told(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_told(item, depth + 1) for item in value]
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise DataError("a pickle of something else than arrays, numbers and texts", cure=_CURE)


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
