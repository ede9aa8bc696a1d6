"""What a model says: a text, with its probability. No torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Prediction
from snowroll.tasks.translate.options import TranslateOptions
from snowroll.tasks.translate.sentences import text_of


def read(outputs: Mapping[str, np.ndarray], options: TranslateOptions) -> list[Prediction]:
    """Translations; the probability of each is the geometric mean over its tokens, the doubt what is left of it."""
    said = []
    for tokens, nats, length in zip(outputs["tokens"], outputs["log_probability"], outputs["length"], strict=True):
        told = float(np.clip(np.exp(float(nats) / max(1.0, float(length))), 0, 1))
        said.append(Prediction(text_of(tokens, options.merges), told, 1 - told))
    return said
