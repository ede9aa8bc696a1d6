"""What a report tells of translations beside its figures: the worst, and what was copied right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from snowroll.evaluate.background import Evidence, Passage
from snowroll.evaluate.bleu import BLEU_SIGNATURE, CHRF_SIGNATURE
from snowroll.tasks.translate.copied import names_in, numbers_in
from snowroll.tasks.translate.scoring import alike
from snowroll.tasks.translate.sentences import text_of

WORST = 8  # sentences
_LENGTHS = ((8, "up to 8"), (16, "9 to 16"), (32, "17 to 32"), (inf, "33 and more"))
Row = tuple[str, float, float, float]


def explained(evidence: Evidence) -> Iterable[Passage]:
    """Signatures, what was copied, and the sentences that went worst."""
    sources = _sources(evidence)
    said = [str(prediction.value) for prediction in evidence.predictions]
    truth = [str(target) for target in evidence.targets]
    yield Passage("How it was counted", f"BLEU|{BLEU_SIGNATURE}, chrF|{CHRF_SIGNATURE}: sacrebleu's figures over 100.")
    rows = [row for row in (_numbers(sources, said, truth), _names(sources, said, truth)) if row]
    if rows:
        yield Passage(
            "Copied right",
            "Of what a person took over from the source, what the model took over.",
            ("what", "right", "of", "share"),
            rows,
        )
    marks = np.array([alike(one, other) for one, other in zip(said, truth, strict=True)])
    worst = [int(row) for row in np.argsort(marks, kind="stable")[:WORST] if marks[row] < 1]
    if worst:
        yield Passage(
            "The worst translations",
            "By the letters they share with a person's.",
            ("chrF", "source", "said", "a person's"),
            [(float(marks[row]), sources[row], said[row], truth[row]) for row in worst],
        )


def sliced(looks: Sequence[Any]) -> Mapping[str, Sequence[object]]:
    """Sentences by their length in words."""
    words = [look.own.get("words", 0.0) if look is not None else 0.0 for look in looks]
    return {"words": [next(name for most, name in _LENGTHS if count <= most) for count in words]}


def _sources(evidence: Evidence) -> list[str]:
    merges, found = evidence.options.merges, []
    for start in range(0, len(evidence.targets), 256):
        batch = evidence.gather(range(start, min(start + 256, len(evidence.targets))))
        found += [text_of(row, merges) for row in batch.inputs.cpu().numpy()]
    return found


def _numbers(sources: Sequence[str], said: Sequence[str], truth: Sequence[str]) -> Row | None:
    right = whole = 0
    for source, answer, target in zip(sources, said, truth, strict=True):
        meant = numbers_in(source) & numbers_in(target)
        whole += meant.total()
        right += (meant & numbers_in(answer)).total()
    return ("numbers", float(right), float(whole), right / whole) if whole else None


def _names(sources: Sequence[str], said: Sequence[str], truth: Sequence[str]) -> Row | None:
    right = whole = 0
    for source, answer, target in zip(sources, said, truth, strict=True):
        meant = names_in(source, target)
        whole += len(meant)
        right += len(meant & names_in(source, answer))
    return ("names", float(right), float(whole), right / whole) if whole else None
