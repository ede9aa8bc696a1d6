"""How the next token is drawn from what a model says of it: temperature, the likeliest k, the likeliest p. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from snowroll.base.bounds import check_numbers


@dataclass(frozen=True, slots=True)
class Taste:
    """How the next token is drawn from what a model says of it."""

    temperature: float = 0.8  # 0: always the likeliest
    top_k: int = 0  # of the likeliest tokens; 0: of all
    top_p: float = 1.0  # of the likeliest tokens whose shares make up this much (Holtzman et al. 2020)
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers("taste", self, from_0="temperature top_k seed", shares="top_p")


def drawn_token(logits: np.ndarray, taste: Taste, place: int) -> int:
    """One token of numpy logits [V]; a function of the taste and of the place in the text, so that it can be repeated.

    >>> drawn_token(np.array([0.0, 3.0, 1.0]), Taste(temperature=0), 0)
    1
    """
    logits = np.asarray(logits, np.float64)
    if taste.temperature == 0:
        return int(logits.argmax())
    order = np.argsort(-logits, kind="stable")
    scaled = logits[order] / taste.temperature
    shares = np.exp(scaled - scaled.max())
    shares /= shares.sum()
    keep = len(order) if not taste.top_k else min(taste.top_k, len(order))
    keep = min(keep, int(np.searchsorted(shares.cumsum(), taste.top_p * (1 - 1e-12)) + 1))
    edges = shares[:keep].cumsum()
    draw = np.random.Philox(key=[taste.seed, place]).random_raw(1)[0] / 2**64
    return int(order[min(int(np.searchsorted(edges, draw * edges[-1], side="right")), keep - 1)])


class Reader(Protocol):
    """A model of tokens that remembers what it has read."""

    context: int  # tokens that it can remember

    def begin(self) -> Any:
        """An empty memory."""
        ...

    def read(self, tokens: Sequence[int], memory: Any, /) -> tuple[np.ndarray, Any]:
        """Logits float [V] of what follows the tokens, after what the memory holds; and the memory with them in it."""
        ...


def gone_on(reader: Reader, ids: Sequence[int], taste: Taste, forbidden: Sequence[int] = ()) -> Iterator[int]:
    """What a model writes after `ids` (its first: nothing), token by token, without end.

    Each token costs one step, not the whole text. Where the memory is full, the last half of the context is read anew.
    forbidden: tokens that are never written.
    """
    known, place = list(ids)[-reader.context :], 0
    memory, held, fresh = reader.begin(), 0, known
    while True:
        logits, memory = reader.read(fresh, memory)
        held += len(fresh)
        logits[list(forbidden)] = -np.inf
        token = drawn_token(logits, taste, place)
        yield token
        known, fresh, place = [*known, token][-reader.context :], [token], place + 1
        if held >= reader.context:
            memory, held, fresh = reader.begin(), 0, known[-(reader.context // 2 or 1) :]
