"""Gates for a fit without gradients: what of the machinery's hypotheses has a meaning where nothing is stepped.

Not asked: how an untrained model begins, gradients, a learning rate's course, two samples by heart (a tree that asks
for twenty rows a leaf cannot), and whether every input matters (to leave most out is what a tree is for).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.train.fit import Objective
from snowroll.train.gates import Write, answers_apart, sees
from snowroll.train.hypothesis import Hypothesis
from snowroll.train.learns import others_inputs
from snowroll.train.trial import Measured, Trial, few, outputs_of

ROWS = 4_000  # training rows that a gate fits and judges on, half and half
Fit = Callable[[nn.Module, Batch, Batch], None]  # a fresh model, rows to fit, rows to choose by (here: none)


@dataclass(frozen=True, slots=True)
class Rows:
    """Two halves of some training rows: fitted on the one, judged on the other."""

    fit: Fit
    seen: Batch
    unseen: Batch


def hypotheses_at_once(rows: Rows, write: Write) -> list[Hypothesis[Trial]]:
    """The gates of a fit at once, cheapest first."""
    return [
        Hypothesis(
            "sees",
            "the model is given inputs that are finite and differ from sample to sample",
            "finite, no two samples alike in every value; the picture shows what a person would label the same way",
            lambda trial: sees(trial, write),
        ),
        Hypothesis(
            "samples_apart",
            "the answer for a sample depends on that sample alone",
            "no change when the other samples of the batch change, move or go away",
            lambda trial: answers_apart(trial, _fitted(trial, rows, rows.seen)),
        ),
        Hypothesis(
            "same_twice",
            "the same rows and the same seed give the same model",
            "equal answers, to the last bit",
            lambda trial: same_twice(trial, rows),
        ),
        Hypothesis(
            "beats_blind",
            "the model learns from its inputs: it beats a twin that was fitted to others' inputs",
            "a lower loss on rows that neither saw, beyond the 95 % interval of the difference",
            lambda trial: beats_blind(trial, rows),
        ),
    ]


def same_twice(trial: Trial, rows: Rows) -> Measured:
    one, other = (outputs_of(_fitted(trial, rows, rows.seen), rows.unseen) for _ in range(2))
    if all(torch.equal(a, b) for a, b in zip(one, other, strict=True)):
        return Measured(f"equal answers to {len(rows.unseen.ids):,} rows", True)
    return Measured("two fits to the same rows answer differently", False)


def beats_blind(trial: Trial, rows: Rows) -> Measured:
    seeing = _losses(trial.objective, _fitted(trial, rows, rows.seen), rows.unseen)
    blinded = others_inputs(rows.seen, max(1, len(rows.seen.ids) // 3))
    blind = _losses(trial.objective, _fitted(trial, rows, blinded), rows.unseen)
    gain = blind - seeing
    low = float(gain.mean() - 1.96 * gain.std() / len(gain) ** 0.5)
    words = (
        f"loss {float(seeing.mean()):.3f} on {len(gain):,} rows that it did not see, blind {float(blind.mean()):.3f}; "
        f"the difference is at least {low:.3f}"
    )
    return Measured(words, low > 0)


def _fitted(trial: Trial, rows: Rows, seen: Batch) -> nn.Module:
    model = trial.make()
    rows.fit(model, seen, few(seen, 0))
    return model.eval()


def _losses(objective: Objective, model: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad():
        return objective(model, batch).float()
