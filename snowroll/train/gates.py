"""Gates: hypotheses about the training machinery, measured before time is spent (Karpathy, "A Recipe for Training
Neural Networks", 2019). Training fails silently; each gate makes one kind of silence impossible.

Every gate spends a fixed number of steps on a few rows, never a share of the clock, so that its verdict is repeatable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch, Gate
from snowroll.train.begins import SLACK, SLACK_NATS, bias_at_prior, loss_at_init
from snowroll.train.course import schedule
from snowroll.train.fit import fit
from snowroll.train.foresight import no_foresight
from snowroll.train.hypothesis import Hypothesis, verdict
from snowroll.train.learns import CLEARLY, DEAD, beats_blind, capacity_pays, everything_learns, overfits_two
from snowroll.train.nested import leaves
from snowroll.train.rate import POOR, learning_rate
from snowroll.train.reaches import inputs_reach
from snowroll.train.spreads import LOUD, OUTPUTS, activations, outputs_differ
from snowroll.train.trial import Measured, Trial, few, gate_plan, outputs_of, take, wake

if TYPE_CHECKING:
    from PIL.Image import Image

Write = Callable[[Sequence["Image"]], str]  # pictures -> path in the run folder


def pass_through(
    trial: Trial, write: Write, now: Callable[[], float], asked: Sequence[Hypothesis[Trial]] | None = None
) -> Iterator[Gate]:
    """Every gate's verdict, cheapest first.

    asked: the hypotheses; None: all those about learning by gradients.
    """
    for hypothesis in hypotheses(write) if asked is None else asked:
        if (gate := verdict(hypothesis, trial, now)) is not None:
            yield gate


def hypotheses(write: Write) -> list[Hypothesis[Trial]]:
    """All gates, cheapest first. `write` stores the picture of what the network sees."""
    return [
        Hypothesis(
            "schedule",
            "the learning rate's course fits the number of steps",
            "it rises, if at all, and falls within the run",
            schedule,
        ),
        Hypothesis(
            "sees",
            "the network is given inputs that are finite and differ from sample to sample",
            "finite, no two samples alike in every value; the picture shows what a person would label the same way",
            lambda trial: sees(trial, write),
        ),
        Hypothesis(
            "loss_at_init",
            "an untrained network knows nothing and is not sure of it",
            f"the loss of a uniform guess, within {SLACK:.0%} or {SLACK_NATS}",
            loss_at_init,
        ),
        Hypothesis(
            "bias_at_prior",
            "an untrained network says how common the classes are, where they are uneven",
            "a mean answer nearer to the best constant one than to a uniform one",
            bias_at_prior,
        ),
        Hypothesis(
            "activations",
            "values stay in bounds on their way through the network",
            f"no layer's spread above {LOUD:g} times the inputs'",
            activations,
        ),
        Hypothesis(
            "outputs_differ",
            "enough can pass through the network to tell the targets apart",
            OUTPUTS,
            outputs_differ,
        ),
        Hypothesis(
            "samples_apart",
            "in evaluation, the answer for a sample depends on that sample alone",
            "no change when the other samples of the batch change, move or go away",
            samples_apart,
        ),
        Hypothesis(
            "inputs_reach",
            "answers depend on all of the inputs",
            "a change for every quarter of them, along every axis",
            inputs_reach,
        ),
        Hypothesis(
            "no_foresight",
            "no answer along the inputs depends on what comes after it",
            "no change before the place from which on the inputs are others",
            lambda trial: no_foresight(trial) if trial.in_order else None,
        ),
        Hypothesis(
            "same_twice",
            "the same seed gives the same run",
            "equal batches, losses and weights, to the last bit",
            same_twice,
        ),
        Hypothesis(
            "everything_learns",
            "every trainable parameter receives a gradient and moves, and most units are alive",
            f"none left behind; in no layer more than {DEAD:.0%} of the units without a gradient",
            everything_learns,
        ),
        Hypothesis(
            "overfits_two",
            "two samples can be learnt by heart, and are still known in evaluation mode",
            f"loss under {CLEARLY:.0%} of a blind twin's, or right where it is wrong; answers right in evaluation mode",
            overfits_two,
        ),
        Hypothesis(
            "beats_blind",
            "the network learns from its inputs: it beats a twin whose inputs are shuffled among the samples",
            "a lower loss on the same samples, beyond the 95 % interval of the difference, or on nearly all of them",
            beats_blind,
        ),
        Hypothesis(
            "capacity_pays",
            "the loss falls when capacity rises: the whole network learns what its last layer alone does not",
            "a lower loss on the same samples after as many steps",
            capacity_pays,
        ),
        Hypothesis(
            "learning_rate",
            "the learning rate that was set lets the loss fall",
            f"at least {POOR:.0%} of what the best of its tenth, hundredth, tenfold and hundredfold would make of it",
            lambda trial: learning_rate(trial) if trial.rate_is_told else None,  # a planned rate is known to do
        ),
    ]


AFTERWARDS = {  # name -> (hypothesis, expected): measured by train/after.py once the last step is done
    "learnt": (
        "the run learnt something from its inputs",
        "a training loss at the end that is clearly under that of one answer to all, or of others' inputs",
    ),
    "modes_agree": (
        "the model that is evaluated is the one that was trained",
        "a loss in evaluation mode that is no worse by half than in training mode",
    ),
    "known_as_they_are": (
        "what was learnt from augmented samples is known of the samples as they are",
        "a loss on them that is no worse by half than on augmented ones, in evaluation mode",
    ),
    "augmentation_keeps_labels": (
        "augmented samples are still what their targets say",
        "no class of which some steps without augmentation teach half of what was lacking, and more with it nothing",
    ),
    "joined_knows": (
        "the models of the folds as one know what each of them knows",
        "a credit on samples that most of them learnt, no worse by a tenth than of each on what it never saw",
    ),
}


def gate_names() -> list[str]:
    """Of all gates, in their order."""
    return [*(hypothesis.name for hypothesis in hypotheses(lambda pictures: "")), *AFTERWARDS]


def samples_apart(trial: Trial) -> Measured:
    """Of an untrained model, woken: see `answers_apart`."""
    model = trial.make().eval()
    wake(model, trial.plan.seed)
    return answers_apart(trial, model)


def answers_apart(trial: Trial, model: nn.Module) -> Measured:
    """Change the others, turn the order round, leave the others out: a sample's output must stay what it was."""
    batch = few(trial.plain(0), 8)
    size = len(batch.ids)
    backwards = torch.arange(size - 1, -1, -1, device=batch.ids.device)
    whole = outputs_of(model, batch)
    if not whole:
        return Measured("the outputs have no batch axis to compare along", True)
    # every position but 0 gets its neighbour's input
    others = torch.tensor([0, *range(2, size), 1], device=batch.ids.device) if size > 2 else backwards
    try:
        with_others = _apart([t[:1] for t in whole], [t[:1] for t in outputs_of(model, take(batch, others))])
        turned = _apart(whole, [t[backwards] for t in outputs_of(model, take(batch, backwards))])
        alone = _apart([t[:1] for t in whole], outputs_of(model, take(batch, backwards[-1:])))
    except RuntimeError as fault:
        return Measured(f"the network fails on other batches of the same samples ({str(fault).splitlines()[0]})", False)
    if size <= 2:
        with_others = 0.0
    words = f"relative change: others replaced {with_others:.1g}, order turned {turned:.1g}, alone {alone:.1g}"
    return Measured(words, max(with_others, turned) <= 1e-4 and alone <= 1e-3)  # rounding of other kernels


def same_twice(trial: Trial) -> Measured:
    """Three steps of eight rows, twice."""
    plan = gate_plan(trial.plan, 3)

    def batches(step: int) -> Batch:
        return few(trial.batches(step), 8)

    runs = []
    for _ in range(2):
        model = trial.make()
        seen = [leaves(batches(step).inputs) for step in range(3)]
        steps = list(fit(model, batches, trial.objective, plan))
        runs.append((seen, [[step.losses] for step in steps], [list(model.parameters())]))
    for what, first, second in zip(("batches", "losses", "weights"), *runs, strict=True):
        pairs = [(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)]
        if not all(torch.equal(a, b) for a, b in pairs):
            return Measured(f"the {what} of the first three steps differ between two runs with seed {plan.seed}", False)
    return Measured("equal over three steps", True)


def sees(trial: Trial, write: Write) -> Measured:
    """What is handed to the network, decoded back to pictures, after augmentation."""
    batch = few(trial.batches(0))
    picture = write([trial.show(batch, row) for row in range(min(8, len(batch.ids)))])
    tensors = leaves(batch.inputs)
    if not all(bool(torch.isfinite(t).all()) for t in tensors if t.is_floating_point()):
        return Measured("the inputs hold NaN or infinity", False, picture)
    alike = [all(torch.equal(t[0], t[row]) for t in tensors) for row in range(1, len(batch.ids))]
    if alike and all(alike):
        return Measured("all samples of the batch are the same", False, picture)
    largest = max((float(t.abs().max()) for t in tensors if t.is_floating_point()), default=0.0)
    return Measured(f"{len(batch.ids)} samples, largest value {largest:.3g}", True, picture)


def _apart(before: list[Tensor], after: list[Tensor]) -> float:
    """The largest difference, relative to the largest value of its tensor."""
    scales = [float(t.abs().max()) or 1.0 for t in before]
    gaps = [float((a - b).abs().max()) for a, b in zip(before, after, strict=True)]
    return max((gap / scale for gap, scale in zip(gaps, scales, strict=True)), default=0.0)
