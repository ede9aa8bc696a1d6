"""A healthy loop of somebody else's, and what breaks it: a fault for every gate."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from snowroll.base.nouns import Batch
from snowroll.train.own.loop import Loop, Samples

Change = Callable[[Loop], Loop]


def make() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10),
    )  # fmt: skip


def encode(raw: np.ndarray) -> Tensor:
    return torch.as_tensor(raw).permute(2, 0, 1).float() / 128 - 1


def healthy(with_steps: int = 160) -> Loop:
    """Handwritten digits as bytes [8, 8, 3], moved by a pixel, SGD with a rate that falls."""
    digits = load_digits()
    raw = np.repeat((digits.images * 15.9).astype(np.uint8)[..., None], 3, axis=3)
    learnt, judged = list(range(1_200)), list(range(1_200, len(raw)))
    samples = Samples(list(raw), encode, digits.target, learnt, judged, [f"digit {n}" for n in range(10)])

    def plain(step: int) -> Batch:
        ids = torch.randint(len(learnt), (48,), generator=torch.Generator().manual_seed(step))
        inputs = torch.stack([samples.encode(samples.raw[row]) for row in ids.tolist()])
        return Batch(inputs, torch.as_tensor(digits.target)[ids], ids)

    def batch(step: int) -> Batch:
        seen, noise = plain(step), torch.Generator().manual_seed(step)
        shifts = torch.randint(-1, 2, (len(seen.ids),), generator=noise).tolist()
        return replace(seen, inputs=torch.stack([x.roll(n, 2) for x, n in zip(seen.inputs, shifts, strict=True)]))

    def predict(model: nn.Module, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return model.eval()(inputs).softmax(dim=-1)

    def serve(model: nn.Module, stored: np.ndarray) -> str:
        return f"digit {predict(model, encode(stored)[None]).argmax()}"

    def figure(model: nn.Module) -> float:
        hits = [serve(model, raw[row]) == f"digit {digits.target[row]}" for row in judged]
        return sum(hits) / len(hits)

    return Loop(
        make=make,
        batch=batch,
        loss=lambda model, seen: F.cross_entropy(model(seen.inputs), seen.targets),
        optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        steps=with_steps,
        rate=lambda step, steps: 1 - step / steps,
        plain=plain,
        samples=samples,
        predict=predict,
        figure=figure,
        serve=serve,
    )


def with_loss(loss: Callable[[nn.Module, Batch], Tensor]) -> Change:
    return lambda loop: replace(loop, loss=loss)


def with_model(change: Callable[[nn.Sequential], object]) -> Change:
    def fresh() -> nn.Module:
        model = make()
        with torch.no_grad():
            change(model)  # type: ignore[arg-type]
        return model

    return lambda loop: replace(loop, make=fresh)


def with_update(update: Callable[[nn.Module, Optimizer, Tensor], None]) -> Change:
    return lambda loop: replace(loop, update=update)


def with_samples(**parts: object) -> Change:
    return lambda loop: replace(loop, samples=replace(loop.samples, **parts))  # type: ignore[type-var, arg-type]


class Always(nn.Module):
    """A layer that is one function in every mode."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def put(place: int, function: Callable[[Tensor], Tensor]) -> Change:
    return with_model(lambda model: model.insert(place, Always(function)))


def without_clearing(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
    loss.backward()
    optimizer.step()


def cleared_too_late(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()


def stepped_where_it_fits(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
    """Of some batches the gradients overflow; those are left out."""
    optimizer.zero_grad()
    loss.backward()
    if float(loss.detach() * 1e4) % 1 < 0.5:
        optimizer.step()


class Averaged(nn.Module):
    """A net, and a moving average of its weights that answers in evaluation."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()
        self.net, self.average, self.decay = net, deepcopy(net).requires_grad_(False), decay

    def forward(self, inputs: Tensor) -> Tensor:
        return self.net(inputs) if self.training else self.average(inputs)

    @torch.no_grad()
    def follow(self) -> None:
        for mean, weight in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(weight, 1 - self.decay)
        for mean, buffer in zip(self.average.buffers(), self.net.buffers(), strict=True):
            mean.copy_(buffer)


def averaged(decay: float) -> Change:
    def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert isinstance(model, Averaged)
        model.follow()

    return lambda loop: replace(loop, make=lambda: Averaged(make(), decay), update=update)


def drawn_anew(model: nn.Module, seen: Batch) -> Tensor:
    """Each sample's label is as often another's."""
    return F.cross_entropy(model(seen.inputs), seen.targets[torch.randint(len(seen.ids), (len(seen.ids),))])


def pasted_over(loop: Loop) -> Loop:
    """Most of each picture is another sample's, and the label stays."""

    def pasted(step: int) -> Batch:
        seen = loop.batch(step)
        mixed = seen.inputs.roll(1, 0)
        mixed[:, :, 7:] = seen.inputs[:, :, 7:]
        return replace(seen, inputs=mixed)

    return replace(loop, batch=pasted)


def with_statistics(momentum: float) -> Change:
    """Batch statistics that start elsewhere and follow at `momentum`."""

    def change(model: nn.Sequential) -> None:
        model[1].momentum = momentum  # type: ignore[assignment]
        model[1].running_mean.fill_(7.0)  # type: ignore[union-attr, operator]

    return with_model(change)


class Halved(nn.Module):
    """Drops half of what it is given, and leaves the rest as it is."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) < 0.5) if self.training else x


def unseeded(loop: Loop) -> Loop:
    noise = torch.Generator().manual_seed(0)

    def batch(step: int) -> Batch:
        seen = loop.batch(step)
        return replace(seen, inputs=seen.inputs + 0.01 * torch.randn(seen.inputs.shape, generator=noise))

    return replace(loop, batch=batch)


def targets_moved_on(loop: Loop) -> Loop:
    def moved(batches: Callable[[int], Batch]) -> Callable[[int], Batch]:
        return lambda step: replace(batches(step), targets=(batches(step).targets + 1) % 10)

    assert loop.plain is not None
    return replace(loop, batch=moved(loop.batch), plain=moved(loop.plain))


def one_input_for_all(loop: Loop) -> Loop:
    def repeated(step: int) -> Batch:
        assert loop.plain is not None
        seen = loop.plain(step)
        return replace(seen, inputs=seen.inputs[:1].expand_as(seen.inputs))

    return replace(loop, plain=repeated)


def uneven(loop: Loop) -> Loop:
    """Nine in ten samples of the first two classes."""

    def batch(step: int) -> Batch:
        seen = loop.batch(step)
        rare = torch.rand(len(seen.ids), generator=torch.Generator().manual_seed(step)) < 0.1
        return replace(seen, targets=torch.where(rare, seen.targets, seen.targets % 2))

    return replace(loop, batch=batch, plain=None)


FAULTS: dict[str, tuple[str, Change]] = {
    "a decay after the end": ("schedule", lambda loop: replace(loop, rate=lambda step, steps: 0.1 ** (step > 900))),
    "rows on both sides": ("held_out_apart", with_samples(train=range(1_300))),
    "a sample of NaN": (
        "finite",
        with_samples(encode=lambda raw: encode(raw) / (1.0 if raw.sum() % 50 else 0.0)),
    ),
    "bytes divided by 255 as bytes": ("encoded_whole", with_samples(encode=lambda raw: encode(raw // 255))),
    "view for permute": (
        "encoded_whole",
        with_samples(encode=lambda raw: torch.as_tensor(raw.copy()).view(3, 8, 8).float() / 128 - 1),
    ),
    "the same batch at every step": (
        "batches_move_on",
        lambda loop: replace(loop, plain=lambda step: loop.unvaried(0), batch=lambda step: loop.batch(0)),
    ),
    "evaluation mode while it learns": (
        "trains_as_training",
        with_loss(lambda model, seen: F.cross_entropy(model.eval()(seen.inputs), seen.targets)),
    ),
    "one buffer": ("inputs_arrive", one_input_for_all),
    "labels off by one": ("targets_arrive", targets_moved_on),
    "noise of no seed": ("repeats", unseeded),
    "a summed loss": (
        "loss_steady_in_size",
        with_loss(lambda model, seen: F.cross_entropy(model(seen.inputs), seen.targets, reduction="sum")),
    ),
    "a class left out": (
        "loss_reaches_all",
        with_loss(lambda model, seen: F.cross_entropy(model(seen.inputs), seen.targets, ignore_index=3)),
    ),
    "the sign": (
        "loss_falls_when_right",
        with_loss(lambda model, seen: F.nll_loss(-model(seen.inputs).log_softmax(1), seen.targets)),
    ),
    "targets shuffled in the loss": (
        "loss_meets_its_target",
        with_loss(lambda model, seen: F.cross_entropy(model(seen.inputs), seen.targets[torch.randperm(len(seen.ids))])),
    ),
    "softmax twice": (
        "loss_is_proper",
        with_loss(lambda model, seen: F.cross_entropy(model(seen.inputs).softmax(1), seen.targets)),
    ),
    "a loud head": ("loss_at_init", with_model(lambda model: model[-1].weight.mul_(60))),
    "a bias of even shares": ("bias_at_prior", uneven),
    "values that grow": ("activations", put(3, lambda x: x * 1_000)),
    "mean over the batch": ("samples_apart", put(5, lambda x: x - x.mean(0))),
    "half of the picture": ("inputs_reach", put(0, lambda x: F.pad(x[..., :4], (0, 4)))),
    "dropout in every mode": ("answers_stand", put(5, lambda x: F.dropout(x, 0.3))),
    "one number for ten classes": (
        "outputs_differ",
        with_model(lambda model: model.__setitem__(8, nn.Sequential(nn.Linear(32, 1), nn.Linear(1, 10)))),
    ),
    "gradients never cleared": ("update_follows_gradient", with_update(without_clearing)),
    "cleared before the step": ("update_follows_gradient", with_update(cleared_too_late)),
    "uphill": (
        "update_follows_gradient",
        lambda loop: replace(loop, optimizer=lambda model: torch.optim.SGD(model.parameters(), 0.1, maximize=True)),
    ),
    "betas swapped": (
        "update_follows_gradient",
        lambda loop: replace(loop, optimizer=lambda model: torch.optim.Adam(model.parameters(), betas=(0.999, 0.9))),
    ),
    "steps left out for overflow": ("update_follows_gradient", with_update(stepped_where_it_fits)),
    "softmax over the batch": (
        "loss_steady_in_size",
        with_loss(lambda model, seen: F.nll_loss(model(seen.inputs).log_softmax(0), seen.targets)),
    ),
    "an average that never arrives": ("modes_agree", averaged(0.9999)),
    "decay of 3": (
        "update_follows_gradient",
        lambda loop: replace(loop, optimizer=lambda model: torch.optim.SGD(model.parameters(), 0.1, weight_decay=3)),
    ),
    "a layer left out": (
        "optimizer_has_all",
        lambda loop: replace(
            loop,
            optimizer=lambda model: torch.optim.SGD([*model[:2].parameters(), *model[8].parameters()], 0.1),
        ),
    ),
    "another model's weights": (
        "optimizer_has_all",
        lambda loop: replace(loop, optimizer=lambda model: torch.optim.SGD(make().parameters(), 0.1)),
    ),
    "detached": ("everything_learns", put(5, Tensor.detach)),
    "features that are never taught": ("capacity_pays", put(8, Tensor.detach)),
    "labels drawn in the loss": ("overfits_two", with_loss(drawn_anew)),
    "statistics not kept": ("known_in_evaluation", with_statistics(0.0)),
    "inputs that count for nothing": ("beats_blind", put(0, lambda x: x * 0)),
    "a hundredth of the rate": (
        "learning_rate",
        lambda loop: replace(loop, optimizer=lambda model: torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)),
    ),
    "statistics that lag": ("modes_agree", with_statistics(0.002)),
    "dropout that does not double what it keeps": ("modes_agree", with_model(lambda model: model.insert(5, Halved()))),
    "pasted over": ("augmentation_keeps_labels", pasted_over),
    "a figure of the first rows": (
        "figure_agrees",
        lambda loop: replace(
            loop, figure=lambda model: loop.figure(model) * 0.99 if loop.figure else 0.0
        ),
    ),
    "served at another scale": (
        "served_alike",
        lambda loop: replace(loop, serve=lambda model, raw: loop.serve(model, raw // 2) if loop.serve else ""),
    ),
}  # fmt: skip
