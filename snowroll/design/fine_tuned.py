"""Networks of a backbone, whose weights may come from elsewhere, and a head that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from torch import nn

if TYPE_CHECKING:
    from snowroll.design.weights import Loaded


class FineTuned(nn.Module):
    """What may stand still while the rest learns. A subclass sets `backbone` and `head`."""

    backbone: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.frozen = False  # see `freeze_backbone`
        self.kept: frozenset[str] = frozenset()  # see `keep_weights`
        self.keeps_statistics = False
        self.loaded: Loaded | None = None  # what came from a file of weights

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen or self.keeps_statistics:  # in training mode batch norm would forget what it was loaded with
            for module in self.backbone.modules():
                if self.frozen or isinstance(module, nn.modules.batchnorm._NormBase):
                    module.training = False
        return self


def freeze_backbone(model: FineTuned, frozen: bool = True) -> None:
    """Learn the head alone, or (False) everything that is learnt. Batch statistics stand still while frozen."""
    for name, p in model.backbone.named_parameters():
        p.requires_grad_(not frozen and name not in model.kept)
    model.frozen = frozen
    model.train(model.training)


def keep_weights(model: FineTuned, share: float, statistics: bool) -> None:
    """For fine-tuning: that share of the backbone's tensors, from the input on, never learns.

    No gradient is worked out below the first layer that learns, which is where pictures are largest: with the first
    third of mobilenet_v2 kept, a step takes half the time. statistics: batch norm keeps what it was loaded with, so
    that small batches of few kinds of pictures do not wash it out.
    """
    names = [name for name, _ in model.backbone.named_parameters()]
    model.kept = frozenset(names[: round(share * len(names))])
    model.keeps_statistics = statistics
    freeze_backbone(model, model.frozen)


def hasten_statistics(model: nn.Module, momentum: float = 0.1) -> None:
    """For fresh weights: running means and variances that follow within tens of steps, not hundreds.

    Networks published for months of training (torchvision's MobileNetV3: 0.01) would be judged by what they saw first.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.momentum is not None:
            module.momentum = max(module.momentum, momentum)
