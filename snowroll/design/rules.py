"""The options of an image model, and the rules that choose them from facts of the data and the machine.

nnU-Net's idea (Isensee et al. 2021): a fingerprint of the data goes in, a whole plan comes out, every choice with its
reason. No torch here: the command line and decoding children import this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """The task's part of the Plan for image classification. Strengths are the largest change either way."""

    model: str = "fastnet"  # a name of design/zoo.py, or "timm:NAME"
    size_px: int = 32  # side of the square that the network sees
    fit: Literal["stretch", "crop", "pad"] = "stretch"  # how a picture becomes a square
    pretrained: str = ""  # "": fresh weights; a path to .safetensors or .pth; "hub": ask torchvision's or timm's hub
    padding: Literal["torch", "same"] = "torch"  # "same": for weights trained in TensorFlow
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of the pixels, 0 to 1; ImageNet's
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    dropout: float = 0.0  # before the head
    label_smoothing: float = 0.0
    flip: bool = False  # left to right
    rotate_deg: float = 0.0
    scale: float = 0.0  # share of the size
    shift: float = 0.0  # share of the side
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    cutout: float = 0.0  # side of the grey square, share of the side
    mix: Literal["none", "mixup", "cutmix"] = "none"
    mix_alpha: float = 0.2
    freeze: float = 0.0  # share of the steps in which only the head learns
    backbone_lr: float = 1.0  # the backbone's learning rate, times the head's
