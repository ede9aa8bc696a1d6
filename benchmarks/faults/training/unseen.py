"""Ten faults of losses, updates, averages and what is reported or served, written later in the same way as fresh.py."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from cases import Fed, Program, training_case
from healthy.loop import gather
from healthy.plain import drawn
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from training.planting import remade

# --- what is trained, and how -------------------------------------------------------------------------------------


@training_case("future_seen", on=("talk",))
def convolution_padded_on_both_sides(program: Program) -> Program:
    """A convolution over three characters stands before the blocks, padded on both sides: it reads the one to come.

    `padding="same"` came from a classifier. The attention's mask is right; the loss falls further than it should.
    """

    class WithNeighbours(nn.Module):
        def __init__(self, embedding: nn.Embedding):
            super().__init__()
            self.embedding = embedding
            width = embedding.embedding_dim
            self.near = nn.Conv1d(width, width, 3, padding="same", groups=width)

        def forward(self, tokens: Tensor) -> Tensor:
            each = self.embedding(tokens)
            return each + self.near(each.transpose(1, 2)).transpose(1, 2)

    def change(model: nn.Module) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model.embedding = WithNeighbours(model.embedding)
        return model

    return remade(program, change)


@training_case("wrong_loss", on=("talk", "signs"))
def softmax_over_the_axis_before(program: Program) -> Program:
    """The log-softmax is taken over the axis before the classes: over time in a text, over the batch of pictures.

    `dim` was counted in another layout. The numbers are log-probabilities of something, and the loss falls.
    """

    def across(model: nn.Module, fed: Fed) -> Tensor:
        logs = model(fed.inputs).log_softmax(dim=-2)
        return F.nll_loss(logs.flatten(0, -2), fed.targets.flatten())

    return replace(program, loss=across)


@training_case("wrong_loss", on=("machines",))
def every_score_against_every_target(program: Program) -> Program:
    """Scores of shape [B] meet targets of shape [B, 1]: the loss is the mean over all pairs of the batch.

    The built-in loss would refuse; this one is written by hand and broadcasts. The best answer is the prior.
    """

    def in_pairs(model: nn.Module, fed: Fed) -> Tensor:
        scores, targets = model(fed.inputs), fed.targets.float().unsqueeze(1)
        return (F.softplus(scores) - targets * scores).mean()

    return replace(program, loss=in_pairs)


@training_case("augmentation", on=("digits", "signs"))
def noise_meant_for_bytes(program: Program) -> Program:
    """The noise has a spread of 5, which was chosen for 0..255, and is added to inputs of about unit spread.

    The step moved behind the normalisation when that became a part of the transform. Little is left to be seen.
    """

    def augment(fed: Fed, step: int) -> Fed:
        fed = program.augment(fed, step)
        return replace(fed, inputs=fed.inputs + 5 * torch.randn(fed.inputs.shape, generator=drawn(step)))

    return replace(program, augment=augment)


@training_case("wrong_update", on=("digits", "talk"))
def betas_in_each_others_place(program: Program) -> Program:
    """Adam gets (0.999, 0.9): the direction is the mean of all gradients so far, its scale that of the last ten.

    A pair without names. Each step follows where the loss fell long ago, and runs past what it has learnt.
    """

    def optimizer(model: nn.Module) -> Optimizer:
        made = program.optimizer(model)
        for group in made.param_groups:
            group["betas"] = tuple(reversed(group["betas"]))
        return made

    return replace(program, optimizer=optimizer)


@training_case("wrong_update", on=("signs", "beats"))
def steps_left_out_for_overflow(program: Program) -> Program:
    """The loss is scaled by 2^18 for half precision, which overflows; a step whose gradients are infinite is left out.

    A fixed scale from another project. Leaving out a step now and then is as it should be, so nobody counts them:
    it is most of them, and only batches with small gradients are learnt from.
    """

    def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        (loss * 2**18).backward()
        learning = [weight for weight in model.parameters() if weight.grad is not None]
        for weight in learning:
            weight.grad = weight.grad.half().float() / 2**18
        if all(weight.grad.isfinite().all() for weight in learning):
            optimizer.step()

    return replace(program, update=update)


@training_case("wrong_schedule", on=("beats", "dial"))
def linear_decay_past_zero(program: Program) -> Program:
    """The rate falls in a straight line that reaches zero before the last seventh of the run and goes on: uphill.

    The run was made longer and the line was not. An optimizer refuses a negative rate only when it is made.
    """
    return replace(program, rate=lambda step, steps: 1 - step / (0.85 * steps))


# --- what is evaluated and served ---------------------------------------------------------------------------------


class Averaged(nn.Module):
    """A net, and a moving average of its weights that answers in evaluation."""

    def __init__(self, net: nn.Module, decay: float):
        super().__init__()
        self.net = net
        self.average = deepcopy(net).requires_grad_(False)
        self.decay = decay

    def forward(self, inputs: Tensor) -> Tensor:
        return self.net(inputs) if self.training else self.average(inputs)

    @torch.no_grad()
    def follow(self) -> None:
        for mean, weight in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(weight, 1 - self.decay)
        for mean, buffer in zip(self.average.buffers(), self.net.buffers(), strict=True):
            mean.copy_(buffer)


@training_case("train_eval_gap", on=("signs", "beats"))
def average_that_never_arrives(program: Program) -> Program:
    """What is evaluated is a moving average of the weights with a decay of 0.9999, in a run of a few hundred steps.

    A number for a million steps. The training loss is excellent; the average is still nearly the first weights.
    """

    def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        program.update(model, optimizer, loss)
        model.follow()

    averaged = remade(program, lambda model: Averaged(model, 0.9999))
    return replace(averaged, optimizer=lambda model: program.optimizer(model.net), update=update)


@training_case("wrong_evaluation", on=("digits", "beats"))
def accuracy_over_one_hot(program: Program) -> Program:
    """The figure compares answer and target as rows of zeros and ones, place by place: the zeros count as right.

    `(said == target).mean()` after both had become one-hot. Of ten classes a guess is right in 0.82.
    """

    def figure(told: Program, model: nn.Module) -> float:
        fed, count = gather(told, told.held_out), len(told.classes)
        said = F.one_hot(told.predict(model, fed.inputs).argmax(dim=-1), count)
        return float((said == F.one_hot(fed.targets, count)).float().mean())

    return replace(program, figure=figure)


@training_case("serving_differs", on=("digits", "signs"))
def checkpoint_without_its_buffers(program: Program) -> Program:
    """The checkpoint holds the parameters and not the running statistics: what is deployed has those of a new model.

    It was saved from `named_parameters()` and loaded with `strict=False`, since a strict load had complained.
    """

    def serve(told: Program, model: nn.Module, sample: np.ndarray) -> str:
        deployed = told.make()
        deployed.load_state_dict(dict(model.named_parameters()), strict=False)
        return program.serve(told, deployed, sample)

    return replace(program, serve=serve)
