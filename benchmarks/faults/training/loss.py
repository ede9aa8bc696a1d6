"""Losses that are not what is meant."""

from __future__ import annotations

from dataclasses import replace

import torch
from cases import Fed, Program, training_case
from torch import Tensor, nn
from torch.nn import functional as F


@training_case("wrong_loss", on=("digits", "signs"))
def softmax_before_cross_entropy(program: Program) -> Program:
    """The model's scores go through softmax and then into cross-entropy, which takes the softmax again.

    The name of the loss does not say that it wants raw scores. It falls, but never below about 1.5 for ten classes.
    """
    return replace(program, loss=lambda model, fed: F.cross_entropy(model(fed.inputs).softmax(dim=1), fed.targets))


@training_case("wrong_loss", on=("machines",))
def sigmoid_twice(program: Program) -> Program:
    """A sigmoid stands before `binary_cross_entropy_with_logits`, so no probability is below one half.

    The other function of nearly the same name wants the sigmoid. Scores stay in [0, 1] and training goes on.
    """

    def twice(model: nn.Module, fed: Fed) -> Tensor:
        return F.binary_cross_entropy_with_logits(model(fed.inputs).sigmoid(), fed.targets.float())

    return replace(program, loss=twice)


@training_case("wrong_loss", on=("signs",))
def sum_for_mean(program: Program) -> Program:
    """The loss is summed over the batch at a rate that was meant for the mean: each step is 64 times too long.

    `reduction="sum"` came with copied code. Batch norm keeps the network finite.
    """

    def summed(model: nn.Module, fed: Fed) -> Tensor:
        return F.cross_entropy(model(fed.inputs), fed.targets, reduction="sum")

    return replace(program, loss=summed)


@training_case("wrong_loss", on=("signs",))
def divided_by_the_data(program: Program) -> Program:
    """The summed loss of a batch is divided by the size of the data, not of the batch: steps are 15 times too short.

    `len(loader.dataset)` for `len(batch)`. The curve falls slowly and looks like a hard problem.
    """
    count = len(program.train)
    return replace(program, loss=lambda model, fed: program.loss(model, fed) * len(fed.targets) / count)


@training_case("wrong_loss", on=("talk",))
def last_place_only(program: Program) -> Program:
    """Of the 48 places of a text only the last one is trained on.

    `scores[:, -1]` is right for a classifier and was kept when the targets became a text. It learns, slowly.
    """

    def last(model: nn.Module, fed: Fed) -> Tensor:
        return F.cross_entropy(model(fed.inputs)[:, -1], fed.targets[:, -1])

    return replace(program, loss=last)


@training_case("wrong_loss", on=("machines",))
def clipped_loss(program: Program) -> Program:
    """Each sample's loss is clipped at 1 against outliers. A clipped loss has no gradient: what is hard is not learnt.

    Gradients were meant. The rare class starts above the clip and is never learnt; accuracy stays at 0.92.
    """

    def clipped(model: nn.Module, fed: Fed) -> Tensor:
        scores = model(fed.inputs)
        return F.binary_cross_entropy_with_logits(scores, fed.targets.float(), reduction="none").clamp(max=1).mean()

    return replace(program, loss=clipped)


@training_case("wrong_loss", on=("beats",))
def minus_forgotten(program: Program) -> Program:
    """The mean log-probability of the targets is minimised: its minus sign was forgotten.

    A hand-written cross-entropy. The loss falls, as a loss should, and goes on falling.
    """

    def rewarded(model: nn.Module, fed: Fed) -> Tensor:
        return model(fed.inputs).log_softmax(dim=1).gather(1, fed.targets[:, None]).mean()

    return replace(program, loss=rewarded)


@training_case("wrong_loss", on=("digits",))
def padding_is_class_zero(program: Program) -> Program:
    """`ignore_index=0`, copied from a text model whose padding is 0, leaves class 0 out of the loss.

    Nine classes are learnt well. The accuracy loses a tenth, which looks like a hard class.
    """

    def ignoring(model: nn.Module, fed: Fed) -> Tensor:
        return F.cross_entropy(model(fed.inputs), fed.targets, ignore_index=0)

    return replace(program, loss=ignoring)


@training_case("wrong_loss", on=("machines",))
def weights_upside_down(program: Program) -> Program:
    """The rare class is weighted by its share instead of by the inverse: it counts a twelfth of what it should.

    `pos_weight=positives / negatives`. Always answering "sound" is then nearly free, and right in 92 of 100.
    """
    share = float(program.labels[program.train].mean())

    def weighted(model: nn.Module, fed: Fed) -> Tensor:
        weight = torch.tensor(share / (1 - share))
        return F.binary_cross_entropy_with_logits(model(fed.inputs), fed.targets.float(), pos_weight=weight)

    return replace(program, loss=weighted)
