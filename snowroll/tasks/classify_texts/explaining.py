"""What a model of texts goes by, in words: which of them speak for a class, and which misled it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
import torch

from snowroll.design.ngrams import Bag
from snowroll.evaluate.background import Evidence, Passage
from snowroll.prepare.folded import words_of_codes
from snowroll.tasks.classify_texts.model import inner, word_votes

MOST_ASKED = 1_000  # texts that the words of a bag are weighed in; a tenth of them where each word is taken out
WORDS = 10  # of a class, of a text
MOST_CLASSES = 20
WORST = 10  # mistakes
OFTEN = 2  # texts that a word must stand in to be told
_LENGTHS = ((8, "up to 8"), (32, "9 to 32"), (128, "33 to 128"), (512, "129 to 512"), (inf, "513 and more"))


def explained(evidence: Evidence) -> Iterator[Passage]:
    exact = isinstance(inner(evidence.model), Bag)
    how = (
        "exact: they sum to its log-odds, with what the class has without any word"
        if exact
        else "how far its log-odds fall when the word is taken out"
    )
    yield _for_classes(evidence, exact, how)
    worst = _worst(evidence)
    if worst:
        words = f"The surest first. Each word with what it adds to what was said over the truth, {how}."
        rows = [
            (
                str(evidence.predictions[row].value),
                str(evidence.targets[row]),
                _speaking(evidence, row),
                _beginning(evidence, row),
            )
            for row in worst
        ]
        yield Passage("What misled it", words, ("said", "truth", "by the words", "the text, folded"), rows)


def sliced(looks: Sequence[Any]) -> Mapping[str, Sequence[object]]:
    """Texts by their length in words, and by their script."""
    words = [look.own.get("words", 0.0) if look is not None else 0.0 for look in looks]
    scripts = [_script(look.own) if look is not None else "" for look in looks]
    told: dict[str, Sequence[object]] = {
        "words": [next(name for most, name in _LENGTHS if count <= most) for count in words]
    }
    return {**told, "script": scripts} if len(set(scripts)) > 1 else told


def _script(own: Mapping[str, float]) -> str:
    counts = {name[3:]: n for name, n in own.items() if name.startswith("of_")}
    return max(counts, key=lambda name: counts[name], default="none")


def _for_classes(evidence: Evidence, exact: bool, how: str) -> Passage:
    """By the words of the judged texts: what each adds to its class over the best other one, on average."""
    classes = list(evidence.schema["classes"])
    n = min(MOST_ASKED if exact else MOST_ASKED // 10, len(evidence.targets))
    sums: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in classes}
    for row in np.linspace(0, len(evidence.targets) - 1, n).round().astype(int).tolist():
        said = str(evidence.predictions[row].value)
        for word, vote in _votes(evidence, row, said, _second(evidence, row, said)):
            sums[said][word].append(vote)
    rows = []
    for name in classes[:MOST_CLASSES]:
        least = OFTEN if any(len(votes) >= OFTEN for votes in sums[name].values()) else 1
        worth = {word: sum(votes) / (len(votes) + 1) for word, votes in sums[name].items() if len(votes) >= least}
        best = [word for word in sorted(worth, key=lambda word: -worth[word])[:WORDS] if worth[word] > 0]
        rows.append((name, ", ".join(f"{word} {worth[word]:+.2f}" for word in best) or "never said"))
    words = f"The words that spoke most for what was said in {n:,} test texts: log-odds over the second class, {how}."
    return Passage("Words that speak for a class", words, ("class", "words"), rows)


def _second(evidence: Evidence, row: int, first: str) -> str:
    """The likeliest class but one."""
    classes, scores = list(evidence.schema["classes"]), evidence.predictions[row].scores
    order = [classes[int(place)] for place in np.argsort(-np.asarray(scores), kind="stable")]
    return next(name for name in order if name != first)


def _votes(evidence: Evidence, row: int, first: str, second: str) -> list[tuple[str, float]]:
    classes = list(evidence.schema["classes"])
    codes = evidence.gather([row]).inputs
    words = words_of_codes(codes[0].numpy())
    votes = word_votes(evidence.model, codes, (classes.index(first), classes.index(second)))
    return list(zip(words, votes.tolist(), strict=False))


def _worst(evidence: Evidence) -> list[int]:
    wrong = [
        row
        for row, (said, truth) in enumerate(zip(evidence.predictions, evidence.targets, strict=True))
        if said.value != truth
    ]
    return sorted(wrong, key=lambda row: evidence.predictions[row].doubt)[:WORST]


def _speaking(evidence: Evidence, row: int) -> str:
    said, truth = str(evidence.predictions[row].value), str(evidence.targets[row])
    together: dict[str, float] = defaultdict(float)
    for word, vote in _votes(evidence, row, said, truth):
        together[word] += vote
    best = sorted(together, key=lambda word: -together[word])[: WORDS // 2]
    return ", ".join(f"{word} {together[word]:+.2f}" for word in best if together[word] > 0)


def _beginning(evidence: Evidence, row: int, most: int = 240) -> str:
    with torch.inference_mode():
        text = " ".join(words_of_codes(evidence.gather([row]).inputs[0].numpy()))
    return text if len(text) <= most else text[: most - 1] + "…"
