"""What is known of a part: the name of its kind, or {"class": name, "mask": PNG in base64} where a fault is marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.packed_png import unpacked

GOOD, FAULTY = "good", "faulty"  # what the model says; a faulty part may be of any other kind, too
_PRAISE = {"good", "ok", "okay", "normal", "pass", "passed", "healthy", "clean", "intact", "flawless", "perfect"}
_BLAME = {"defect", "defects", "defective", "fault", "faults", "faulty", "anomaly", "anomalies", "damage", "flaw"}
_FREE, _NO = {"free", "less"}, {"no", "not", "non", "without", "un", "never"}


def is_praise(name: str) -> bool:
    """Whether a class of this name is of good parts, as far as words go.

    >>> [is_praise(name) for name in ("good", "MT_Free", "no_defect", "not-ok", "defective", "defectFree")]
    [True, True, True, False, False, True]
    """
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    if words & _BLAME:
        return bool(words & (_NO | _FREE))
    return bool(words & (_PRAISE | _FREE)) and not words & _NO


def kind_of(value: Json) -> str:
    """The name of the kind, of a target or of a prediction."""
    return str(value["class"]) if isinstance(value, Mapping) else str(value)


def is_faulty(value: Json) -> bool:
    return kind_of(value) != GOOD


def faulty(values: Iterable[Json]) -> np.ndarray:
    """[n] bool"""
    return np.array([is_faulty(value) for value in values], bool)


def mask_of(target: Json) -> np.ndarray | None:
    """bool [H, W], where the fault is marked; None where nobody did. A good part has none anywhere."""
    if not isinstance(target, Mapping) or "mask" not in target:
        return None
    return unpacked(target["mask"]) > 0


def map_of(value: Json) -> np.ndarray | None:
    """float [h, w] of a prediction: how unlike good parts each place is; from 1 on it is told. None of a target."""
    if not isinstance(value, Mapping) or "map" not in value:
        return None
    return unpacked(value["map"]) / AT_ONE


AT_ONE = 100  # grey level of a map's 1: twice and a half as unlike is the most that 8 bits hold


def all_kinds(targets: Iterable[Json]) -> list[str]:
    """Good and faulty first, then the kinds of faults that have names."""
    named = {kind_of(target) for target in targets if target is not None}
    return [GOOD, FAULTY, *sorted(named - {GOOD, FAULTY})]


def at_size(grey: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """float32 [H, W] at (height, width), blended between the pixels it has."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(grey, np.float32))
    return np.asarray(image.resize((int(size[1]), int(size[0])), Image.Resampling.BILINEAR))
