"""Pretrained weights from torchvision's or timm's hub: the one place in this room that may touch the network.

Only when the plan says `pretrained = "hub"`; without a network, one line says where to put the file.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor

from snowroll.base.errors import DataError, PlanError


def torchvision_weights(name: str) -> dict[str, Tensor]:
    """State of torchvision's network `name`, from its cache or the network."""
    from torchvision.models import get_model_weights

    weights = get_model_weights(name).DEFAULT  # type: ignore[attr-defined]
    kept = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        with redirect_stdout(sys.stderr):  # torch tells of its downloads there, where only results belong
            return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError) as fault:
        why = getattr(fault, "reason", fault)
        cure = f"put the file at {kept}, or give its path as --task.pretrained"
        raise DataError(f"pretrained weights of {name} cannot be fetched ({why})", cure=cure) from None


def timm_weights(name: str) -> dict[str, Tensor]:
    """State of timm's network `name`, from its cache or the network."""
    timm = import_timm()
    try:
        with redirect_stdout(sys.stderr):
            return timm.create_model(name, pretrained=True).state_dict()
    except (URLError, OSError, RuntimeError) as fault:
        source = timm.get_pretrained_cfg(name)
        file = f"model.safetensors of '{getattr(source, 'hf_hub_id', '') or name}'"
        why = str(fault).splitlines()[0][:120] if str(fault) else type(fault).__name__
        cure = f"fetch {file} where there is a network and give its path as --task.pretrained"
        raise DataError(f"pretrained weights of timm:{name} cannot be fetched ({why})", cure=cure) from None


def import_timm() -> Any:
    """The timm package, or PlanError saying how to get it."""
    try:
        import timm
    except ModuleNotFoundError:
        raise PlanError(
            "models named 'timm:...' need the timm package", cure="pip install 'snowroll[models]'"
        ) from None
    return timm
