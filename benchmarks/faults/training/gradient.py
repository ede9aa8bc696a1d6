"""Parts of a model that no gradient reaches, or that do not move."""

from __future__ import annotations

from dataclasses import replace

import torch
from cases import Program, training_case
from healthy.nets import LastState
from torch import Tensor, nn
from torch.optim import Optimizer

from training.planting import head_of, remade


@training_case("not_learning", on=("signs",))
def frozen_head(program: Program) -> Program:
    """The last layer takes no gradient: everything was frozen after the head was replaced, not before.

    The features bend towards the random head, so the loss falls, later and less.
    """

    def change(model: nn.Module) -> nn.Module:
        head_of(model).requires_grad_(False)
        return model

    return remade(program, change)


class Detached(nn.Module):
    """A layer whose output carries no gradient back."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).detach()


@training_case("not_learning", on=("signs",))
def detached_branches(program: Program) -> Program:
    """The branches of the residual blocks are detached: only stem and head learn, through the skips.

    A `.detach()` from a visualisation stayed. The branches' weights are in the optimizer and never move.
    """

    def change(model: nn.Module) -> nn.Module:
        for block in model.blocks:
            block.branch = Detached(block.branch)
        return model

    return remade(program, change)


class FeaturesOnly(nn.Module):
    """A recurrent net whose layer runs without gradient."""

    def __init__(self, net: LastState):
        super().__init__()
        self.net = net

    def forward(self, series: Tensor) -> Tensor:
        with torch.no_grad():
            states = self.net.states(series)
        return self.net.head(states[:, -1]).squeeze(-1)


@training_case("not_learning", on=("machines",))
def no_grad_around_the_layer(program: Program) -> Program:
    """The recurrent layer runs under `torch.no_grad()`, as it did when its features were extracted once.

    The head alone learns on random features, which is enough for a loss that falls.
    """
    return remade(program, FeaturesOnly)


@training_case("not_learning", on=("beats", "talk"))
def left_out_of_the_optimizer(program: Program) -> Program:
    """The optimizer gets a list of layers that was written down when the model had fewer: the middle is missing.

    Gradients are computed for the missing layers and nobody applies them. The rest learns around them.
    """

    def optimizer(model: nn.Module) -> Optimizer:
        made = program.optimizer(model)
        missing = model.attention if program.name == "beats" else model.blocks
        left_out = {id(weight) for weight in missing.parameters()}
        for group in made.param_groups:
            group["params"] = [weight for weight in group["params"] if id(weight) not in left_out]
        return made

    return replace(program, optimizer=optimizer)


@training_case("not_learning", on=("talk",))
def layers_in_a_plain_list(program: Program) -> Program:
    """The blocks lie in a Python list instead of an `nn.ModuleList`: `parameters()` does not know of them.

    They compute and never learn. The number of parameters is smaller than it should be, which nobody counts.
    """

    def change(model: nn.Module) -> nn.Module:
        blocks = list(model.blocks)
        del model.blocks
        model.blocks = blocks
        return model

    return remade(program, change)


@training_case("not_learning", on=("digits",))
def optimizer_of_another_model(program: Program) -> Program:
    """The model was made anew after the optimizer had been given the parameters of the first one.

    Each step moves weights that nobody uses. The loss wanders with its batches and never falls.
    """
    return replace(program, optimizer=lambda model: program.optimizer(program.make()))


@training_case("not_learning", on=("beats",))
def dead_relus(program: Program) -> Program:
    """The bias of a middle layer starts at -10, so its ReLUs are off for every sample and pass no gradient.

    A large first step leaves a network in the same state. What lies after the layer still learns the prior.
    """

    def change(model: nn.Module) -> nn.Module:
        nn.init.constant_(model.after[0].bias, -10.0)
        return model

    return remade(program, change)
