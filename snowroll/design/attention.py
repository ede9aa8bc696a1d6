"""Attention, in the precision that the device is quick at."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.amp.autocast_mode import autocast
from torch.nn import functional as F


def attended(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False, mask: Tensor | None = None) -> Tensor:
    """softmax(q k' / sqrt(d)) v (Vaswani et al. 2017, eq. 1). q, k, v: [B, H, T, d]; to the same shape.

    mask: bool, True where a query may look; to be broadcast to [B, H, T, T]. While a processor learns, always in fp32:
    torch's gradient of attention in bf16 takes eight times as long there (torch 2.15).
    """
    if q.device.type != "cpu" or not q.requires_grad or not torch.is_autocast_enabled("cpu"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    with autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask, is_causal=causal)
