"""Every gate that a loop gives enough to ask, in stages: what is cheap first, and nothing after a stage that failed.

    for gate in examine(loop):
        print("passed" if gate.passed else "FAILED", gate.name, gate.measured)

A gate copies the model and leaves torch's random state as it was. The last two stages train: about four runs of at most
three hundred steps, and five of sixty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

import torch

from snowroll.base.nouns import Gate
from snowroll.train.begins import bias_at_prior, loss_at_init
from snowroll.train.gates import samples_apart
from snowroll.train.hypothesis import Hypothesis, verdict
from snowroll.train.learns import ByHeart, beats_blind, capacity_pays, everything_learns, two_by_heart
from snowroll.train.own import afterwards, losses, models, schedules, stored, updates
from snowroll.train.own.loop import Loop, trial_of
from snowroll.train.reaches import inputs_reach
from snowroll.train.spreads import LOUD, OUTPUTS, activations, outputs_differ
from snowroll.train.trial import Measured, Trial


def examine(loop: Loop, now: Callable[[], float] = monotonic) -> Iterator[Gate]:
    """The verdicts, as they come. An error that the loop itself raises is raised."""
    with torch.random.fork_rng(devices=[]):
        for stage in stages():
            failed = False
            for question in stage:
                if (gate := verdict(question, loop, now)) is not None:
                    failed |= not gate.passed
                    yield gate
            if failed:
                return


def stages() -> list[list[Hypothesis[Loop]]]:
    """As arithmetic and single passes; by a few steps; by short trainings; by a rehearsal of the run."""
    return [[*_before(), *_of_the_loss(), *_of_the_model()], _of_steps(), _of_learning(), _of_a_run()]


def _before() -> list[Hypothesis[Loop]]:
    return [
        Hypothesis(
            "schedule",
            "the learning rate's course fits the number of steps",
            "it rises, if at all, and falls within the run",
            schedules.schedule,
        ),
        Hypothesis(
            "held_out_apart",
            "what is judged by is not learnt from",
            "no row on both sides, and fewer than a tenth of equal samples",
            stored.held_out_apart,
        ),
        Hypothesis("finite", "every sample is a number", "no NaN and no infinity among the inputs", stored.finite),
        Hypothesis(
            "encoded_whole",
            "encoding loses nothing that tells samples apart",
            "as many values as are stored, spread, and in their place",
            stored.encoded_whole,
        ),
        Hypothesis("inputs_arrive", "a batch's inputs are its rows'", "equal to what is stored", stored.inputs_arrive),
        Hypothesis(
            "targets_arrive", "a batch's targets are its rows'", "equal to what is stored", stored.targets_arrive
        ),
        Hypothesis(
            "batches_move_on",
            "other steps see other samples",
            f"more rows than one batch holds in the first {stored.FIRST} steps",
            stored.batches_move_on,
        ),
        Hypothesis("repeats", "the same seed gives the same run", "equal to the last bit", stored.repeats),
    ]


def _of_the_loss() -> list[Hypothesis[Loop]]:
    return [
        Hypothesis(
            "loss_steady_in_size",
            "the loss is a mean over its samples",
            "the same for the same samples twice",
            losses.steady_in_size,
        ),
        Hypothesis(
            "loss_reaches_all",
            "every sample of a batch teaches something",
            "nine in ten answers with a gradient, and some of every class",
            losses.reaches_all,
        ),
        Hypothesis(
            "loss_falls_when_right",
            "the loss rewards right answers",
            "a step down the loss makes them likelier",
            losses.falls_when_right,
        ),
        Hypothesis(
            "loss_meets_its_target",
            "the loss compares each sample with its own target",
            "a step down the loss makes it likelier for nine in ten",
            losses.meets_its_target,
        ),
        Hypothesis(
            "loss_is_proper",
            "the loss wants probabilities that are true",
            "the best constant answer to a mixture is no surer than its shares",
            losses.is_proper,
        ),
        Hypothesis(
            "loss_at_init",
            "an untrained model knows nothing and is not sure of it",
            "the loss of a uniform or of the best constant answer",
            of_trial(loss_at_init),
        ),
        Hypothesis(
            "bias_at_prior",
            "an untrained model says how common the classes are",
            "a mean answer nearer to the best constant one than to a uniform one",
            of_trial(bias_at_prior),
        ),
    ]


def _of_the_model() -> list[Hypothesis[Loop]]:
    return [
        Hypothesis(
            "activations",
            "values stay in bounds on their way",
            f"no layer's spread above {LOUD:g} times the inputs'",
            of_trial(activations),
        ),
        Hypothesis(
            "no_future", "no output sees what comes after it", "no change before the place", models.sees_no_future
        ),
        Hypothesis(
            "samples_apart",
            "in evaluation, the answer for a sample depends on that sample alone",
            "no change when the other samples of the batch change, move or go away",
            of_trial(samples_apart),
        ),
        Hypothesis(
            "inputs_reach",
            "answers depend on all of the inputs",
            "a change for every quarter of them, along every axis",
            of_trial(inputs_reach),
        ),
        Hypothesis(
            "trains_as_training",
            "while it learns, the model is in training mode",
            "dropout drops and batch statistics are taken, in some layer at least",
            models.trains_as_training,
        ),
        Hypothesis(
            "answers_stand", "an answer does not change from call to call", "equal, alone too", models.answers_stand
        ),
        Hypothesis(
            "outputs_differ",
            "enough can pass through the model to tell the classes apart",
            OUTPUTS,
            of_trial(outputs_differ),
        ),
    ]


def _of_steps() -> list[Hypothesis[Loop]]:
    return [
        Hypothesis(
            "update_follows_gradient",
            "a step moves the weights down the gradient of its batches",
            "that gradient, whole and alone, when the optimizer steps",
            updates.follows_gradient,
        ),
        Hypothesis(
            "optimizer_has_all",
            "the optimizer holds what the loss depends on",
            "this model's parameters, and none left out after one that learns",
            updates.optimizer_has_all,
        ),
        Hypothesis(
            "everything_learns",
            "every trainable parameter receives a gradient and moves, and most units are alive",
            "none left behind",
            of_trial(everything_learns),
        ),
    ]


def _of_learning() -> list[Hypothesis[Loop]]:
    """Two samples learnt once, for two questions."""
    tries: list[ByHeart] = []

    def of_pair(judge: Callable[[ByHeart], bool]) -> Callable[[Loop], Measured]:
        def ask(loop: Loop) -> Measured:
            if not tries:
                tries.append(two_by_heart(trial_of(loop)))
            return Measured(tries[0].words, judge(tries[0]))

        return ask

    return [
        Hypothesis(
            "overfits_two",
            "two samples can be learnt by heart",
            "a loss well under a blind twin's",
            of_pair(lambda pair: pair.learnt),
        ),
        Hypothesis(
            "known_in_evaluation",
            "what was learnt by heart is known in evaluation mode",
            "both answers right",
            of_pair(lambda pair: pair.known or not pair.learnt),
        ),
        Hypothesis(
            "beats_blind",
            "the network learns from its inputs: it beats a twin whose inputs are shuffled among the samples",
            "a lower loss on the same samples",
            of_trial(beats_blind),
        ),
        Hypothesis(
            "capacity_pays",
            "the loss falls when capacity rises: the whole model learns what its last layer alone does not",
            "a lower loss on the same samples after as many steps",
            of_trial(capacity_pays),
        ),
        Hypothesis(
            "learning_rate",
            "the learning rate is of the right order",
            f"at least {schedules.POOR:.0%} of what the best of five rates gains in as many steps",
            schedules.learning_rate,
        ),
    ]


def _of_a_run() -> list[Hypothesis[Loop]]:
    """One rehearsal for all four."""
    runs: list[afterwards.Rehearsed] = []

    def of_run(measure: Callable[[afterwards.Rehearsed], Measured | None]) -> Callable[[Loop], Measured | None]:
        def ask(loop: Loop) -> Measured | None:
            if not runs:
                runs.append(afterwards.rehearsed(loop))
            return measure(runs[0])

        return ask

    return [
        Hypothesis(
            "modes_agree",
            "the evaluated model is the trained one",
            "a loss in evaluation mode that is no worse by half than in training mode",
            of_run(afterwards.same_in_both_modes),
        ),
        Hypothesis(
            "augmentation_keeps_labels",
            "augmented samples are still of their class",
            "no class whose augmented samples are taken for another and cannot be learnt",
            of_run(afterwards.augmentation_keeps_labels),
        ),
        Hypothesis(
            "figure_agrees",
            "the reported figure is of the held-out samples, all and each once",
            "the accuracy that is counted here",
            of_run(afterwards.figure_agrees),
        ),
        Hypothesis(
            "served_alike",
            "what is served is what was trained",
            "the model's own answers",
            of_run(afterwards.served_alike),
        ),
    ]


def of_trial(measure: Callable[[Trial], Measured | None]) -> Callable[[Loop], Measured | None]:
    """A gate of our own runs, asked of somebody else's loop."""
    return lambda loop: measure(trial_of(loop))
