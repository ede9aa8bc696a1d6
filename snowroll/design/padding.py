"""Padding as TensorFlow does it, for weights that were trained there.

PyTorch pads both sides alike; TensorFlow's SAME puts the odd pixel of a strided convolution on the right and below. A
network trained with one and run with the other sees everything half a pixel off at every stride.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding, whatever the size of its input."""

    def forward(self, input: Tensor) -> Tensor:
        height, width = (
            _extra(size, kernel, stride, dilation)
            for size, kernel, stride, dilation in zip(
                input.shape[2:], self.kernel_size, self.stride, self.dilation, strict=True
            )
        )
        padded = F.pad(input, (width // 2, width - width // 2, height // 2, height - height // 2))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def pad_as_tensorflow(model: nn.Module) -> int:
    """Give every strided, padded convolution SAME padding, in place; names and weights stay. Returns how many.

    Convolutions of stride 1 pad alike in both worlds and are left alone.
    """
    changed = 0
    for parent in list(model.modules()):
        for name, conv in parent.named_children():
            if type(conv) is nn.Conv2d and max(conv.stride) > 1 and conv.padding not in ((0, 0), "valid"):
                setattr(parent, name, _same(conv))
                changed += 1
    return changed


def _same(conv: nn.Conv2d) -> SameConv2d:
    same = SameConv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        dilation=conv.dilation,  # type: ignore[arg-type]
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    same.weight, same.bias = conv.weight, conv.bias
    return same


def _extra(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Pixels to add along one axis so that the output has ceil(size / stride)."""
    outputs = -(-size // stride)
    return max(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - size)
