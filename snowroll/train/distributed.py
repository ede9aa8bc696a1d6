"""Several processes, one run: `torchrun --nproc-per-node 2 ...` (gloo on CPUs, NCCL on GPUs).

Every process computes its rows of the same global batch (train/order.py); `fit` adds the gradients up. Because each
loss is divided by the weight of the *global* batch, the sum is the gradient a single process would have had, up to the
order of additions. With one process everything here does nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from snowroll.base.errors import SnowrollError


@contextmanager
def processes(device: str = "cpu", timeout_s: float = 600.0) -> Iterator[tuple[int, int]]:
    """Join the processes that torchrun started, if it did. Gives (rank, world).

    An error in one process ends all of them: that one says it in one line and exits, the others stop at their next
    exchange without a word. Exit code 1.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield 0, 1
        return
    kind = "nccl" if device.startswith("cuda") else "gloo"
    if kind == "nccl":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group(kind, timeout=timedelta(seconds=timeout_s))
    store = dist.distributed_c10d._get_default_store()
    try:
        yield rank(), world()
        dist.barrier()
        dist.destroy_process_group()
    except Exception as fault:
        # the first to fail speaks; the others only see a lost connection, or fail in the same way at the same step
        if store.add("snowroll/failed", 1) == 1:
            said = str(fault) if isinstance(fault, SnowrollError) else f"{type(fault).__name__}: {fault}"
            print(f"process {rank()} of {world()}: {said.splitlines()[0]}", file=sys.stderr, flush=True)
        os._exit(1)  # not sys.exit: gloo's threads would wait for the peers


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@torch.no_grad()
def add_up(tensors: list[Tensor]) -> list[Tensor]:
    """Replace each tensor by its sum over all processes, in place, in one exchange. Returns the list."""
    if world() > 1 and tensors:
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, whole in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(whole.view(tensor.shape))
    return tensors


@torch.no_grad()
def share_buffers(model: nn.Module) -> None:
    """Give every process the mean of the running statistics, so that any of them may save or evaluate."""
    if world() > 1:
        floats = [b for b in model.buffers() if b.is_floating_point()]
        for buffer in add_up(floats):
            buffer.div_(world())
