"""Six programs, and the parts that only one of them has. FLOORS: what each and its variants reach."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from cases import Fed, Program
from torch import Tensor, nn
from torch.nn import functional as F

from healthy import samples
from healthy.loop import (
    accuracy,
    answer,
    as_they_are,
    constant,
    cosine,
    cross_entropy,
    evaluated,
    in_epochs,
    seeded,
    softmax,
    split,
    update,
    warmed_cosine,
)
from healthy.nets import BeatNet, GaugeNet, LastState, ResidualNet, Writer, plain_convnet

FLOORS = {"digits": 0.95, "signs": 0.93, "beats": 0.95, "machines": 0.96, "dial": 0.95, "talk": 0.8}


def digits() -> Program:
    """Handwritten digits, a convnet with batch norm, Adam, shifts by a pixel. Seen: 0.98."""
    raw, labels = samples.digits()
    learnt, judged = split(len(raw))
    return Program(
        name="digits", kind="pictures", classes=tuple("0123456789"), raw=raw, labels=labels,
        train=learnt, held_out=judged, causal=False,
        encode=picture, augment=shifted, batch=64, feed=in_epochs,
        make=seeded(lambda: plain_convnet(10)), loss=cross_entropy,
        optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=2e-3),
        rate=cosine, steps=220, update=update,
        predict=softmax, figure=accuracy, serve=answer,
    )  # fmt: skip


def signs() -> Program:
    """Road signs in colour, halved to 20 x 20, a small residual net, SGD with momentum. Seen: 0.99.

    Mirrored at random, except the two whose meaning would change: left and right.
    """
    raw, labels = samples.signs()
    learnt, judged = split(len(raw))
    return Program(
        name="signs", kind="pictures", classes=samples.SIGNS, raw=raw, labels=labels,
        train=learnt, held_out=judged, causal=False,
        encode=halved_picture, augment=mirrored_signs, batch=64, feed=in_epochs,
        make=seeded(lambda: ResidualNet(len(samples.SIGNS))), loss=cross_entropy,
        optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4),
        rate=cosine, steps=240, update=update,
        predict=softmax, figure=accuracy, serve=answer,
    )  # fmt: skip


def beats() -> Program:
    """Heartbeats in two leads, 1-D convolutions and a layer of attention, Adam, a little noise. Seen: 0.99."""
    raw, labels = samples.beats()
    learnt, judged = split(len(raw))
    return Program(
        name="beats", kind="series", classes=samples.BEATS, raw=raw, labels=labels,
        train=learnt, held_out=judged, causal=False,
        encode=beat, augment=noisy, batch=48, feed=in_epochs,
        make=seeded(lambda: BeatNet(2, len(samples.BEATS))), loss=cross_entropy,
        optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=3e-3),
        rate=thirds, steps=300, update=update,
        predict=softmax, figure=accuracy, serve=answer,
    )  # fmt: skip


def machines() -> Program:
    """Machines of which one in twelve overheats, a GRU with one output whose bias starts at the prior. Seen: 0.99."""
    raw, labels = samples.machines()
    learnt, judged = split(len(raw))
    return Program(
        name="machines", kind="series", classes=samples.MACHINES, raw=raw, labels=labels,
        train=learnt, held_out=judged, causal=False,
        encode=hour, augment=as_they_are, batch=96, feed=in_epochs,
        make=seeded(partial(alarm_net, float(labels[learnt].mean()))), loss=binary_cross_entropy,
        optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=5e-3),
        rate=constant, steps=250, update=update,
        predict=sigmoid, figure=accuracy, serve=answer,
    )  # fmt: skip


def dial() -> Program:
    """Gauges read in eight steps, in order: a score for each border, group norm, AdamW. Seen: 0.99.

    Mirrored at random, and the reading with it.
    """
    raw, labels = samples.dial()
    learnt, judged = split(len(raw))
    above = np.array([(labels[learnt] > border).mean() for border in range(len(samples.DIAL) - 1)])
    return Program(
        name="dial", kind="pictures", classes=samples.DIAL, raw=raw, labels=labels,
        train=learnt, held_out=judged, causal=False,
        encode=picture, augment=mirrored_dials, batch=64, feed=in_epochs,
        make=seeded(partial(gauge_net, above)), loss=ordinal,
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01),
        rate=cosine, steps=300, update=update,
        predict=readings, figure=accuracy, serve=answer,
    )  # fmt: skip


def talk() -> Program:
    """A character language model on made-up talk, a causal transformer, warm-up and cosine. Seen: 0.86 (of places)."""
    raw, labels = samples.sentences()
    return Program(
        name="talk", kind="text", classes=tuple(samples.LETTERS), raw=raw, labels=labels,
        train=np.arange(1_200), held_out=np.arange(1_200, len(raw)), causal=True,
        encode=tokens, augment=as_they_are, batch=32, feed=in_epochs,
        make=seeded(lambda: Writer(len(samples.LETTERS), raw[0].shape[0])), loss=cross_entropy,
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=4e-3),
        rate=warmed_cosine, steps=350, update=update,
        predict=softmax, figure=accuracy, serve=answer,
    )  # fmt: skip


# What each sample becomes.


def picture(stored: np.ndarray) -> Tensor:
    """[H, W, 3] in 0..255 to [3, H, W], about -2 to 2."""
    return (torch.as_tensor(stored).permute(2, 0, 1).float() / 255 - 0.5) / 0.25


def halved_picture(stored: np.ndarray) -> Tensor:
    return F.avg_pool2d(picture(stored), 2)


def beat(stored: np.ndarray) -> Tensor:
    """[T, C] millivolts to [C, T] of about unit spread."""
    return (torch.as_tensor(stored).T - 0.05) / 0.25


def hour(stored: np.ndarray) -> Tensor:
    """Load and degrees, each of about unit spread."""
    return (torch.as_tensor(stored) - torch.tensor([0.5, 55.0])) / torch.tensor([0.25, 10.0])


NUMBER = torch.zeros(128, dtype=torch.long)
NUMBER[torch.tensor([ord(letter) for letter in samples.LETTERS])] = torch.arange(len(samples.LETTERS))


def tokens(stored: np.ndarray) -> Tensor:
    return NUMBER[torch.as_tensor(stored).long()]


# How batches are varied. Each is a function of the step.


def drawn(step: int) -> torch.Generator:
    return torch.Generator().manual_seed(1_000 + step)


def shifted(fed: Fed, step: int) -> Fed:
    """Each picture by up to one pixel; what is uncovered is black."""
    padded = F.pad(fed.inputs, (1, 1, 1, 1), value=-2.0)
    size = fed.inputs.shape[-1]
    corners = torch.randint(0, 3, (len(fed.inputs), 2), generator=drawn(step)).tolist()
    return replace(
        fed, inputs=torch.stack([x[:, a : a + size, b : b + size] for x, (a, b) in zip(padded, corners, strict=True)])
    )


def flip(inputs: Tensor, chosen: Tensor) -> Tensor:
    return torch.where(chosen[:, None, None, None], inputs.flip(3), inputs)


def mirrored_signs(fed: Fed, step: int) -> Fed:
    """Half of the signs that look the same in a mirror."""
    directed = torch.isin(fed.targets, torch.tensor([samples.SIGNS.index("left"), samples.SIGNS.index("right")]))
    chosen = torch.rand(len(fed.inputs), generator=drawn(step)) < 0.5
    return replace(fed, inputs=flip(fed.inputs, chosen & ~directed))


def mirrored_dials(fed: Fed, step: int) -> Fed:
    chosen = torch.rand(len(fed.inputs), generator=drawn(step)) < 0.5
    targets = torch.where(chosen, len(samples.DIAL) - 1 - fed.targets, fed.targets)
    return replace(fed, inputs=flip(fed.inputs, chosen), targets=targets)


def noisy(fed: Fed, step: int) -> Fed:
    return replace(fed, inputs=fed.inputs + 0.1 * torch.randn(fed.inputs.shape, generator=drawn(step)))


# Losses and predictions that are no cross-entropy.


def alarm_net(prior: float, layer: type[nn.GRU] | type[nn.LSTM] = nn.GRU) -> LastState:
    """The bias of its only output starts at the log odds of `prior`."""
    net = LastState(layer(2, 24, batch_first=True))
    nn.init.constant_(net.head.bias, float(np.log(prior / (1 - prior))))
    return net


def binary_cross_entropy(model: nn.Module, fed: Fed) -> Tensor:
    return F.binary_cross_entropy_with_logits(model(fed.inputs), fed.targets.float())


def sigmoid(model: nn.Module, inputs: Tensor) -> Tensor:
    positive = evaluated(model, inputs).sigmoid()
    return torch.stack([1 - positive, positive], dim=1)


def gauge_net(above: np.ndarray) -> GaugeNet:
    """`above`: for each border the share of readings that lie above it, at whose log odds the biases start."""
    net = GaugeNet(len(above))
    with torch.no_grad():
        net.head.bias.copy_(torch.as_tensor(np.log(above / (1 - above))))
    return net


def ordinal(model: nn.Module, fed: Fed) -> Tensor:
    """Whether the reading lies above each border (Frank and Hall 2001), in one net."""
    scores = model(fed.inputs)
    borders = torch.arange(scores.shape[1])
    return F.binary_cross_entropy_with_logits(scores, (fed.targets[:, None] > borders).float())


def readings(model: nn.Module, inputs: Tensor) -> Tensor:
    """The probability of a reading: above the border below it, and not above the next."""
    above = F.pad(F.pad(evaluated(model, inputs).sigmoid(), (1, 0), value=1.0), (0, 1), value=0.0)
    shares = (above[:, :-1] - above[:, 1:]).clamp(min=0)
    return shares / shares.sum(dim=1, keepdim=True)


def thirds(step: int, steps: int) -> float:
    """A tenth after two thirds of the run."""
    return 0.1 if step >= 2 * steps // 3 else 1.0
