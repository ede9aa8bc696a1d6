"""How well texts were told: probabilities a character, comparable whatever the tokens are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.tasks.write_text.answers import told_of
from snowroll.tasks.write_text.texts import follows_of


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """likelihood: the geometric mean of the probability of each next character, exp(-nats / characters), in [0, 1].

    nats_per_character: -ln of it, the nats of all tokens over the characters that they spell. bits_per_character: -log2
    of it. All three compare models of whatever tokens; nats_per_token and perplexity speak of the model's own.
    next_right: how often the likeliest next token is how the text goes on after the passage.
    """
    told = told_of(predictions, targets)
    right = hits(predictions, targets)

    def score(counts: np.ndarray | None) -> dict[str, float]:
        weight = np.ones(len(told)) if counts is None else counts
        nats, tokens, characters = weight @ told
        per_character = nats / max(characters, 1e-9)
        return {
            "likelihood": float(np.exp(-per_character)),
            "nats_per_character": float(per_character),
            "bits_per_character": float(per_character / np.log(2)),
            "nats_per_token": float(nats / max(tokens, 1e-9)),
            "perplexity": float(np.exp(min(700.0, nats / max(tokens, 1e-9)))),
            "next_right": float(weight @ right / weight.sum()),
        }

    return score


def credit(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] the likelihood of each text by itself."""
    nats, _, characters = told_of(predictions, targets).T
    return np.exp(-np.maximum(nats, 0) / np.maximum(characters, 1))


def hits(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] whether the text goes on as was said."""
    return np.array(
        [
            float(follows_of(target).startswith(follows_of(said.value)))
            for said, target in zip(predictions, targets, strict=True)
        ]
    )
