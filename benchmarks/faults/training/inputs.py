"""Inputs that do not reach the model as they are, and samples that reach each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from cases import Fed, Program, training_case
from healthy.nets import LastState
from torch import Tensor, nn

from training.planting import remade


@training_case("input_not_seen", on=("digits",))
def whole_numbers_after_scaling(program: Program) -> Program:
    """Pictures are divided by 255 and stored as whole numbers, so nearly every pixel becomes 0.

    The cast to uint8 saves memory and was written before the scaling. Types and shapes are as expected downstream.
    """
    return replace(program, encode=lambda stored: program.encode((stored / 255).astype(np.uint8)))


@training_case("input_not_seen", on=("dial", "signs"))
def divided_by_255_twice(program: Program) -> Program:
    """The loader already divides by 255 and the transform does it again: all pictures are nearly the same black.

    Both are documented to "scale to [0, 1]". The values are still in [0, 1], so no check of the range complains.
    """
    return replace(program, encode=lambda stored: program.encode(stored / 255))


@training_case("input_not_seen", on=("signs", "digits"))
def view_for_permute(program: Program) -> Program:
    """[H, W, C] is made [C, H, W] by `view`, which keeps the order in memory and so scrambles the picture.

    The shape is the right one, and a network learns something from scrambled pictures too.
    """

    def scrambled(stored: np.ndarray) -> Tensor:
        height, width, channels = stored.shape
        flat = torch.as_tensor(stored.copy()).view(channels, height, width)
        return program.encode(flat.permute(1, 2, 0).numpy())  # `encode` turns the axes; ours are turned already

    return replace(program, encode=scrambled)


@training_case("input_not_seen", on=("beats",))
def one_buffer_for_the_batch(program: Program) -> Program:
    """The loader fills one buffer again and again, so every input of a batch is the last sample; the targets differ.

    `batch.append(buffer)` keeps a reference and no copy. The last sample of each batch looks right when inspected.
    """

    def feed(told: Program, step: int) -> Fed:
        fed = program.feed(told, step)
        return replace(fed, inputs=fed.inputs[-1:].expand_as(fed.inputs).clone())

    return replace(program, feed=feed)


@training_case("input_not_seen", on=("talk",))
def every_character_unknown(program: Program) -> Program:
    """Text is upper-cased before it is looked up in a vocabulary of small letters: all letters become "unknown".

    A vocabulary answers what it does not know with one number, silently. Blanks and stops still get through.
    """

    def upper(stored: np.ndarray) -> Tensor:
        return program.encode(np.where(stored >= ord("a"), stored - 32, stored))

    return replace(program, encode=upper)


@training_case("input_not_seen", on=("machines", "digits"))
def inputs_shuffled_alone(program: Program) -> Program:
    """The inputs of a batch are shuffled and their targets are not, as when two arrays are shuffled one by one.

    Both have the right length and the right distribution. The loss falls to that of guessing and stays.
    """

    def feed(told: Program, step: int) -> Fed:
        fed = program.feed(told, step)
        order = torch.randperm(len(fed.inputs), generator=torch.Generator().manual_seed(step))
        return replace(fed, inputs=fed.inputs[order])

    return replace(program, feed=feed)


@training_case("input_not_seen", on=("machines",))
def scaled_by_another_unit(program: Program) -> Program:
    """Readings are divided by a spread taken in other units, a thousand times too large: the input is constant.

    The spread was computed before the readings were converted. Means are right and nothing is out of range.
    """
    return replace(program, encode=lambda stored: program.encode(stored) / 1000)


@training_case("samples_mixed", on=("beats",))
def attention_over_the_batch(program: Program) -> Program:
    """`nn.MultiheadAttention` without `batch_first=True`: samples attend to each other instead of moments.

    False is the default, [B, T, D] is accepted as [T, B, D], and training works since batches are alike.
    """

    def change(model: nn.Module) -> nn.Module:
        model.attention.batch_first = False
        return model

    return remade(program, change)


class AgainstTheBatch(nn.Module):
    """Standardises each place of the input over the batch, then asks `net`."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        spread = inputs.std(dim=0, correction=0)
        return self.net((inputs - inputs.mean(dim=0)) / (spread + 1e-6))


@training_case("samples_mixed", on=("machines", "dial"))
def standardised_over_the_batch(program: Program) -> Program:
    """The model subtracts the mean of the batch and divides by its spread, in evaluation too.

    Meant to be over the axis of features, and off by one axis. Held-out batches are large and mixed, so the figure is
    good; a sample that is asked about alone becomes zero.
    """
    return remade(program, AgainstTheBatch)


class ReadAcross(nn.Module):
    """A recurrent net for [T, B, C], to which [B, T, C] is brought by a view."""

    def __init__(self, net: LastState):
        super().__init__()
        net.layer.batch_first = False
        self.net = net

    def forward(self, series: Tensor) -> Tensor:
        batch, length, channels = series.shape
        states, _ = self.net.layer(series.reshape(length, batch, channels))
        return self.net.head(states[-1]).squeeze(-1)


@training_case("samples_mixed", on=("machines",))
def view_of_time_and_batch(program: Program) -> Program:
    """[B, T, C] is made [T, B, C] by a view instead of a transpose: each series is pieced together from many samples.

    The shape is what the GRU asks for. With a rare class the accuracy of answering "sound" looks like success.
    """
    return remade(program, ReadAcross)
