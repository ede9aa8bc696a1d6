"""What counting tells of the same passages: the figure that a network has to beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.evaluate.ngrams import KneserNey
from snowroll.tasks.write_text.spelling import token_numbers
from snowroll.tasks.write_text.texts import SPELLED, alphabet

MOST = 40_000_000  # tokens that are counted; of more, the first


def by_counting(columns: Columns, rows: Mapping[str, np.ndarray], schema: Json) -> tuple[float, str]:
    """(likelihood a character of the test's passages, what gave it): order-5 Kneser-Ney of the training's."""
    in_bytes = "bytes" in columns
    codes = columns["bytes" if in_bytes else "codes"]
    vocabulary = len(alphabet(schema, in_bytes)) + (not in_bytes)
    learnt = rows["train"][: max(1, MOST // codes.shape[1])]
    model = KneserNey.of(token_numbers(codes[learnt][:, 1:], schema, in_bytes), vocabulary)
    judged = np.asarray(codes[rows["test"]][:, 1:])
    tokens = token_numbers(judged, schema, in_bytes)
    nats = float(model.nats(tokens).sum())
    nats += SPELLED * float((tokens == vocabulary - 1).sum()) * (not in_bytes)
    known = (judged >= 0) & ((judged & 0xC0) != 0x80) if in_bytes else judged >= 0
    return float(np.exp(-nats / max(1, known.sum()))), f"counting alone (Kneser-Ney, order {len(model.orders)})"
