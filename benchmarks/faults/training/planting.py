"""How cases change a program's model and rate. No case lies here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cases import Program
from torch import nn
from torch.optim import Optimizer


def remade(program: Program, change: Callable[[nn.Module], nn.Module]) -> Program:
    """Every fresh model goes through `change`."""
    return replace(program, make=lambda: change(program.make()))


def at_rate(program: Program, factor: float) -> Program:
    """Every learning rate is multiplied by `factor`."""

    def optimizer(model: nn.Module) -> Optimizer:
        made = program.optimizer(model)
        for group in made.param_groups:
            group["lr"] *= factor
        return made

    return replace(program, optimizer=optimizer)


def head_of(model: nn.Module) -> nn.Linear:
    """The last linear layer."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]


def with_head(model: nn.Module, put: Callable[[nn.Linear], nn.Module]) -> nn.Module:
    """The model with its head, the last linear layer, replaced."""
    name = next(name for name, layer in model.named_modules() if layer is head_of(model))
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, put(head_of(model)))
    return model
