"""What only a rehearsal shows: a model that really learnt something, evaluated, served and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.train.after import modes_agree
from snowroll.train.own.loop import Loop, rehearse, right, stored
from snowroll.train.trial import Measured

AT_ONCE = 128  # samples predicted together
ASKED = 256  # samples that the service is asked about
SURE = 0.8  # probability
FLIPPED = 0.2  # of a class: augmented samples that a model takes for another class, and was sure of before


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A loop that has run: its model early on, when it still errs, and at the end."""

    loop: Loop
    early: nn.Module
    late: nn.Module
    steps: int

    @property
    def models(self) -> tuple[nn.Module, nn.Module]:
        return self.early, self.late


def rehearsed(loop: Loop, at_most: int = 300) -> Rehearsed:
    """The whole run, or its schedule drawn together into `at_most` steps."""
    steps = min(loop.steps, at_most)
    early, _ = rehearse(loop, max(1, steps // 8))
    late, _ = rehearse(loop, steps)
    return Rehearsed(loop, early, late, steps)


def same_in_both_modes(run: Rehearsed) -> Measured:
    """The loss of the trained model on the same batches, in training and in evaluation mode."""
    return modes_agree(run.loop.loss, run.late, run.loop.batch, run.loop.seed)


def figure_agrees(run: Rehearsed) -> Measured | None:
    """The reported accuracy against one that is counted here, sample by sample, early in the run and at its end."""
    loop = run.loop
    if loop.figure is None or loop.samples is None or loop.predict is None:
        return None
    told = [loop.figure(model) for model in run.models]
    counted = [_accuracy(loop, model) for model in run.models]
    pairs = ", ".join(f"{a:.4f} told, {b:.4f} counted" for a, b in zip(told, counted, strict=True))
    words = f"accuracy on {len(loop.samples.held_out)} held-out samples: {pairs}"
    return Measured(words, all(abs(a - b) < 1e-4 for a, b in zip(told, counted, strict=True)))


def served_alike(run: Rehearsed) -> Measured | None:
    """What the service answers to stored samples, against the model's own answers; ties are let pass."""
    loop = run.loop
    if loop.serve is None or loop.samples is None or loop.predict is None:
        return None
    rows = [int(row) for row in loop.samples.held_out[:ASKED]]
    wrong, asked = 0, 0
    for model in run.models:
        shares = loop.predict(model, stored(loop.samples, rows).inputs)
        shares = shares.reshape(len(rows), -1, shares.shape[-1])[:, -1]
        best = shares.topk(2, dim=1)
        for row, (first, second), place in zip(rows, best.values.tolist(), best.indices[:, 0].tolist(), strict=True):
            if first - second > 1e-3:
                asked += 1
                wrong += loop.serve(model, loop.samples.raw[row]) != loop.samples.classes[place]
    return Measured(f"{wrong} of {asked} answers of the service are not those of the model", wrong == 0)


def augmentation_keeps_labels(run: Rehearsed) -> Measured | None:
    """Augmented samples are still of their class: to a model that never saw any, and to one that learnt from them.

    A class is wronged where the first, sure and right about its samples as they are, takes many of the augmented ones
    for another, and the second cannot learn them either.
    """
    loop = run.loop
    if loop.plain is None or loop.predict is None:
        return None
    pairs = [(loop.plain(step), loop.batch(step)) for step in range(8)]
    if all(torch.equal(a.inputs, b.inputs) for a, b in pairs):
        return Measured("there is none", True)
    unvaried, _ = rehearse(loop, run.steps, batches=loop.plain)
    classes, was_sure, turned, learnt, knows = (
        torch.cat(column) for column in zip(*_views(run, unvaried, pairs), strict=True)
    )
    wronged = []
    for one in classes.unique():
        mine = classes == one
        asked = mine & was_sure
        flips = turned[asked].float().mean().item() if asked.sum() >= 5 else 0.0
        if flips >= FLIPPED and learnt[mine].float().mean() < 0.8 * knows[mine].float().mean():
            wronged.append(f"class {int(one)} ({flips:.0%} taken for another)")
    if wronged:
        return Measured("augmented samples are no longer of their class: " + ", ".join(wronged[:6]), False)
    return Measured(f"{learnt.float().mean():.0%} of augmented samples learnt, none of a class lost", True)


def _views(run: Rehearsed, unvaried: nn.Module, pairs: Sequence[tuple[Batch, Batch]]) -> list[tuple[Tensor, ...]]:
    """For each batch, flat over samples (and places): class; whether the model that saw no augmentation was sure and
    right of the plain sample; takes the augmented one for another; whether the other model has the augmented one
    right; and the first one the plain one."""
    loop, found = run.loop, []
    assert loop.predict is not None
    for plain, varied in pairs:
        shares = loop.predict(unvaried, plain.inputs)
        sure, best = shares.max(dim=-1)
        knows = best == plain.targets
        turned = ~right(loop, unvaried, varied)
        columns = (plain.targets, knows & (sure > SURE), turned, right(loop, run.late, varied), knows)
        found.append(tuple(column.flatten() for column in columns))
    return found


def _accuracy(loop: Loop, model: nn.Module) -> float:
    """Over all held-out samples, and their places."""
    assert loop.samples is not None
    rows = [int(row) for row in loop.samples.held_out]
    parts = [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]
    hits = torch.cat([right(loop, model, stored(loop.samples, part)).double() for part in parts])
    return hits.mean().item()
