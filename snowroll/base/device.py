"""Which device runs the work, how many threads, and whether bf16 pays. Chosen once, written into the plan."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from time import perf_counter

from snowroll.base.errors import PlanError


def choose_device(wanted: str = "auto") -> str:
    """'cuda' if one is there, else 'cpu'. A device that was asked for and is not there is an error."""
    import torch

    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted):
        raise PlanError(f"there is no device '{wanted}'", where="train.device", cure="use auto, cpu, cuda or cuda:0")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and int(wanted[5:] or 0) >= torch.cuda.device_count():
        raise PlanError(f"device '{wanted}' is not available on this machine", cure="use --train.device cpu")
    return wanted


def device_here(wanted: str) -> str:
    """Where a model that was trained on `wanted` answers on this machine: there, or on the processor."""
    import torch

    is_here = not wanted.startswith("cuda") or int(wanted[5:] or 0) < torch.cuda.device_count()
    return wanted if is_here else "cpu"


def refuse_processes(processes: int, device: str) -> None:
    """Raise PlanError where this machine has less than a core, or a GPU, for each process."""
    if processes == 1:
        return
    if ":" in device:
        told = f"'{device}' is one GPU, and each of {processes} processes needs its own"
        raise PlanError(told, where="train.device", cure="use --train.device cuda")
    if device == "cuda":
        import torch

        there, what = torch.cuda.device_count(), "GPUs"
    else:
        there, what = cores(), "cores"
    if processes > there:
        told = f"{processes} processes, but {there} {what if there != 1 else what[:-1]} on this machine"
        raise PlanError(told, where="train.processes", cure=f"set it to {there} at most")


def seed_torch(seed: int) -> None:
    """torch.manual_seed. Where there is no accelerator, without the stack trace it keeps for each kind of them: that
    is half a millisecond, at every step.
    """
    import torch

    if _has_accelerator():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@cache
def _has_accelerator() -> bool:
    import torch

    return torch.accelerator.is_available()


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bf16_pays(device: str) -> bool:
    """Whether the device multiplies bf16 faster than fp32.

    A processor's flags are not enough: one that has avx512_bf16 and no AMX was measured at half the speed of its fp32.
    So where the flags are there, a product is timed: fp32 or bf16, never near each other on the machines seen.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return ("avx512_bf16" in flags or "amx_bf16" in flags) and _bf16_speed() > WORTHWHILE


WORTHWHILE = 1.2  # of fp32's speed; measured: 0.55 with avx512_bf16 alone on an Intel Xeon


@cache
def _bf16_speed(side: int = 512, pairs: int = 7) -> float:
    """How many times as fast as in fp32 a product of two matrices is in bf16: the best of each, taking turns."""
    import torch

    matrices = [torch.ones(side, side, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    best = [float("inf"), float("inf")]
    for _ in range(pairs):
        for place, matrix in enumerate(matrices):
            began = perf_counter()
            torch.mm(matrix, matrix)
            best[place] = min(best[place], perf_counter() - began)
    return best[0] / best[1]
