"""What a loss wants, found out by asking it about answers that no model made."""

from __future__ import annotations

import torch
from torch import Tensor

from snowroll.base.nouns import Batch
from snowroll.train.begins import answers
from snowroll.train.own.loop import Loop, trial_of
from snowroll.train.stand_in import Answers, best_constant, loss_of
from snowroll.train.trial import Measured, join, take

BATCHES = 4  # that a figure of the loss rests on
ALONE, APART = 8, 4.0  # samples that are asked one by one; factor by which class weights do not set them apart
SEEDS = 8  # a loss may mix samples or drop some at random: its gradient is a mean over these
NONE = 0.02  # of the right answers gain down a loss of the wrong sign; one that meets other targets lets some
SKEW = 0.25  # how far beyond a class's share the best constant may lie: smoothing and weights pull it the other way


def steady_in_size(loop: Loop) -> Measured | None:
    """A batch beside itself loses what it loses alone, and about what its samples lose one by one: a mean over them."""
    if (batch := _asked(loop)) is None:
        return None
    table = _answers_to(loop, batch).table.detach()
    twice = take(batch, torch.arange(len(batch.ids)).repeat(2))
    alone = loss_of(loop.loss, Answers(table), [batch]).item()
    double = loss_of(loop.loss, Answers(torch.cat([table, table])), [twice]).item()
    ratio = double / alone if alone else 1.0
    single = _one_by_one(loop, batch, table)
    words = f"the same samples twice make the loss {ratio:.3g} times as large"
    if not alone / APART < single < alone * APART:
        return Measured(f"{words}; one by one they lose {single:.3g}, together {alone:.3g}: they are mixed", False)
    return Measured(words, 0.67 < ratio < 1.5)


def _one_by_one(loop: Loop, batch: Batch, table: Tensor) -> float:
    """The mean of what the first samples lose, each in a batch of its own."""
    rows = range(min(ALONE, len(batch.ids)))
    each = [loss_of(loop.loss, Answers(table[k : k + 1]), [take(batch, torch.tensor([k]))]).item() for k in rows]
    return sum(each) / len(each)


def reaches_all(loop: Loop) -> Measured | None:
    """Every sample's answer, at every place, has a gradient."""
    if (batch := _asked(loop)) is None:
        return None
    slope = _slope(loop, _answers_to(loop, batch), batch).abs()
    moved = slope.sum(dim=-1) > 0 if slope.ndim > 1 and slope.ndim != 4 else slope > 0  # [B] or [B, T]
    targets = batch.targets
    if isinstance(targets, Tensor) and targets.shape == moved.shape and not targets.is_floating_point():
        counted = targets >= 0  # -100 is torch's word for a place that does not count
        left_out = [int(c) for c in targets[counted].unique() if not moved[counted & (targets == c)].any()]
        if left_out:
            return Measured(f"no sample of class {', '.join(map(str, left_out[:6]))} has any gradient", False)
        moved = moved[counted]
    share = moved.float().mean().item()
    return Measured(f"{share:.0%} of the answers have a gradient", share >= 0.9)


def falls_when_right(loop: Loop) -> Measured | None:
    """A step down the loss does not make the right answers less likely throughout."""
    share = _share_that_gains(loop)
    return share if share is None else Measured(f"down the loss, {share:.0%} of the right answers gain", share > NONE)


def meets_its_target(loop: Loop) -> Measured | None:
    """A step down the loss makes each sample's own target likelier."""
    share = _share_that_gains(loop)
    if share is None or share <= NONE:  # nothing is known, or it is the sign that is wrong
        return None
    return Measured(f"down the loss, {share:.0%} of the samples find their own target likelier", share >= 0.9)


def is_proper(loop: Loop) -> Measured | None:
    """The best constant answer to a mixture of two classes says their shares (a proper score; Gneiting & Raftery 2007).

    Smoothing and weights pull it towards even shares or the rarer class. What goes beyond the commoner one is a loss
    that rewards being too sure: its argument was squashed already, its hard samples are cut off, weights are inverted.
    """
    if (batch := _asked(loop)) is None or loop.predict is None or batch.targets.ndim != 1:
        return None
    pool = [loop.batch(step) for step in range(BATCHES)]
    targets = torch.cat([one.targets for one in pool])
    counts = {int(c): int((targets == c).sum()) for c in targets.unique()}
    if len(counts) < 2:
        return None
    common, *_, rare = sorted(counts, key=lambda c: -counts[c])
    is_even = counts[common] < 2 * counts[rare]
    words, holds = [], True
    for more, less in ((common, rare), (rare, common)):
        mixture = _mixture(pool, more, less)
        model, _ = best_constant(loop.loss, [mixture], _answers_to(loop, mixture).table)
        said = loop.predict(model, mixture.inputs)[0]
        words.append(f"{said[more]:.2f} and {said[less]:.2f} where class {more} is twice as common as {less}")
        meant = {more: 2 / 3, less: 1 / 3}
        judged = (common, rare) if is_even else (common,)
        holds &= all(said[c].item() <= meant[c] + SKEW for c in judged)
    return Measured(f"the best constant answer says {', '.join(words)}; 0.67 and 0.33 would be true", holds)


def _asked(loop: Loop) -> Batch | None:
    """A batch whose loss can be asked about answers that no model made; None where it wants more of its model."""
    batch = loop.batch(0)
    return None if not isinstance(batch.targets, Tensor) or answers(trial_of(loop), batch) is None else batch


def _answers_to(loop: Loop, batch: Batch) -> Answers:
    """A table of answers in the shape of the model's, all nearly even."""
    like = answers(trial_of(loop), batch)
    assert like is not None
    return Answers(0.01 * torch.randn(like.shape, generator=torch.Generator().manual_seed(loop.seed)))


def _slope(loop: Loop, model: Answers, batch: Batch) -> Tensor:
    """The loss's gradient with respect to each answer, a mean over random numbers."""
    total = torch.zeros_like(model.table)
    for seed in range(SEEDS):
        slopes = torch.autograd.grad(loss_of(loop.loss, model, [batch], seed), model.table)
        total += slopes[0] / SEEDS
    return total


def _share_that_gains(loop: Loop) -> float | None:
    if (batch := _asked(loop)) is None or loop.predict is None:
        return None
    model = _answers_to(loop, batch)
    slope = _slope(loop, model, batch)
    if not slope.any():
        return None
    before = _of_targets(loop.predict(model, batch.inputs), batch.targets)
    moved = Answers(model.table.detach() - 0.3 * slope / slope.abs().max())
    after = _of_targets(loop.predict(moved, batch.inputs), batch.targets)
    has_slope = slope.reshape(len(slope), -1).any(dim=1) if slope.ndim < 3 else slope.any(dim=-1)
    return (after > before)[has_slope].float().mean().item()


def _of_targets(probabilities: Tensor, targets: Tensor) -> Tensor:
    """[B] or [B, T] probabilities of the targets; of places that do not count, of class 0."""
    return probabilities.gather(-1, targets.long().clamp(min=0).unsqueeze(-1)).squeeze(-1)


def _mixture(pool: list[Batch], more: int, less: int, size: int = 60) -> Batch:
    """`size` samples of these batches, two of class `more` for each of class `less`; again and again where few."""
    rows: dict[int, list[tuple[int, int]]] = {more: [], less: []}
    for number, batch in enumerate(pool):
        for row, target in enumerate(batch.targets.tolist()):
            if target in rows:
                rows[target].append((number, row))
    parts = []
    for wanted, count in ((more, 2 * size // 3), (less, size // 3)):
        for place in range(count):
            number, row = rows[wanted][place % len(rows[wanted])]
            parts.append(take(pool[number], torch.tensor([row])))
    order = torch.randperm(len(parts), generator=torch.Generator().manual_seed(0)).tolist()
    return join([parts[place] for place in order])
