"""What has to be settled, once a process, for two runs to agree to the last bit."""

from __future__ import annotations

import os

import torch


def settle(threads: int, device: str = "cpu") -> None:
    """Fix the number of threads and forbid operations whose result depends on timing.

    On a GPU such an operation warns instead, because some have no exact twin. (`torch.use_deterministic_algorithms`
    would do the same but imports torch._inductor: seconds before the first step.)
    """
    if threads:
        torch.set_num_threads(threads)
    if device != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
        torch.backends.cudnn.benchmark = False
    torch.set_deterministic_debug_mode("error" if device == "cpu" else "warn")
