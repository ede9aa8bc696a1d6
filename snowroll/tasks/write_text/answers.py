"""What a model says of a text: what follows it, and how well it told the text itself. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.prepare.texts import is_control
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.spelling import in_bytes
from snowroll.tasks.write_text.texts import SPELLED, follows_of

Schema = Mapping[str, Json]


def read(outputs: Mapping[str, np.ndarray], schema: Schema, options: WriteOptions) -> list[Prediction]:
    """The likeliest next token of each text, with its probability. Doubt: how badly its own characters were told.

    scores: nats, tokens and characters of the text.
    """
    tokens_as = in_bytes(schema, options.tokens)
    said = []
    for next_, nats, tokens, characters in zip(
        outputs["next"], outputs["nats"], outputs["tokens"], outputs["characters"], strict=True
    ):
        best = int(np.argmax(next_[: len(tokens_as)]))
        told = likelihood(float(nats), float(characters))
        value = as_text(tokens_as[best])
        scores = np.array([nats, tokens, characters], np.float64)
        said.append(Prediction(value, float(np.clip(next_[best], 0, 1)), 1 - told, scores))
    return said


def as_text(token: bytes) -> str:
    """A token as text; bytes that are no whole character, and control characters, stand as U+FFFD."""
    return "".join("\ufffd" if is_control(c) else c for c in token.decode("utf-8", "replace"))


def likelihood(nats: float, characters: float) -> float:
    """The probability that each character was given, as a geometric mean."""
    return float(np.exp(-max(0.0, nats) / max(1.0, characters)))


def told_of(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n, 3]: nats, tokens and characters of each text.

    Who only writes a text (a person) told the right one for sure, and any other as if each of its characters were
    drawn from all that there are.
    """
    rows = []
    for said, target in zip(predictions, targets, strict=True):
        if said.scores is not None:
            rows.append(said.scores)
        else:
            size = max(1, len(follows_of(target)))
            rows.append([0.0 if follows_of(said.value) == follows_of(target) else SPELLED * size, size, size])
    return np.array(rows, np.float64).reshape(-1, 3)
