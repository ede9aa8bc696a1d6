"""Kneser-Ney n-grams: probabilities sum to one, and more of the past tells more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.evaluate.ngrams import KneserNey

rows = st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=12), min_size=1, max_size=8)


def padded(texts: list[list[int]]) -> np.ndarray:
    wide = max(1, *map(len, texts))
    return np.array([[*text, *[-1] * (wide - len(text))] for text in texts])


@settings(max_examples=40)
@given(rows, st.lists(st.integers(0, 3), max_size=6), st.integers(1, 5))
def test_what_may_follow_sums_to_one(texts: list[list[int]], before: list[int], order: int) -> None:
    model = KneserNey.of(padded(texts), 4, order)
    every = np.array([[*before, token] for token in range(4)])
    given_before = model.nats(padded([before]))[0] if before else 0.0
    assert np.exp(given_before - model.nats(every)).sum() == pytest.approx(1)


def test_is_the_textbooks_bigram() -> None:
    """By hand: "0 1 0 1 0 2", discount n1 / (n1 + 2 n2) = 2/6 of bigrams (^0, 02 once; 01, 10 twice)."""
    model = KneserNey.of(np.array([[0, 1, 0, 1, 0, 2]]), 3, order=2)
    bigram, unigram = 2 / (2 + 2 * 2), 2 / (2 + 2 * 1)
    one = (1 - unigram) / 4 + unigram * 3 / 4 / 3  # 1 follows one kind of token; four kinds of bigrams
    after_0 = (2 - bigram) / 3 + bigram * 2 / 3 * one
    first = model.nats(np.array([[0]]))[0]
    assert np.exp(first - model.nats(np.array([[0, 1]]))[0]) == pytest.approx(after_0)


def test_more_of_the_past_tells_more() -> None:
    text = np.tile([0, 1, 2, 0, 2, 1, 1, 3], 200)[None]
    losses = [KneserNey.of(text[:, :1_200], 4, order).nats(text[:, 1_200:])[0] for order in (1, 2, 3, 5)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1 * losses[0]


def test_of_many_tokens_the_order_is_lowered() -> None:
    model = KneserNey.of(np.array([[1, 70_000, 5]]), 100_000, order=5)
    assert len(model.orders) == 3
    assert np.isfinite(model.nats(np.array([[5, 1]]))).all()
