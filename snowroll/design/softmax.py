"""Probabilities of classes pixel by pixel, written so that an exported graph is quick.

onnxruntime's Softmax over an axis that is not the last turns the whole map over and back: of 11 classes at 480 x 352 it
takes five times as long as what stands here, and as long as all convolutions of LR-ASPP (`benchmarks/seeing.py`).
"""

from __future__ import annotations

from torch import Tensor


def surest(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The best class of each pixel and its probability, int64 and float32 [B, ...], of logits [B, C, ...]."""
    top, label = logits.max(dim=1)
    return label, 1 / (logits - top[:, None]).exp().sum(dim=1)


def probabilities(logits: Tensor) -> Tensor:
    """softmax(dim=1) of logits [B, C, ...]."""
    raised = (logits - logits.amax(dim=1, keepdim=True)).exp()
    return raised / raised.sum(dim=1, keepdim=True)
