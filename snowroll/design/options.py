"""Options that tasks of pictures share, as bases of their own `Options`. No torch: the command line imports this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from snowroll.base.bounds import Bounds


@dataclass(frozen=True)
class Pretrained:
    """Weights to begin with, and how pictures were given to them."""

    bounds: ClassVar[Bounds] = {}

    pretrained: str = ""  # "": fresh weights; a path to .safetensors or .pth; "hub": ask torchvision's or timm's hub
    padding: Literal["torch", "same"] = "torch"  # "same": for weights trained in TensorFlow
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of the pixels, 0 to 1; ImageNet's
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class FineTuned(Pretrained):
    """How a backbone with such weights goes on learning, under a head or decoder that is new."""

    bounds: ClassVar[Bounds] = {"from_0": "backbone_lr", "shares": "head_first keep"}

    head_first: float = 0.0  # share of the steps in which only the head learns
    keep: float = 0.0  # share of the backbone's tensors, from the input on, that keep the weights they were loaded with
    keep_statistics: bool = False  # batch norm keeps the means and variances it was loaded with
    backbone_lr: float = 1.0  # the backbone's learning rate, times the head's


@dataclass(frozen=True)
class Varied:
    """How far pictures are changed at random while a network learns; numbers are the largest change either way."""

    bounds: ClassVar[Bounds] = {"from_0": "scale shift", "shares": "brightness contrast"}

    flip: bool = False  # left to right
    scale: float = 0.0  # share of the size
    shift: float = 0.0  # share of the side
    brightness: float = 0.0
    contrast: float = 0.0


@dataclass(frozen=True)
class Recoloured(Varied):
    """Likewise, of pictures in colours."""

    bounds: ClassVar[Bounds] = {"shares": "saturation"}

    saturation: float = 0.0
