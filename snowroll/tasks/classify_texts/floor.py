"""What must be beaten: multinomial naive Bayes over words, and always answering the commonest class. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.task import Columns
from snowroll.prepare.folded import words_of_codes

MOST = 50_000  # texts that are counted


def floor(columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray]) -> tuple[float, str]:
    """(accuracy over the test's texts of the better one, what it is and what the other gets)."""
    learnt, judged = rows["train"][:MOST], rows["test"]
    known = [words_of_codes(columns["codes"][int(row)]) for row in learnt]
    asked = [words_of_codes(columns["codes"][int(row)]) for row in judged]
    classes, truth = np.asarray(targets["class"])[learnt], np.asarray(targets["class"])[judged]
    bayes = float(np.mean(naive_bayes(known, classes, asked) == truth))
    commonest = float(np.mean(truth == np.bincount(classes).argmax()))
    if bayes >= commonest:
        return bayes, f"naive Bayes over words, above {commonest:.3f} of one answer to all"
    return commonest, f"one answer to all, above {bayes:.3f} of naive Bayes over words"


def naive_bayes(known: Sequence[Sequence[str]], classes: np.ndarray, asked: Sequence[Sequence[str]]) -> np.ndarray:
    """[m] the likeliest class of each text by the words of others, each counted once more than it is there.

    (McCallum & Nigam 1998, the multinomial event model; words that no text had say nothing.)

    >>> naive_bayes([["good"], ["bad", "bad"]], np.array([0, 1]), [["good", "new"], ["bad"]]).tolist()
    [0, 1]
    """
    counts = [Counter[str]() for _ in range(int(classes.max()) + 1)]
    for words, number in zip(known, classes.tolist(), strict=True):
        counts[number].update(words)
    place = {word: at for at, word in enumerate(sorted(set().union(*counts)))}
    table = np.ones((len(place), len(counts)))
    for number, some in enumerate(counts):
        table[[place[word] for word in some], number] += list(some.values())
    logs = np.log(table / table.sum(axis=0))
    prior = np.log(np.bincount(classes, minlength=len(counts)).clip(min=0.5) / len(classes))
    said = [prior + logs[[place[word] for word in words if word in place]].sum(axis=0) for words in asked]
    return np.array([int(one.argmax()) for one in said])
