"""The network that a plan asks for, what it expects at first, and the shift that calibration adds to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from snowroll.base.errors import PlanError
from snowroll.design.classifier import Normalise
from snowroll.design.fine_tuned import keep_weights
from snowroll.design.pyramid import pyramid
from snowroll.tasks.detect_objects.boxes import Found, Objects, Seen
from snowroll.tasks.detect_objects.faster_rcnn import FasterRCNN, on_pyramid, ready_made
from snowroll.tasks.detect_objects.one_stage import Detector
from snowroll.tasks.detect_objects.options import DetectOptions


def build(options: DetectOptions, classes: int) -> Detector | FasterRCNN:
    """The detector that a plan's options describe. The caller seeds torch's generator."""
    if classes < 1:
        raise PlanError("there is no class to find", where="task", cure="label some objects first")
    normalise = Normalise(options.mean, options.std)
    if options.model.startswith("fasterrcnn_"):
        model: Detector | FasterRCNN = ready_made(options, classes, normalise)
    else:
        backbone = pyramid(options.model, options.pretrained, options.padding)
        if options.two_stages:
            model = on_pyramid(backbone, options, classes, normalise)
        else:
            model = Detector(backbone, classes, options.width, normalise)
    if options.pretrained:
        keep_weights(model, options.keep, options.keep_statistics)
    return model


def expect(model: nn.Module, objects: Objects, kinds: np.ndarray, options: DetectOptions) -> None:
    """Before the first step: how large objects are, of some pictures, and how many a picture holds of each class.

    kinds: int64 [n, M] of all pictures, as in Objects.
    """
    assert isinstance(model, Detector | FasterRCNN)
    box = objects.box[objects.kind >= 0]
    if not len(box):
        return
    sides = (box[:, 2:] - box[:, :2]).clamp(min=1).log().mean(dim=0).exp()
    counts = np.bincount(kinds[kinds >= 0], minlength=model.classes) / len(kinds)
    model.expect(sides, counts.tolist(), options.frame)


class Shifted(nn.Module):
    """A detector whose scores are moved class by class, so that a half is where precision and recall balance best."""

    by: Tensor  # [C, 1] logits

    def __init__(self, model: nn.Module, by: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("by", torch.tensor(by).view(-1, 1))

    def forward(self, seen: Seen) -> Found:
        found: Found = self.model(seen)
        return found._replace(score=found.score + self.by)
