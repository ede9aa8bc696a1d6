"""Targets that are not those of the inputs they stand beside."""

from __future__ import annotations

from dataclasses import replace

import torch
from cases import Fed, Program, training_case
from torch import Tensor, nn


@training_case("wrong_targets", on=("digits", "talk"))
def shuffled_in_the_loss(program: Program) -> Program:
    """The loss permutes the targets of a batch before it compares, as a forgotten debugging line does.

    Data, labels and model are right when looked at one by one; the loss falls to that of guessing.
    """

    def shuffled(model: nn.Module, fed: Fed) -> Tensor:
        return program.loss(model, replace(fed, targets=fed.targets[torch.randperm(len(fed.targets))]))

    return replace(program, loss=shuffled)


@training_case("wrong_targets", on=("digits",))
def off_by_one(program: Program) -> Program:
    """Class numbers that count from 0 are lowered by one, as if they counted from 1; 0 becomes the last class.

    Indexing with -1 is legal in Python. The model learns as well as ever, every answer is its neighbour.
    """

    def feed(told: Program, step: int) -> Fed:
        fed = program.feed(told, step)
        return replace(fed, targets=(fed.targets - 1) % len(told.classes))

    return replace(program, feed=feed)


@training_case("wrong_targets", on=("signs", "machines"))
def places_for_rows(program: Program) -> Program:
    """Labels are looked up by the place in the training part, inputs by the row in the whole.

    `labels[i]` for `labels[train[i]]`. Both indices are in range, and the distribution of labels is as before.
    """

    def feed(told: Program, step: int) -> Fed:
        fed = program.feed(told, step)
        places = {int(row): place for place, row in enumerate(told.train)}
        return replace(fed, targets=torch.as_tensor(told.labels[[places[int(row)] for row in fed.ids]]))

    return replace(program, feed=feed)


@training_case("wrong_targets", on=("beats",))
def of_the_last_batch(program: Program) -> Program:
    """Inputs are prefetched one batch ahead of their targets: step n trains on the targets of step n - 1.

    A race in a hand-written double buffer. Each array by itself is a valid batch.
    """

    def feed(told: Program, step: int) -> Fed:
        return replace(program.feed(told, step), targets=program.feed(told, max(0, step - 1)).targets)

    return replace(program, feed=feed)


@training_case("wrong_targets", on=("beats",))
def cast_to_bool(program: Program) -> Program:
    """Class numbers pass through a boolean mask on their way, so every class but the first is class 1.

    True counts as 1 wherever a class number is wanted, and the loss falls faster than ever.
    """

    def feed(told: Program, step: int) -> Fed:
        fed = program.feed(told, step)
        return replace(fed, targets=fed.targets.bool().long())

    return replace(program, feed=feed)


@training_case("wrong_targets", on=("talk",))
def text_not_shifted(program: Program) -> Program:
    """The targets of a language model are its inputs: it learns to copy the character that it reads.

    The shift by one was left to the loss, and the loss left it to the loader. The loss falls to zero.
    """

    def feed(told: Program, step: int) -> Fed:
        fed = program.feed(told, step)
        return replace(fed, targets=fed.inputs)

    return replace(program, feed=feed)
