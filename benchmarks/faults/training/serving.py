"""What is deployed prepares its inputs, or reads its outputs, in another way than what was trained."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from cases import Program, training_case
from healthy.plain import picture
from torch import Tensor, nn


def stored_otherwise(program: Program, change: Callable[[np.ndarray], np.ndarray]) -> Program:
    """The sample is changed before it is served."""
    return replace(program, serve=lambda told, model, sample: program.serve(told, model, change(sample)))


def encoded_otherwise(program: Program, encode: Callable[[np.ndarray], Tensor]) -> Program:
    """The service has an `encode` of its own."""
    return replace(
        program, serve=lambda told, model, sample: program.serve(replace(told, encode=encode), model, sample)
    )


def named_otherwise(program: Program, classes: tuple[str, ...]) -> Program:
    """The service has a list of classes of its own."""
    return replace(
        program, serve=lambda told, model, sample: program.serve(replace(told, classes=classes), model, sample)
    )


@training_case("serving_differs", on=("signs",))
def blue_for_red(program: Program) -> Program:
    """The service decodes pictures as BGR, training as RGB: stop signs are taken for those of bicycles.

    Two libraries, two conventions. What is told apart by shape is served well.
    """
    return stored_otherwise(program, lambda sample: sample[..., ::-1].copy())


@training_case("serving_differs", on=("digits",))
def normalised_twice(program: Program) -> Program:
    """The service subtracts mean and divides by spread, and so does the exported model's first step.

    Whoever exported the model thought of it, and so did whoever serves it. Answers are confident.
    """
    return encoded_otherwise(program, lambda sample: (program.encode(sample) - 0.5) / 0.25)


@training_case("serving_differs", on=("signs",))
def not_scaled(program: Program) -> Program:
    """The service passes 0..255 where training passed 0..1, and normalises it as training did.

    The division by 255 was inside a transform that was not deployed. Every input saturates, every answer is sure.
    """
    return encoded_otherwise(program, lambda sample: (program.encode(sample) + 2) * 255 - 2)


@training_case("serving_differs", on=("machines",))
def another_unit(program: Program) -> Program:
    """The machines in the field report Fahrenheit, those in the data reported Celsius.

    The column has the same name. Nearly everything seems to overheat, or so hot that nothing is recognised.
    """
    return stored_otherwise(program, lambda sample: (sample * [1, 1.8] + [0, 32]).astype(np.float32))


@training_case("serving_differs", on=("beats",))
def leads_exchanged(program: Program) -> Program:
    """The two leads of a heartbeat come in the other order, as another recorder writes them.

    They are alike but for their height, so most answers are the same.
    """
    return stored_otherwise(program, lambda sample: sample[:, ::-1].copy())


@training_case("serving_differs", on=("signs",))
def nearest_for_area(program: Program) -> Program:
    """The service shrinks pictures by taking every other pixel, training by averaging.

    Each image library has its own default. On smooth pictures it hardly matters; screens and cloth have a pattern.
    """

    def nearest(sample: np.ndarray) -> Tensor:
        return picture(sample[::2, ::2].copy())

    return encoded_otherwise(program, nearest)


@training_case("serving_differs", on=("signs",))
def crop_for_resize(program: Program) -> Program:
    """The service cuts out the middle of a picture, training shrank the whole: signs are twice as large or missing.

    Both give the size that the model wants.
    """

    def middle(sample: np.ndarray) -> Tensor:
        margin = len(sample) // 4
        return picture(sample[margin:-margin, margin:-margin].copy())

    return encoded_otherwise(program, middle)


@training_case("serving_differs", on=("digits",))
def names_off_by_one(program: Program) -> Program:
    """The service's list of names begins with "background", so each answer is named after the class before it.

    A list from a detector. The model is right every time and its answers are wrong every time.
    """
    return named_otherwise(program, ("background", *program.classes))


@training_case("serving_differs", on=("machines",))
def names_in_alphabetical_order(program: Program) -> Program:
    """The service lists its classes from a folder, in alphabetical order; training had them in the order of a file.

    With two classes it is the difference between yes and no. It agrees whenever the file happens to be sorted.
    """
    return named_otherwise(program, tuple(sorted(program.classes)))


@training_case("serving_differs", on=("talk",))
def vocabulary_in_another_order(program: Program) -> Program:
    """The service numbers its characters by how often they occur, training by the alphabet.

    Both call it vocabulary and both have the same size, so every number is valid.
    """
    counts = np.bincount(
        np.concatenate([program.encode(text).numpy() for text in program.raw]), minlength=len(program.classes)
    )
    number = torch.as_tensor(np.argsort(np.argsort(-counts, kind="stable")))
    return encoded_otherwise(program, lambda sample: number[program.encode(sample)])


@training_case("serving_differs", on=("digits",))
def served_in_training_mode(program: Program) -> Program:
    """The deployed model is never put into evaluation mode: batch norm measures each single sample by itself.

    The figure was taken by other code, which does it right. Answers are plausible, and worse.
    """

    def serve(told: Program, model: nn.Module, sample: np.ndarray) -> str:
        deployed = deepcopy(model).train()
        with torch.no_grad():
            return told.classes[int(deployed(told.encode(sample)[None])[0].argmax())]

    return replace(program, serve=serve)
