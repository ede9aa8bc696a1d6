"""What translates without understanding: the likeliest word for each word, and the nearest sentence that is known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.evaluate.bleu import bleu, bleu_counts, words_of
from snowroll.tasks.translate.sentences import text_of

ROUNDS = 5  # of expectation and maximisation
MOST = 20_000  # pairs that are counted; of more, the first
LONGEST = 60  # words of a sentence that is counted


def floor(columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Json) -> tuple[float, str]:
    """(BLEU over the test's sentences, what gave it): the better of word by word and the nearest sentence, beside the
    other's figure."""
    merges = tuple(schema.get("merges", ()))
    learnt, judged = rows["train"][:MOST], rows["test"]
    sources = [text_of(columns["source"][row], merges) for row in learnt]
    known = [text_of(targets["target"][row], merges) for row in learnt]
    asked = [text_of(columns["source"][row], merges) for row in judged]
    truth = [text_of(targets["target"][row], merges) for row in judged]
    found = floors(sources, known, asked, truth)
    best, other = sorted(found, key=lambda name: -found[name])
    return found[best], f"{best}, ahead of {other} with {found[other]:.3f}"


def floors(
    sources: Sequence[str], targets: Sequence[str], asked: Sequence[str], truth: Sequence[str]
) -> dict[str, float]:
    """BLEU in [0, 1] of each way to translate `asked` with nothing but pairs that are known."""
    words = lexicon(sources, targets)
    nearest = Nearest(sources)
    ways = {
        "word by word (IBM model 1)": [by_words(text, words) for text in asked],
        "the nearest sentence that is known (tf-idf)": [targets[place] for place in nearest.places(asked)],
    }
    return {way: _bleu(said, truth) for way, said in ways.items()}


def lexicon(sources: Sequence[str], targets: Sequence[str], rounds: int = ROUNDS) -> dict[str, str]:
    """The likeliest translation of each word, "" for none: IBM model 1 by expectation-maximisation.

    (Brown et al. 1993, eq. 13-14; the empty word takes what nothing else gives.)
    """
    pairs = [(words_of(one)[:LONGEST], words_of(other)[:LONGEST]) for one, other in zip(sources, targets, strict=True)]
    given = {word: number for number, word in enumerate(dict.fromkeys(w for one, _ in pairs for w in one), 1)}
    told = {word: number for number, word in enumerate(dict.fromkeys(w for _, other in pairs for w in other))}
    names = list(told)
    # every pair of words that stand in one pair of sentences is a cell; `place` tells each link's cell
    links, owners, at = [], [], 0
    for one, other in pairs:
        e = np.array([0, *[given[word] for word in one]], np.int64)
        f = np.array([told[word] for word in other], np.int64)
        links.append((e[None, :] * len(told) + f[:, None]).ravel())
        owners.append(np.repeat(np.arange(at, at + len(f)), len(e)))
        at += len(f)
    if not at:
        return {}
    cells, place = np.unique(np.concatenate(links), return_inverse=True)
    owner = np.concatenate(owners)
    from_, to = cells // len(told), cells % len(told)
    shares = np.ones(len(cells))
    for _ in range(rounds):
        each = shares[place]
        each /= np.bincount(owner, each, minlength=at)[owner]
        counts = np.bincount(place, each, minlength=len(cells))
        shares = counts / np.bincount(from_, counts, minlength=len(given) + 1)[from_]
    order = np.lexsort((to, -shares, from_))
    first = order[np.unique(from_[order], return_index=True)[1]]
    best = {int(from_[cell]): names[int(to[cell])] for cell in first}
    return {word: best.get(number, "") for word, number in given.items()}


def by_words(text: str, words: Mapping[str, str]) -> str:
    """Each word's likeliest translation, in the order of the source; words that are not known as they are."""
    return " ".join(filter(None, (words.get(word, word) for word in words_of(text))))


class Nearest:
    """Sentences by the words they share, rare ones counting more (tf-idf, cosine)."""

    def __init__(self, texts: Sequence[str]) -> None:
        bags = [Counter(words_of(text.lower())) for text in texts]
        often = Counter(word for bag in bags for word in bag)
        self.weight = {word: float(np.log((1 + len(bags)) / (1 + n))) for word, n in often.items()}
        self.home: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        sizes = np.array([sum((n * self.weight[word]) ** 2 for word, n in bag.items()) for bag in bags]) ** 0.5
        found: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for row, bag in enumerate(bags):
            for word, n in bag.items():
                found[word].append((row, n * self.weight[word] / max(1e-9, sizes[row])))
        for word, cells in found.items():
            self.home[word] = (np.array([row for row, _ in cells]), np.array([value for _, value in cells]))
        self.n = len(texts)

    def places(self, texts: Sequence[str]) -> list[int]:
        """Of each text the most alike sentence; the first where none has a word of it."""
        return [self._place(text) for text in texts]

    def _place(self, text: str) -> int:
        alike = np.zeros(self.n)
        for word, n in Counter(words_of(text.lower())).items():
            if word in self.home:
                rows, values = self.home[word]
                alike[rows] += n * self.weight[word] * values
        return int(alike.argmax())


def _bleu(said: Sequence[str], truth: Sequence[str]) -> float:
    counts = [bleu_counts(one, other) for one, other in zip(said, truth, strict=True)]
    return bleu(np.sum(counts, axis=0)) if counts else 0.0
