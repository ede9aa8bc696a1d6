"""The shape every image classifier here has: normalise, backbone, dropout, head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snowroll.base.errors import PlanError
from snowroll.design.fine_tuned import FineTuned

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of ImageNet's training photos, RGB in [0, 1]: what most weights expect,
IMAGENET_STD = (0.229, 0.224, 0.225)  # and close to any set of photos

RGB = tuple[float, float, float]


class Normalise(nn.Module):
    """Pixels in [0, 1] to zero mean and unit variance. Buffers, so that weights carry their own preprocessing."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: RGB = IMAGENET_MEAN, std: RGB = IMAGENET_STD) -> None:
        super().__init__()
        if min(std) <= 0:
            raise PlanError(f"std {std} has a value that is not positive", cure="give the spread of pixels in [0, 1]")
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Head(nn.Linear):
    """Features [B, D] to logits [B, C]: linear, or a hidden layer of rectified units before that."""

    def __init__(self, width: int, classes: int, hidden: int = 0) -> None:
        super().__init__(hidden or width, classes)
        # small, so that the loss starts at ln C; not zero, or the gates could see no gradient through the head
        nn.init.normal_(self.weight, std=0.02 / self.in_features**0.5)
        nn.init.zeros_(self.bias)
        self.before = nn.Sequential(nn.Linear(width, hidden), nn.ReLU()) if hidden else nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(self.before(input))


class Classifier(FineTuned):
    """Images float [B, 3, H, W] in [0, 1] to logits [B, C]."""

    def __init__(
        self,
        backbone: nn.Module,
        width: int,
        classes: int,
        dropout: float = 0.0,
        hidden: int = 0,
        mean: RGB = IMAGENET_MEAN,
        std: RGB = IMAGENET_STD,
    ) -> None:
        """backbone: normalised images to [B, width]."""
        super().__init__()
        self.normalise = Normalise(mean, std)
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = Head(width, classes, hidden)

    def features(self, images: Tensor) -> Tensor:
        """[B, D] what the head sees: for mining, near neighbours, linear probes."""
        return self.backbone(self.normalise(images))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(images)))


@torch.no_grad()
def set_prior(model: Classifier, log_prior: Tensor) -> None:
    """Start from the class frequencies instead of learning them: log_prior [C] becomes the head's bias."""
    model.head.bias.copy_(log_prior - log_prior.mean())
