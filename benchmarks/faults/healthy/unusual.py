"""Variants of the six programs that are seldom seen and right. Whatever is said of them is a false alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from cases import Fed, Program
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from healthy import plain, samples
from healthy.loop import SEED, as_they_are, constant, gather, seeded
from healthy.nets import ResidualNet, Writer


def digits_smoothed() -> Program:
    """Label smoothing of 0.2: the loss of a model that is always right stays above 0."""

    def smoothed(model: nn.Module, fed: Fed) -> Tensor:
        return F.cross_entropy(model(fed.inputs), fed.targets, label_smoothing=0.2)

    return replace(plain.digits(), loss=smoothed)


def digits_dropout() -> Program:
    """Half of the features are dropped in training: the training loss is above the held-out one all along."""

    def build() -> nn.Module:
        *features, head = plain.plain_convnet(10)
        return nn.Sequential(*features, nn.Dropout(0.5), head)

    return replace(plain.digits(), make=seeded(build))


def digits_mixup() -> Program:
    """Mixup (Zhang et al. 2018) in the loss: a batch is mixed with itself turned by one, and so is its loss."""

    def mixed(model: nn.Module, fed: Fed) -> Tensor:
        share = float(torch.distributions.Beta(0.3, 0.3).sample())
        scores = model(share * fed.inputs + (1 - share) * fed.inputs.roll(1, 0))
        ours, theirs = F.cross_entropy(scores, fed.targets), F.cross_entropy(scores, fed.targets.roll(1))
        return share * ours + (1 - share) * theirs

    return replace(plain.digits(), loss=mixed)


def digits_group_norm() -> Program:
    """Group norm for batch norm: no sample knows of its batch, in training either."""

    def build() -> nn.Module:
        layers = [
            nn.GroupNorm(4, layer.num_features) if isinstance(layer, nn.BatchNorm2d) else layer
            for layer in plain.plain_convnet(10)
        ]
        return nn.Sequential(*layers)

    return replace(plain.digits(), make=seeded(build))


def digits_large_batch() -> Program:
    """A third of the training data in each batch, at a larger rate: three steps an epoch."""
    return replace(
        plain.digits(), batch=479, steps=60, optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=6e-3)
    )


def digits_accumulated() -> Program:
    """The gradients of two batches of 32 are gathered before the weights move: every other update moves nothing."""

    def every_other(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        is_second = any(weight.grad is not None for weight in model.parameters())
        (loss / 2).backward()
        if is_second:
            optimizer.step()
            optimizer.zero_grad()

    return replace(plain.digits(), batch=32, steps=440, update=every_other)


def signs_frozen_stem() -> Program:
    """The first layer is a fixed bank of colour and edge filters, as from another training, and takes no gradient."""

    class FixedStem(ResidualNet):
        def train(self, mode: bool = True) -> FixedStem:
            super().train(mode)
            self.stem.eval()  # as is usual with frozen layers: their statistics are kept too
            return self

    def build() -> nn.Module:
        net = FixedStem(len(samples.SIGNS))
        with torch.no_grad():
            net.stem[0].weight.copy_(filter_bank())
        net.stem.requires_grad_(False)
        return net

    return replace(plain.signs(), make=seeded(build))


def filter_bank() -> Tensor:
    """[16, 3, 3, 3]: both signs of mean and edges, in light and in red against blue; means of red and blue."""
    mean = torch.full((3, 3), 1 / 9)
    across = torch.tensor([[-1.0, 0, 1]] * 3) / 6
    colours = torch.tensor([[1.0, 1, 1], [1, 0, -1]]) / 2
    bank = torch.stack([colour[:, None, None] * plane for colour in colours for plane in (mean, across, across.T)])
    rest = torch.stack([torch.eye(3)[c][:, None, None] * mean for c in (0, 2)])
    return torch.cat([bank, -bank, rest, -rest])


def clipped(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def signs_clipped() -> Program:
    """Gradients longer than 1 are cut to 1, which the first steps' are."""

    return replace(plain.signs(), update=clipped)


def signs_unvaried() -> Program:
    """No augmentation: the training pictures are learnt by heart."""
    return replace(plain.signs(), augment=as_they_are)


class BothWays(nn.Module):
    """An LSTM read from both ends, and the largest of each state over time. Inputs [B, C, T]."""

    def __init__(self, classes: int, width: int = 32):
        super().__init__()
        self.layer = nn.LSTM(2, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, series: Tensor) -> Tensor:
        states, _ = self.layer(series.transpose(1, 2)[:, ::2])
        return self.head(states.amax(dim=1))


def beats_lstm() -> Program:
    """A bidirectional LSTM for the convolutions, gradients longer than 1 cut to 1."""
    return replace(
        plain.beats(),
        make=seeded(lambda: BothWays(len(samples.BEATS))),
        optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=1e-2),
        update=clipped,
    )


def beats_constant_rate() -> Program:
    """Adam at one rate from the first step to the last."""
    return replace(plain.beats(), rate=constant)


def beats_two_rates() -> Program:
    """The head learns ten times as fast as what is before it."""

    def two_rates(model: nn.Module) -> Optimizer:
        head = list(model.head.parameters())
        rest = [weight for name, weight in model.named_parameters() if not name.startswith("head.")]
        return torch.optim.Adam([{"params": rest, "lr": 1e-3}, {"params": head, "lr": 1e-2}])

    return replace(plain.beats(), optimizer=two_rates)


def machines_lstm() -> Program:
    """An LSTM for the GRU, with weight decay."""
    labels, learnt = samples.machines()[1], plain.machines().train
    return replace(
        plain.machines(),
        make=seeded(partial(plain.alarm_net, float(labels[learnt].mean()), nn.LSTM)),
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01),
    )


def machines_balanced() -> Program:
    """Every batch is drawn half from either class, so the bias starts at even odds."""

    def balanced(program: Program, step: int) -> Fed:
        rng = np.random.default_rng([SEED, step])
        of_class = [program.train[program.labels[program.train] == label] for label in (0, 1)]
        rows = np.concatenate([rng.choice(rows, program.batch // 2) for rows in of_class])
        return program.augment(gather(program, rng.permutation(rows)), step)

    return replace(plain.machines(), make=seeded(partial(plain.alarm_net, 0.5)), feed=balanced)


def dial_weight_decay() -> Program:
    """Strong decoupled weight decay, on everything."""
    return replace(
        plain.dial(), optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.3)
    )


def dial_warmup() -> Program:
    """The rate rises for a third of the run."""

    def slow_start(step: int, steps: int) -> float:
        return min(1.0, (step + 1) / (steps / 3)) * (1.0 if step < steps * 0.8 else 0.1)

    return replace(plain.dial(), rate=slow_start)


def talk_tied() -> Program:
    """The output layer is the embedding (Press and Wolf 2017)."""

    def build() -> nn.Module:
        net = Writer(len(samples.LETTERS), samples.sentences()[0][0].shape[0])
        net.head.weight = net.embedding.weight
        return net

    return replace(plain.talk(), make=seeded(build))


def talk_dropout() -> Program:
    """Dropout of 0.1 in each branch of the transformer."""
    length = samples.sentences()[0][0].shape[0]
    return replace(plain.talk(), make=seeded(lambda: Writer(len(samples.LETTERS), length, dropout=0.1)))


VARIANTS: tuple[Callable[[], Program], ...] = (
    digits_smoothed,
    digits_dropout,
    digits_mixup,
    digits_group_norm,
    digits_large_batch,
    digits_accumulated,
    signs_frozen_stem,
    signs_clipped,
    signs_unvaried,
    beats_lstm,
    beats_constant_rate,
    beats_two_rates,
    machines_lstm,
    machines_balanced,
    dial_weight_decay,
    dial_warmup,
    talk_tied,
    talk_dropout,
)
