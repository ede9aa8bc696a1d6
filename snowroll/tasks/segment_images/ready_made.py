"""torchvision's segmenting networks: DeepLabV3 (Chen et al. 2017) and LR-ASPP (Howard et al. 2019), with its weights by
name or from a file. One map answers, at an eighth of the input's fineness.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.design.fine_tuned import FineTuned, hasten_statistics
from snowroll.design.hub import torchvision_weights
from snowroll.design.weights import fill, read_tensors
from snowroll.tasks.segment_images.options import SegmentOptions


class Head(nn.Module):
    """The maps of a torchvision backbone to one map of logits [B, C, h, w] at the input's size."""

    def __init__(self, classifier: nn.Module, classes: int) -> None:
        super().__init__()
        self.classifier, self.classes = classifier, classes
        self.takes_all = hasattr(classifier, "low_classifier")  # LR-ASPP's takes both maps, DeepLab's the last
        convolutions = [layer for layer in classifier.modules() if isinstance(layer, nn.Conv2d)]
        self.answers = [layer for layer in convolutions if layer.bias is not None]  # all others are normalised
        self.expect(torch.zeros(classes))

    @torch.no_grad()
    def expect(self, bias: Tensor) -> None:
        """Begin with classes as common as these logits [C] say."""
        for place, layer in enumerate(self.answers):
            assert layer.bias is not None
            nn.init.normal_(layer.weight, std=0.01)
            layer.bias.copy_(bias if place == 0 else torch.zeros_like(bias))

    def forward(self, maps: dict[str, Tensor], size: torch.Size) -> list[Tensor]:
        logits = self.classifier(maps if self.takes_all else maps["out"]).float()
        return [F.interpolate(logits, size=size, mode="bilinear", align_corners=False)]


def ready_made(options: SegmentOptions, classes: int) -> tuple[nn.Module, Head]:
    """(backbone, head) of the network `options.model`. Its own pretrained head is not kept: it knows other classes."""
    from torchvision.models import get_model

    network = get_model(options.model, weights=None, weights_backbone=None, num_classes=classes)
    backbone, classifier = network.backbone, network.classifier
    assert isinstance(backbone, nn.Module)
    assert isinstance(classifier, nn.Module)
    return backbone, Head(classifier, classes)


def load(model: FineTuned, options: SegmentOptions) -> None:
    """Fill the model's backbone from torchvision's hub or a file. Raises DataError."""
    if options.pretrained == "hub":
        model.loaded = fill(model, torchvision_weights(options.model), options.model)
    elif options.pretrained:
        path = Path(options.pretrained)
        model.loaded = fill(model, read_tensors(path), path)
    else:
        hasten_statistics(model.backbone)
