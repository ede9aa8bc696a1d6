"""What has to be beaten on the same passages: counting, and the ready-made model as it was."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.evaluate.ngrams import KneserNey
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.spelling import COLUMNS, kind_in, letters_in, token_numbers, vocabulary
from snowroll.tasks.write_text.texts import SPELLED

AT_ONCE = 8  # passages that the ready-made model reads together
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


def floor(
    columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Mapping[str, Json]
) -> tuple[float, str]:
    """The better of the two, with the other's figure beside it."""
    counted, counting = by_counting(columns, rows, schema)
    if "base" not in schema:
        return counted, counting
    was = as_it_was(columns, rows["test"], schema)
    if was > counted:
        return was, f"the base model as it was (counting alone makes {counted:.3f})"
    return counted, f"counting alone (the base model as it was makes {was:.3f})"


def as_it_was(columns: Columns, rows: np.ndarray, schema: Mapping[str, Json]) -> float:
    """Likelihood a character of these passages by the ready-made model, before it learnt anything."""
    import torch

    from snowroll.tasks.write_text.measuring import measured
    from snowroll.tasks.write_text.model import build

    base = schema["base"]
    options = WriteOptions("hub", base["folder"], base["seal"], tokens="pieces", context=base["context"])
    model, nats, characters = build(options, schema).eval(), 0.0, 0.0
    with torch.inference_mode():
        for start in range(0, len(rows), AT_ONCE):
            codes = np.asarray(columns["pieces"][rows[start : start + AT_ONCE]])
            told = measured(model(torch.from_numpy(codes).long()))
            nats += float(told["nats"].sum())
            characters += float(told["characters"].sum())
    return float(np.exp(-nats / max(1.0, characters)))
