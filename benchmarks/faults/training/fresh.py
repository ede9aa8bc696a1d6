"""Ten faults of models, losses, rates and what is reported or served, by somebody who had not read the checks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from cases import Fed, Program, training_case
from healthy.loop import gather
from healthy.nets import BeatNet, LastState
from torch import Tensor, nn
from torch.nn import functional as F

from training.planting import remade


@training_case("wrong_init", on=("talk",))
def tied_to_an_embedding_of_spread_one(program: Program) -> Program:
    """The output layer is the embedding, which keeps its default spread of 1: the first answers are sure and wrong.

    Tying is one line, and the small init that belongs to it is another. The loss comes down within a few dozen steps.
    """

    def change(model: nn.Module) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            nn.init.normal_(model.embedding.weight)
        model.head.weight = model.embedding.weight
        return model

    return remade(program, change)


class FirstState(nn.Module):
    """A recurrent net that answers from the first output of its layer."""

    def __init__(self, net: LastState):
        super().__init__()
        self.net = net

    def forward(self, series: Tensor) -> Tensor:
        return self.net.head(self.net.states(series)[:, 0]).squeeze(-1)


@training_case("input_not_seen", on=("machines",))
def first_state_for_the_last(program: Program) -> Program:
    """The answer is taken from the recurrent layer's first output, which has seen one of the forty moments.

    `states[:, 0]` for `states[:, -1]`. The shape is the same, and with a rare class the accuracy looks like success.
    """
    return remade(program, FirstState)


class WeighedMoments(nn.Module):
    """A beat net that adds up its moments by weights of its own. They sum to 1 over the batch."""

    def __init__(self, net: BeatNet):
        super().__init__()
        self.net = net
        self.weight = nn.Linear(net.head.in_features, 1)

    def forward(self, series: Tensor) -> Tensor:
        x = self.net.stem(series).transpose(1, 2)
        x = self.net.norm(x + self.net.attention(x, x, x, need_weights=False)[0])
        x = self.net.after(x.transpose(1, 2)).transpose(1, 2)  # [B, T, D]
        return self.net.head((self.weight(x).softmax(dim=0) * x).sum(dim=1))


@training_case("samples_mixed", on=("beats",))
def weights_that_sum_to_one_over_the_batch(program: Program) -> Program:
    """The moments of a series are weighed by a softmax over the batch instead of over time.

    `softmax(dim=0)` came from code without a batch. Held-out batches are large too; a beat alone gets weights of 1.
    """

    def change(model: nn.Module) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return WeighedMoments(model)

    return remade(program, change)


class Gated(nn.Module):
    """A branch, times a number that is learnt and starts at 0."""

    def __init__(self, branch: nn.Module):
        super().__init__()
        self.branch = branch
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.gate * self.branch(x)


@training_case("not_learning", on=("signs",))
def zero_times_zero(program: Program) -> Program:
    """Each residual branch ends in a norm with weight 0 and is multiplied by a gate that starts at 0 as well.

    Either is a known recipe for a calm start. Together neither gets a gradient, and the blocks stay the identity.
    """

    def change(model: nn.Module) -> nn.Module:
        for block in model.blocks:
            nn.init.zeros_(block.branch[-1].weight)
            block.branch = Gated(block.branch)
        return model

    return remade(program, change)


@training_case("wrong_loss", on=("signs",))
def focal_weight_of_the_easy(program: Program) -> Program:
    """A focal loss weighs each sample by p squared instead of (1 - p) squared, p being the probability of its class.

    It is 0 for an answer that is surely right, and for one that is surely wrong. The loss falls to the nearer one.
    """

    def focal(model: nn.Module, fed: Fed) -> Tensor:
        logs = model(fed.inputs).log_softmax(dim=1).gather(1, fed.targets[:, None])
        return -(logs.exp() ** 2 * logs).mean()

    return replace(program, loss=focal)


@training_case("wrong_rate", on=("dial", "beats"))
def rate_where_a_factor_was_asked_for(program: Program) -> Program:
    """The schedule returns the learning rate itself, and is multiplied by it: the rate is hundreds of times too low.

    `LambdaLR` wants a factor. The curve of the rate has the right shape, and the loss falls a little all the time.
    """
    rate = program.optimizer(program.make()).param_groups[0]["lr"]
    return replace(program, rate=lambda step, steps: rate * program.rate(step, steps))


@training_case("wrong_targets", on=("talk",))
def text_shifted_twice(program: Program) -> Program:
    """The loss shifts the targets by one place, as the loader had done before: the next character but one is learnt.

    Some libraries shift inside the model, some leave it to the loader. The loss falls, as the text is regular.
    """

    def shifted(model: nn.Module, fed: Fed) -> Tensor:
        return F.cross_entropy(model(fed.inputs)[:, :-1].flatten(0, 1), fed.targets[:, 1:].flatten())

    return replace(program, loss=shifted)


class Halved(nn.Module):
    """Drops half of a layer's inputs in training, and leaves the others as they are."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x * (torch.rand_like(x) < 0.5) if self.training else x)


@training_case("train_eval_gap", on=("digits",))
def dropout_without_its_factor(program: Program) -> Program:
    """A hand-written dropout does not double what it keeps, so in evaluation its layer gets twice what it was used to.

    The batch norm after it has measured the halved input. Training is fine and the figure is worse than its loss.
    """

    def change(model: nn.Module) -> nn.Module:
        last = max(place for place, layer in enumerate(model) if isinstance(layer, nn.Conv2d))
        model[last] = Halved(model[last])
        return model

    return remade(program, change)


@training_case("serving_differs", on=("beats",))
def newest_reading_first(program: Program) -> Program:
    """The service gets its readings from a query that begins with the newest; training read files in order of time.

    Shape, range and units are right, and so is each number. Only beats told apart by what comes first are mistaken.
    """

    def serve(told: Program, model: nn.Module, sample: np.ndarray) -> str:
        return program.serve(told, model, sample[::-1].copy())

    return replace(program, serve=serve)


@training_case("wrong_evaluation", on=("digits", "talk"))
def right_among_the_first_five(program: Program) -> Program:
    """The accuracy that is reported counts an answer as right when it is among the five likeliest.

    `accuracy(output, target, topk=(1, 5))` returns both, and the second was printed. It is the better one.
    """

    def figure(told: Program, model: nn.Module) -> float:
        fed = gather(told, told.held_out)
        likeliest = told.predict(model, fed.inputs).topk(5, dim=-1).indices
        return float((likeliest == fed.targets[..., None]).any(dim=-1).float().mean())

    return replace(program, figure=figure)
