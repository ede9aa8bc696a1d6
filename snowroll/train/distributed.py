"""Several processes, one run (gloo on CPUs, NCCL on GPUs): started by `train.processes`, or by torchrun.

Every process computes its rows of the same global batch (train/order.py); `fit` adds the gradients up. Because each
loss is divided by the weight of the *global* batch, the sum is the gradient a single process would have had, up to the
order of additions. With one process everything here does nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from snowroll.base.errors import SnowrollError

PATIENCE = timedelta(days=1)  # with the first process: it may validate for as long as it takes
SPEAKS_WITHIN = timedelta(seconds=10)  # of the first to fail, while the others wait to end


def say_in_one_line(fault: Exception) -> None:
    said = str(fault) if isinstance(fault, SnowrollError) else f"{type(fault).__name__}: {fault}"
    print(f"process {rank()} of {world()}: {said.splitlines()[0]}", file=sys.stderr, flush=True)


@contextmanager
def processes(
    device: str = "cpu",
    timeout_s: float = 600.0,
    meet: Path | None = None,
    tell: Callable[[Exception], None] = say_in_one_line,
) -> Iterator[tuple[int, int]]:
    """Join the processes whose number and count stand in RANK and WORLD_SIZE, if they do. Gives (rank, world).

    meet: a file in which they find each other, so that nobody listens for them; None: where torchrun says.
    An error in one process ends all of them: that one tells it and exits, the others stop at their next exchange
    without a word. Exit code 1.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield 0, 1
        return
    kind = "nccl" if device.startswith("cuda") else "gloo"
    if kind == "nccl":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    number, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    place = None if meet is None else dist.FileStore(str(meet), count)  # pyright: ignore[reportPrivateImportUsage]
    dist.init_process_group(kind, timeout=timedelta(seconds=timeout_s), store=place, rank=number, world_size=count)
    store = dist.distributed_c10d._get_default_store()
    try:
        yield rank(), world()
        dist.barrier()
        dist.destroy_process_group()
    except Exception as fault:
        # the first to fail speaks; the others only see a lost connection, or fail in the same way at the same step
        with suppress(dist.DistError):  # the store went with the process that held it: that one has spoken
            if store.add("snowroll/failed", 1) == 1:
                tell(fault)
                store.set("snowroll/told", "")
            else:  # whoever started them stops all when one exits: not before the first has spoken
                store.wait(["snowroll/told"], SPEAKS_WITHIN)
        os._exit(1)  # not sys.exit: gloo's threads would wait for the peers


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def first_decides(step: int, decision: bool) -> bool:
    """The first process's decision at this step, on every process. They wait for it outside of any exchange, so that
    what the first does meanwhile (validate, save) is under no exchange's time limit.
    """
    if world() == 1:
        return decision
    store, key = dist.distributed_c10d._get_default_store(), f"snowroll/decision/{step}"
    if rank() == 0:
        store.set(key, str(decision))
    else:
        store.wait([key], PATIENCE)
    return store.get(key) == b"True"


@torch.no_grad()
def words_of_the_one(mine: str, is_cause: bool, device: torch.device) -> str:
    """What the first process with the cause says, on every process; the very first's words if it lies with none."""
    if world() == 1:
        return mine
    causes = torch.zeros(world(), device=device)
    causes[rank()] = is_cause
    (causes,) = add_up([causes])
    store, key = dist.distributed_c10d._get_default_store(), "snowroll/words"
    if rank() == int(causes.argmax()):
        store.set(key, mine)
    else:
        store.wait([key])
    return store.get(key).decode()


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
