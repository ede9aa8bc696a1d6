"""The suite's nouns: causes, cases, programs; and how a folder's cases are found."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

CAUSES = {
    # data: files
    "unreadable": "a file that cannot be decoded at all",
    "truncated": "a file that was cut off",
    "empty": "a file without a byte",
    "wrong_extension": "a file of another format than its name says",
    "blank": "pictures that show nothing: one colour, or a stock placeholder put in for what was missing",
    "bomb": "a file that is small on disk and enormous when decoded",
    "odd_mode": "pictures of another mode than the rest: CMYK, 16-bit, palette, alpha, animated",
    "rotation": "pictures that are turned by EXIF only",
    "odd_size": "pictures of a degenerate or outlying size",
    "blur": "pictures out of focus among sharp ones",
    "exposure": "pictures so dark or so bright that little is left of them",
    "folders": "class folders that are empty, nested, or differ only in case or blanks",
    "junk": "files that are no samples lie among them",
    # data: copies, labels, leaks
    "exact_copies": "the same bytes more than once in one split",
    "near_copies": "the same picture more than once in one split: re-encoded, resized, cropped, brightened",
    "copies_across_splits": "the same picture in training and in what is judged on",
    "conflicting_labels": "the same picture with different labels",
    "wrong_labels": "labels that are not what the samples show",
    "unknown_class": "a label that is no class, or a class that is missing where it is judged",
    "imbalance": "a class with a small fraction of the samples of the others",
    "group_across_splits": "samples of one patient, machine or scene in training and in what is judged on",
    "shortcut": "something that is no content tells the label: file size, dimensions, mode, time",
    "split_shift": "what is judged on was taken in another way than what is learnt from",
    # training
    "wrong_init": "the untrained model is already sure of something, or its last bias ignores the prior",
    "input_not_seen": "the model does not use its inputs: scrambled, constant, shuffled against the targets",
    "wrong_targets": "the targets that reach the loss are not those of the inputs",
    "samples_mixed": "a sample's output depends on the others of its batch",
    "future_seen": "a model that predicts the next element can see it",
    "wrong_loss": "the loss is not what is meant: softmax twice, wrong reduction, clipped, wrong sign",
    "not_learning": "part of the model gets no gradient or does not move: frozen, detached, left out, dead",
    "exploding": "activations, gradients or the loss grow beyond bounds or become NaN",
    "wrong_rate": "the learning rate is far too high or far too low",
    "wrong_schedule": "the schedule's decay never arrives, or arrives at once",
    "wrong_update": "a step does not follow the gradient of its batch: forgotten zero_grad, wrong sign",
    "not_repeatable": "the same seed gives another run",
    "augmentation": "augmentation changes the sample beyond its label, or leaves the target behind",
    "train_eval_gap": "the model in evaluation mode is another one than was trained: batch statistics, dropout left on",
    "serving_differs": "what is served prepares its inputs in another way: scale, channel order, resize, labels",
    "wrong_evaluation": "the reported figure is of a part, of the training data, or of averaged batches",
    "too_small": "the model cannot hold what the data hold",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A planted fault. `plant`: for data `(root, rng) -> files at fault`; for training `(program) -> program`."""

    name: str
    kind: str  # "data" or "training"
    cause: str
    on: str  # the ground or program it is planted into
    says: str
    plant: Callable


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tool said: a cause of ours, or "other:ITS WORD"; the files it named; its own sentence."""

    cause: str
    files: tuple[str, ...] = ()  # relative to the folder
    sentence: str = ""
    severity: str = "warn"  # "note", "warn" or "block"; a tool that does not distinguish warns


@dataclass(frozen=True, slots=True)
class Fed:
    """A batch: inputs [B, ...], targets [B] or [B, T] class numbers, ids [B] rows of the samples."""

    inputs: Tensor
    targets: Tensor
    ids: Tensor


@dataclass(frozen=True, slots=True)
class Program:
    """A training program as people write it, taken apart so that one part can be replaced. All on the CPU.

    A run seeds torch, then: model = make(); optimizer = optimizer(model); for step in range(steps): set each group's
    rate to its own * rate(step, steps); model.train(); update(model, optimizer, loss(model, feed(program, step))).
    Then figure(program, model) is what its author reports. `healthy.loop.train` is that run. Every part may be called
    out of turn, on a copy of the model, with fewer samples than a batch: none keeps anything between two calls.
    """

    name: str
    kind: str  # "pictures", "series", "text"
    classes: tuple[str, ...]
    raw: Sequence[np.ndarray]  # as stored: pictures uint8 [H, W, 3] RGB, series float32 [T, C], text uint8 [T] ASCII
    labels: np.ndarray  # [n] class numbers (text: [n, T] the next character at each place)
    train: np.ndarray  # rows to learn from
    held_out: np.ndarray  # rows to judge by
    causal: bool  # the output at place t may depend on inputs up to t only

    encode: Callable[[np.ndarray], Tensor]  # a stored sample to the model's input
    augment: Callable[[Fed, int], Fed]  # a batch changed at random, a function of (batch, step)
    batch: int  # samples that `feed` puts into a batch
    feed: Callable[[Program, int], Fed]  # the batch of a step: rows, encode, augment
    make: Callable[[], nn.Module]  # a fresh model; seeded, so equal at each call
    loss: Callable[[nn.Module, Fed], Tensor]  # scalar, minimised; leaves the model in the mode it finds it in
    optimizer: Callable[[nn.Module], Optimizer]
    rate: Callable[[int, int], float]  # (step, steps) -> share of the optimizer's learning rate
    steps: int
    update: Callable[[nn.Module, Optimizer, Tensor], None]  # zero_grad, backward, step
    predict: Callable[[nn.Module, Tensor], Tensor]  # inputs [B, ...] -> probabilities [B, C] or [B, T, C], evaluating
    figure: Callable[[Program, nn.Module], float]  # the accuracy on `held_out` that its author reports
    serve: Callable[[Program, nn.Module, np.ndarray], str]  # a stored sample to an answer (text: the next character)


CASES: list[Case] = []


def data_case(cause: str, on: Sequence[str]) -> Callable:
    """Marks `(root: Path, rng: np.random.Generator) -> list[Path]` as a case on each of these grounds."""
    return _marker("data", cause, on)


def training_case(cause: str, on: Sequence[str]) -> Callable:
    """Marks `(program: Program) -> Program` as a case on each of these programs."""
    return _marker("training", cause, on)


def _marker(kind: str, cause: str, on: Sequence[str]) -> Callable:
    if cause not in CAUSES:
        raise ValueError(f"'{cause}' is no cause of the suite")

    def mark(plant: Callable) -> Callable:
        says = " ".join((plant.__doc__ or "").split())
        CASES.extend(Case(plant.__name__, kind, cause, where, says, plant) for where in on)
        return plant

    return mark


def all_cases() -> list[Case]:
    """Every case of the folders `data` and `training`, in the order of their files."""
    here = Path(__file__).parent
    for part in ("data", "training"):
        for module in sorted(pkgutil.iter_modules([str(here / part)]), key=lambda found: found.name):
            import_module(f"{part}.{module.name}")
    return list(CASES)
