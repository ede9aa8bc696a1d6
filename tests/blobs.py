"""A tiny task for the tests of the train room: noisy pictures of four patterns, made in code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch, Plan, Prediction
from snowroll.train.order import rows
from snowroll.train.trial import Trial, task_credit

CLASSES = ["a", "b", "c", "d"]
SCHEMA: Mapping[str, Any] = {"type": "choice", "classes": CLASSES}


@dataclass(frozen=True)
class Options:
    label_smoothing: float = 0.0


class Blobs:
    """What the gates ask of a task; the rest of the protocol has no part in training."""

    name = "blobs"

    def loss(self, model: nn.Module, batch: Batch, options: Options) -> Tensor:
        logits = model(batch.inputs).float()
        return F.cross_entropy(logits, batch.targets, reduction="none", label_smoothing=options.label_smoothing)

    def postprocess(self, outputs: Tensor, options: Options) -> dict[str, Tensor]:
        return {"probabilities": outputs.float().softmax(1)}

    def decode(
        self, outputs: Mapping[str, np.ndarray], schema: Mapping[str, Any], options: Options
    ) -> list[Prediction]:
        best = outputs["probabilities"].argmax(1)
        return [Prediction(schema["classes"][i], None, 0.0) for i in best]

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[str], schema: object) -> np.ndarray:
        return np.array([float(p.value == t) for p, t in zip(predictions, targets, strict=True)])

    def show(self, batch: Batch, row: int) -> Image.Image:
        inputs = batch.inputs[0] if isinstance(batch.inputs, tuple) else batch.inputs
        return Image.fromarray(inputs[row].clamp(0, 1).mul(255).byte().permute(1, 2, 0).numpy())


def pictures(n: int = 256, size_px: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
    """[n, 3, S, S] in [0, 1] and [n] classes: a pattern a class, half hidden by noise."""
    noise = torch.Generator().manual_seed(seed)
    patterns = torch.rand(len(CLASSES), 3, size_px, size_px, generator=noise)
    classes = torch.randint(len(CLASSES), (n,), generator=noise)
    return 0.5 * patterns[classes] + 0.5 * torch.rand(n, 3, size_px, size_px, generator=noise), classes


def batches_of(images: Tensor, classes: Tensor, plan: Plan, world: int = 1, rank: int = 0) -> Callable[[int], Batch]:
    def batches(step: int) -> Batch:
        chosen, _ = rows(step, plan.batch, len(images), plan.seed, world, rank)
        ids = torch.as_tensor(chosen.copy())
        return Batch(images[ids], classes[ids], ids)

    return batches


def loss(model: nn.Module, batch: Batch) -> Tensor:
    return Blobs().loss(model, batch, Options())


def small_net(dropout: float = 0.2, seed: int = 1) -> nn.Module:
    """Convolutions, batch normalisation, dropout, a head."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 12, 3, padding=1),
        nn.ReLU(),
        nn.Dropout2d(dropout),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(192, 24),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(24, len(CLASSES)),
    )


def trial(
    make: Callable[[], nn.Module] = small_net,
    objective: Callable[[nn.Module, Batch], Tensor] = loss,
    size_px: int = 16,
    options: Options | None = None,
    seen: Callable[[Batch], Batch] = lambda batch: batch,
) -> Trial:
    """A run on the pictures above that has not begun. `seen`: what happens to a batch on its way to the network."""
    images, classes = pictures(size_px=size_px)
    plan = Plan(options or Options(), steps=100, batch=32)
    plain = batches_of(images, classes, plan)

    def batches(step: int) -> Batch:
        return seen(plain(step))

    def truth(ids: Tensor) -> list[str]:
        return [CLASSES[classes[row]] for row in ids.tolist()]

    task = Blobs()
    return Trial(
        plan=plan,
        make=make,
        batches=batches,
        plain=batches,
        objective=objective,
        truth=truth,
        credit=task_credit(task, SCHEMA, plan, truth),  # type: ignore[arg-type]
        show=task.show,
        expected_loss=log(len(CLASSES)),
    )
