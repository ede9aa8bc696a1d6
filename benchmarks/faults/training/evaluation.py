"""Models that are other ones when evaluated, and figures that are not of the held-out data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from cases import Program, training_case
from healthy.loop import gather
from torch import Tensor, nn
from torch.nn import functional as F

from training.planting import remade, with_head


def with_momentum(program: Program, momentum: float) -> Program:
    def change(model: nn.Module) -> nn.Module:
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = momentum
        return model

    return remade(program, change)


@training_case("train_eval_gap", on=("digits",))
def statistics_never_updated(program: Program) -> Program:
    """Batch norm with momentum 0: its running statistics stay at mean 0 and spread 1.

    In another framework 0 means "only the newest". Training is perfect; evaluation uses what was never measured.
    """
    return with_momentum(program, 0.0)


@training_case("train_eval_gap", on=("signs",))
def momentum_of_another_framework(program: Program) -> Program:
    """Batch norm with momentum 0.001, ported from one that counts the other way: statistics lag behind the run.

    In a run of thousands of steps they arrive. In this one they are four fifths what they were at the start.
    """
    return with_momentum(program, 0.001)


@training_case("train_eval_gap", on=("signs", "digits"))
def eval_forgotten(program: Program) -> Program:
    """The model is asked without `model.eval()`: batch norm uses the statistics of whatever it is asked about.

    With large mixed batches the figure is good. It is another one for each way to batch, and wrong for one sample.
    """

    def predict(model: nn.Module, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return model(inputs).softmax(dim=-1)

    return replace(program, predict=predict)


class AlwaysDropped(nn.Module):
    """Drops half of a layer's inputs, in every mode."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(F.dropout(x, 0.5))


@training_case("train_eval_gap", on=("digits", "beats"))
def dropout_left_on(program: Program) -> Program:
    """`F.dropout(x)` without `training=self.training` drops in evaluation too: answers change from call to call.

    True is its default, and the layer of the same name knows better. The figure loses a few percent.
    """
    return remade(program, lambda model: with_head(model, AlwaysDropped))


@training_case("wrong_evaluation", on=("digits",))
def first_batch_only(program: Program) -> Program:
    """The figure is of the first 32 held-out rows: a `break` from the day when evaluation was slow.

    It is a good estimate with an error of several percent, which nobody prints.
    """
    return replace(
        program, figure=lambda told, model: program.figure(replace(told, held_out=told.held_out[:32]), model)
    )


@training_case("wrong_evaluation", on=("digits",))
def figure_of_the_training_rows(program: Program) -> Program:
    """The reported accuracy is measured on the training rows: both loaders were built from one variable.

    It is higher than it should be, and nobody complains of that.
    """
    return replace(program, figure=lambda told, model: program.figure(replace(told, held_out=told.train), model))


@training_case("wrong_evaluation", on=("dial", "talk"))
def mean_over_unequal_batches(program: Program) -> Program:
    """The figure is the mean of the accuracies of batches, of which the last is smaller: its rows count more.

    `sum(accuracies) / len(loader)`. It is exact whenever the batch size divides the data.
    """

    def figure(told: Program, model: nn.Module) -> float:
        batches = np.split(told.held_out, range(told.batch, len(told.held_out), told.batch))
        return float(np.mean([program.figure(replace(told, held_out=rows), model) for rows in batches]))

    return replace(program, figure=figure)


@training_case("wrong_evaluation", on=("machines",))
def last_batch_dropped(program: Program) -> Program:
    """`drop_last=True` in the loader of the held-out data: the rows that fill no batch of 128 are never judged.

    Copied from the training loader, where it is right. The figure is of most of the data, and says nothing of it.
    """

    def figure(told: Program, model: nn.Module) -> float:
        whole = told.held_out[: len(told.held_out) // 128 * 128]
        return program.figure(replace(told, held_out=whole), model)

    return replace(program, figure=figure)


@training_case("wrong_evaluation", on=("dial",))
def unsure_answers_left_out(program: Program) -> Program:
    """Only answers with a probability above 0.9 are judged; the doubtful ones are neither right nor wrong.

    A threshold from the product found its way into the report. The fewer are judged, the better the figure.
    """

    def figure(told: Program, model: nn.Module) -> float:
        fed = gather(told, told.held_out)
        sure, said = told.predict(model, fed.inputs).max(dim=-1)
        return float((said == fed.targets)[sure > 0.9].float().mean().nan_to_num(0))

    return replace(program, figure=figure)


@training_case("wrong_evaluation", on=("digits",))
def half_of_the_held_out_rows_trained_on(program: Program) -> Program:
    """Half of the held-out rows are among the training rows too: the split was drawn a second time with another seed.

    Each split is valid by itself. The figure rises, and rises more the longer the model learns by heart.
    """
    both = program.held_out[: len(program.held_out) // 2]
    return replace(program, train=np.concatenate([program.train, both]))
