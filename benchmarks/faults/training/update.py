"""Steps that do not follow the gradient of their batch, at rates that are far off, and runs that do not repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from cases import Fed, Program, training_case
from healthy.loop import gather
from torch import Tensor, nn
from torch.optim import Optimizer

from training.planting import at_rate, remade


@training_case("wrong_update", on=("signs", "digits"))
def zero_grad_forgotten(program: Program) -> Program:
    """Gradients are never cleared, so each step follows the sum of all gradients so far.

    Adding up is PyTorch's default. It begins well and becomes a very large momentum.
    """

    def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        loss.backward()
        optimizer.step()

    return replace(program, update=update)


@training_case("wrong_update", on=("beats",))
def uphill(program: Program) -> Program:
    """The optimizer maximises: a switch that was left from an objective that was to grow.

    Nothing is wrong with loss or gradients when looked at. The loss grows, which is taken for a bad rate.
    """

    def optimizer(model: nn.Module) -> Optimizer:
        made = program.optimizer(model)
        for group in made.param_groups:
            group["maximize"] = True
        return made

    return replace(program, optimizer=optimizer)


@training_case("wrong_update", on=("digits",))
def cleared_before_the_step(program: Program) -> Program:
    """Gradients are cleared between `backward` and `step`, so no step moves anything.

    Three lines in the wrong order. None of them can know of the others.
    """

    def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()

    return replace(program, update=update)


@training_case("wrong_update", on=("talk",))
def step_before_backward(program: Program) -> Program:
    """`step` comes before `backward` and after `zero_grad`: there is never a gradient when it is called.

    A step without gradients is legal and does nothing. The loss changes from batch to batch as if it lived.
    """

    def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        optimizer.step()
        loss.backward()

    return replace(program, update=update)


@training_case("wrong_update", on=("signs",))
def clipped_before_unscaling(program: Program) -> Program:
    """The loss is scaled by 2^16 for half precision, gradients are cut to length 1 and only then scaled back.

    Every step is 65,536 times shorter than it should be, whatever the rate. The order is in a footnote.
    """

    def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        (loss * 2**16).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for weight in model.parameters():
            if weight.grad is not None:
                weight.grad /= 2**16
        optimizer.step()

    return replace(program, update=update)


@training_case("wrong_update", on=("signs",))
def decay_that_kills(program: Program) -> Program:
    """Weight decay of 5 instead of 5e-4: each step halves the weights, whatever the gradient says.

    A lost exponent. The weights go to zero quietly, and the loss to that of guessing.
    """

    def optimizer(model: nn.Module) -> Optimizer:
        made = program.optimizer(model)
        for group in made.param_groups:
            group["weight_decay"] = 5.0
        return made

    return replace(program, optimizer=optimizer)


@training_case("wrong_rate", on=("signs", "talk"))
def rate_times_100(program: Program) -> Program:
    """The learning rate is a hundred times too high, as when one is taken over from another optimizer.

    Norms and Adam keep the loss finite: it falls a little or hangs, and looks like a hard problem.
    """
    return at_rate(program, 100)


@training_case("wrong_rate", on=("signs", "digits"))
def rate_by_100(program: Program) -> Program:
    """The learning rate is a hundred times too low, as when the rate of fine-tuning is kept for training anew.

    The loss falls, smoothly and reproducibly, and the run ends before anything is learnt.
    """
    return at_rate(program, 0.01)


@training_case("not_repeatable", on=("beats",))
def noise_without_a_seed(program: Program) -> Program:
    """Augmentation draws from a NumPy generator that nobody seeded; torch was.

    Two runs of one seed differ by as much as the techniques that they are to compare.
    """

    def augment(fed: Fed, step: int) -> Fed:
        noise = np.random.default_rng().normal(0, 0.1, fed.inputs.shape)
        return replace(fed, inputs=fed.inputs + torch.as_tensor(noise, dtype=torch.float32))

    return replace(program, augment=augment)


@training_case("not_repeatable", on=("signs",))
def order_without_a_seed(program: Program) -> Program:
    """The rows of a batch are drawn from a generator that is seeded by the clock.

    Every run is a good run; none can be had again, and neither can its bug.
    """

    def feed(told: Program, step: int) -> Fed:
        rows = np.random.default_rng().choice(told.train, min(told.batch, len(told.train)), replace=False)
        return told.augment(gather(told, rows), step)

    return replace(program, feed=feed)


@training_case("not_repeatable", on=("digits",))
def weights_without_a_seed(program: Program) -> Program:
    """Weights are drawn with NumPy, and only torch is seeded.

    A hand-written init from before the port. The first loss differs from run to run, in the third digit.
    """

    def change(model: nn.Module) -> nn.Module:
        rng = np.random.default_rng()
        for weight in model.parameters():
            if weight.ndim > 1:
                spread = (2 / weight[0].numel()) ** 0.5
                weight.data.copy_(torch.as_tensor(rng.normal(0, spread, weight.shape)))
        return model

    return remade(program, change)
