"""The parts that programs share, as people write them: batches, update, schedules, prediction, accuracy, the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from cases import Fed, Program
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

SEED = 7
JUDGED_AT_ONCE = 128


def train(program: Program, steps: int | None = None, seed: int = SEED) -> nn.Module:
    """The model after a run, or after its first `steps` steps."""
    torch.manual_seed(seed)
    model = program.make()
    optimizer = program.optimizer(model)
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(program.steps if steps is None else steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * program.rate(step, program.steps)
        model.train()
        program.update(model, optimizer, program.loss(model, program.feed(program, step)))
    return model


def seeded(build: Callable[[], nn.Module], seed: int = SEED) -> Callable[[], nn.Module]:
    """The same weights at each call; the caller's random state is left alone."""

    def make() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build()

    return make


def in_epochs(program: Program, step: int) -> Fed:
    """Each epoch passes once over the training rows in an order of its own; what fills no batch is left out."""
    return program.augment(gather(program, rows_of(program, step)), step)


def rows_of(program: Program, step: int) -> np.ndarray:
    size = min(program.batch, len(program.train))
    epoch, place = divmod(step, len(program.train) // size)
    order = np.random.default_rng([SEED, epoch]).permutation(program.train)
    return order[place * size : (place + 1) * size]


def gather(program: Program, rows: Sequence[int] | np.ndarray) -> Fed:
    inputs = torch.stack([program.encode(program.raw[row]) for row in rows])
    return Fed(inputs, torch.as_tensor(program.labels[rows]), torch.as_tensor(rows))


def as_they_are(fed: Fed, step: int) -> Fed:
    """No augmentation."""
    return fed


def constant(step: int, steps: int) -> float:
    return 1.0


def cosine(step: int, steps: int) -> float:
    return 0.5 + 0.5 * float(np.cos(np.pi * step / steps))


def warmed_cosine(step: int, steps: int) -> float:
    """A tenth of the run rises, the rest is a cosine."""
    rising = max(1, steps // 10)
    return (step + 1) / rising if step < rising else cosine(step - rising, steps - rising)


def cross_entropy(model: nn.Module, fed: Fed) -> Tensor:
    """Over the classes, which stand last; the mean over samples, and over places where there are."""
    return F.cross_entropy(model(fed.inputs).flatten(0, -2), fed.targets.flatten())


def update(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def softmax(model: nn.Module, inputs: Tensor) -> Tensor:
    return evaluated(model, inputs).softmax(dim=-1)


def evaluated(model: nn.Module, inputs: Tensor) -> Tensor:
    """The output in evaluation mode, without gradient. The model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        output = model(inputs)
    model.train(was_training)
    return output


def accuracy(program: Program, model: nn.Module) -> float:
    """The share of held-out samples, or of their places, whose likeliest class is the right one."""
    return float(torch.cat(list(judged(program, model))).float().mean())


def judged(program: Program, model: nn.Module) -> Iterator[Tensor]:
    """For each batch of the held-out rows, which of them the model gets right."""
    for rows in np.split(program.held_out, range(JUDGED_AT_ONCE, len(program.held_out), JUDGED_AT_ONCE)):
        fed = gather(program, rows)
        yield program.predict(model, fed.inputs).argmax(dim=-1) == fed.targets


def answer(program: Program, model: nn.Module, sample: np.ndarray) -> str:
    """The likeliest class of one stored sample; of a text, the likeliest next character."""
    shares = program.predict(model, program.encode(sample)[None])[0]
    return program.classes[int(shares.reshape(-1, shares.shape[-1])[-1].argmax())]


def split(count: int, learnt: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to judge by, drawn once."""
    order = np.random.default_rng(SEED).permutation(count)
    return order[: round(learnt * count)], order[round(learnt * count) :]
