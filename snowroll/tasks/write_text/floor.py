"""What counting tells of the same passages: the figure that a network has to beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.evaluate.ngrams import KneserNey
from snowroll.tasks.write_text.spelling import COLUMNS, kind_in, letters_in, token_numbers, vocabulary
from snowroll.tasks.write_text.texts import SPELLED

MOST = 40_000_000  # tokens that are counted; of more, the first


def by_counting(columns: Columns, rows: Mapping[str, np.ndarray], schema: Json) -> tuple[float, str]:
    """(likelihood a character of the test's passages, what gave it): order-5 Kneser-Ney of the training's.

    Counted are characters (or bytes), whatever the network's tokens are.
    """
    kind = kind_in(columns)
    codes = columns[COLUMNS[kind]]
    learnt = rows["train"][: max(1, MOST // codes.shape[1])]
    read, judged = (letters_in(np.asarray(codes[some][:, 1:]), kind, schema) for some in (learnt, rows["test"]))
    counted = "bytes" if kind == "bytes" else "characters"
    size = vocabulary(schema, counted)
    model = KneserNey.of(token_numbers(read, schema, counted), size)
    tokens = token_numbers(judged, schema, counted)
    nats = float(model.nats(tokens).sum())
    nats += SPELLED * float((tokens == size - 1).sum()) * (counted == "characters")
    known = (judged >= 0) & ((judged & 0xC0) != 0x80) if counted == "bytes" else judged >= 0
    return float(np.exp(-nats / max(1, known.sum()))), f"counting alone (Kneser-Ney, order {len(model.orders)})"
