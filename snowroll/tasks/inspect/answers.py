"""From scores and maps to what people read. No torch: serving runs this too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Prediction
from snowroll.prepare.packed_png import packed
from snowroll.tasks.inspect.parts import AT_ONE, FAULTY, GOOD

SURE = 0.3  # of a score's logarithm: at 1.35 or 0.74 times the threshold doubt has fallen to a third; a guess
ROUNDING = 0.01  # of the threshold: what two programs may make of one picture


def read(outputs: Mapping[str, np.ndarray]) -> list[Prediction]:
    """score [B] and map [B, h, w]. Doubt: how near the score lies to the threshold, by ratio."""
    found = []
    for score, heat in zip(outputs["score"].astype(float), outputs["map"], strict=True):
        doubt = float(np.exp(-abs(np.log(max(score, 1e-6))) / SURE))
        grey = np.clip(np.round(heat * AT_ONE), 0, 255).astype(np.uint8)
        kind = FAULTY if score > 1 else GOOD
        value = {"class": kind, "score": round(float(score), 4), "map": packed(grey)}
        found.append(Prediction(value, None, min(1.0, doubt), np.array([score])))
    return found


def same(one: Prediction, other: Prediction) -> float:
    """How far two answers to one picture agree: in the score, by the threshold's measure, and on the kind, but for
    parts that lie at the threshold. It is often one part's own score, and rounding decides on which side that is."""
    mine, theirs = one.value["score"], other.value["score"]
    apart = abs(mine - theirs) / max(1.0, mine, theirs)
    return 0.0 if one.value["class"] != other.value["class"] and apart > ROUNDING else 1 - apart
