"""Targets as numbers: the tokens of each passage and of what follows it. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.tasks.write_text.texts import PAD, alphabet, codes_of, follows_of


def spelled_out(targets: Sequence[Json], schema: Json, columns: Columns) -> Columns:
    """tokens int32 [n, T + A]: those of passage and target, -1 after their end; answer int32 [n, A]: its codes.

    columns: of the pack, with "codes" or "bytes" [n, T + 1].
    """
    in_bytes = "bytes" in columns
    framed = np.asarray(columns["bytes" if in_bytes else "codes"])
    answers = [codes_of(follows_of(target), in_bytes) for target in targets]
    most = max((len(answer) for answer in answers), default=0)
    answer = np.full((len(framed), max(1, most)), PAD, np.int32)
    whole = np.full((len(framed), framed.shape[1] - 1 + answer.shape[1]), PAD, np.int32)
    whole[:, : framed.shape[1] - 1] = framed[:, 1:]
    for row, codes in enumerate(answers):
        answer[row, : len(codes)] = codes
        begin = int((framed[row, 1:] >= 0).sum())
        whole[row, begin : begin + len(codes)] = codes
    return {"tokens": token_numbers(whole, schema, in_bytes), "answer": answer}


def token_numbers(codes: np.ndarray, schema: Json, in_bytes: bool) -> np.ndarray:
    """Codes to the numbers of their tokens, as the model's table has them; PAD becomes -1."""
    known = np.array(alphabet(schema, in_bytes), np.int64)
    if not len(known):
        return np.where(codes >= 0, 0, -1).astype(np.int32)
    places = np.searchsorted(known, codes).clip(0, len(known) - 1)
    numbers = np.where(known[places] == codes, places, len(known))
    return np.where(codes >= 0, numbers, -1).astype(np.int32)
