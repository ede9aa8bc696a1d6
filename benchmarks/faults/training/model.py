"""Models that start wrong, hold too little, grow beyond bounds or see what they should predict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from cases import Program, training_case
from healthy.loop import seeded
from healthy.nets import LastState, ResidualNet, Writer
from torch import Tensor, nn

from training.planting import head_of, remade, with_head


@training_case("wrong_init", on=("signs", "beats", "talk"))
def loud_head(program: Program) -> Program:
    """The last layer starts thirty times too large, so the untrained model is already sure of something.

    An init for hidden layers was applied to all. The first steps undo it, which looks like fast learning.
    """

    def change(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            head_of(model).weight.mul_(30)
        return model

    return remade(program, change)


@training_case("wrong_init", on=("machines", "dial"))
def bias_ignores_the_prior(program: Program) -> Program:
    """The last bias starts at zero although the classes are far from even: the model begins by unlearning.

    Zero is what most inits give a bias. The first part of the curve is a hockey stick that teaches nothing.
    """

    def change(model: nn.Module) -> nn.Module:
        nn.init.zeros_(head_of(model).bias)
        return model

    return remade(program, change)


@training_case("wrong_init", on=("machines",))
def bias_against_the_prior(program: Program) -> Program:
    """The last bias starts at the log odds of the other class: eleven in twelve machines are said to overheat.

    log((1 - p) / p) for log(p / (1 - p)). Training repairs it, at the price of its first steps.
    """

    def change(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            head_of(model).bias.neg_()
        return model

    return remade(program, change)


@training_case("wrong_init", on=("beats",))
def unit_normal_everywhere(program: Program) -> Program:
    """Every weight is drawn with spread 1, whatever the width of its layer.

    `torch.randn` is the first thing that comes to mind. The scores start in the hundreds and the loss comes down.
    """

    def change(model: nn.Module) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for weight in model.parameters():
                if weight.ndim > 1:
                    nn.init.normal_(weight)
        return model

    return remade(program, change)


@training_case("exploding", on=("signs",))
def skip_added_twice(program: Program) -> Program:
    """Twelve residual blocks, each of which adds its input, stand in a loop that adds it too: x doubles each time.

    `x = x + block(x)`, where the block returns x + branch(x). One such block would hardly show.
    """

    class Twice(nn.Module):
        def __init__(self, block: nn.Module):
            super().__init__()
            self.block = block

        def forward(self, x: Tensor) -> Tensor:
            return x + self.block(x)

    def build() -> nn.Module:
        model = ResidualNet(len(program.classes), blocks=12)
        model.blocks = nn.Sequential(*(Twice(block) for block in model.blocks))
        return model

    return replace(program, make=seeded(build))


@training_case("exploding", on=("machines",))
def recurrence_that_grows(program: Program) -> Program:
    """A plain recurrent layer with ReLU, its recurrent weights four times too large: states grow at each of 40 moments.

    An init for layers that are passed once, in a layer that is passed forty times. Short series would not show it.
    """

    def build() -> nn.Module:
        model = LastState(nn.RNN(2, 24, batch_first=True, nonlinearity="relu"))
        with torch.no_grad():
            model.layer.weight_hh_l0.mul_(4)
        return model

    return replace(program, make=seeded(build))


@training_case("exploding", on=("talk",))
def norms_left_out(program: Program) -> Program:
    """A transformer without its norms and with an init that relied on them: activations grow from block to block.

    Taken out one afternoon "to see whether they matter". With two blocks nobody noticed; here are eight.
    """

    def build() -> nn.Module:
        model = Writer(len(program.classes), len(program.raw[0]), blocks=8)
        for block in model.blocks:
            block.before, block.between = nn.Identity(), nn.Identity()
            for layer in (block.mixed, block.each[0], block.each[2]):
                nn.init.normal_(layer.weight, std=0.5)
        model.norm = nn.Identity()
        return model

    return replace(program, make=seeded(build))


@training_case("exploding", on=("beats",))
def flat_line_divided_by_its_spread(program: Program) -> Program:
    """Each series is divided by its own spread, and in one of them the sensor was unplugged: 0 / 0 is NaN.

    The first epoch is fine until that series comes. From then on all weights are NaN and every answer is class 0.
    """
    raw = list(program.raw)
    row = int(program.train[len(program.train) // 2])
    raw[row] = np.zeros_like(raw[row])

    def standardised(stored: np.ndarray) -> Tensor:
        series = torch.as_tensor(stored)
        return ((series - series.mean(dim=0)) / series.std(dim=0)).T

    return replace(program, raw=tuple(raw), encode=standardised)


@training_case("future_seen", on=("talk",))
def no_mask(program: Program) -> Program:
    """The attention of a language model has no causal mask, so each place sees the character it is to predict.

    The loss is better than ever and the held-out accuracy too; only what is written by it is nonsense.
    """

    def change(model: nn.Module) -> nn.Module:
        model.mask.fill_(True)
        return model

    return remade(program, change)


@training_case("future_seen", on=("talk",))
def mask_off_by_one(program: Program) -> Program:
    """The causal mask starts one diagonal too late: each place sees itself and the next character, its target.

    `triu(diagonal=2)` for `triu(diagonal=1)`. The mask is triangular when it is plotted.
    """

    def change(model: nn.Module) -> nn.Module:
        places = len(model.mask)
        model.mask.copy_(torch.ones(places, places, dtype=torch.bool).tril(diagonal=1))
        return model

    return remade(program, change)


class NormOverTime(nn.Module):
    """[B, T, D] standardised over T."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(dim=1, keepdim=True)) / (x.std(dim=1, keepdim=True, correction=0) + 1e-5)


@training_case("future_seen", on=("talk",))
def norm_over_time(program: Program) -> Program:
    """The norms of a causal transformer are taken over time instead of features: the past depends on the future.

    A norm written for [B, D, T]. The mask is right, the leak is a mean and a spread, and the loss is a bit better.
    """

    def change(model: nn.Module) -> nn.Module:
        for block in model.blocks:
            block.before = NormOverTime()
        return model

    return remade(program, change)


class Summarised(nn.Module):
    """Adds the mean embedding of the whole text to each place."""

    def __init__(self, embedding: nn.Module):
        super().__init__()
        self.embedding = embedding

    def forward(self, tokens: Tensor) -> Tensor:
        each = self.embedding(tokens)
        return each + each.mean(dim=1, keepdim=True)


@training_case("future_seen", on=("talk",))
def summary_of_the_whole_text(program: Program) -> Program:
    """A "context vector" is added to each place: the mean over all characters, those to come included.

    It was a feature of a classifier. Held-out text has a future too, so its figure gains as well.
    """

    def change(model: nn.Module) -> nn.Module:
        model.embedding = Summarised(model.embedding)
        return model

    return remade(program, change)


@training_case("too_small", on=("digits", "signs"))
def bottleneck_of_one(program: Program) -> Program:
    """One unit stands between the features and the classes: all that is known of a picture is one number.

    A width computed by a division that came out as 1. The loss falls for a while, as it does for a small model.
    """

    def narrow(head: nn.Linear) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return nn.Sequential(nn.Linear(head.in_features, 1), nn.Linear(1, head.out_features))

    return remade(program, lambda model: with_head(model, narrow))


@training_case("too_small", on=("talk",))
def width_of_two(program: Program) -> Program:
    """A transformer of width 2: the width and the number of heads were given in each other's place.

    It learns how often characters follow each other, so the loss falls and the samples look like a young model's.
    """
    return replace(program, make=seeded(lambda: Writer(len(program.classes), len(program.raw[0]), width=2)))
