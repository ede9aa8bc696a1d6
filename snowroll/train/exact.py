"""What has to be settled, once a process: that two runs agree to the last bit, and that no step waits for memory."""

from __future__ import annotations

import os

import torch

from snowroll.base.memory import keep_freed


def settle(threads: int, device: str = "cpu") -> None:
    """Fix the number of threads, keep freed memory at hand, and forbid operations whose result depends on timing.

    On a GPU such an operation warns instead, because some have no exact twin. (`torch.use_deterministic_algorithms`
    would do the same but imports torch._inductor: seconds before the first step.)
    """
    keep_freed()
    if threads:
        torch.set_num_threads(threads)
    if device != "cpu":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
        torch.backends.cudnn.benchmark = False
    torch.set_deterministic_debug_mode("error" if device == "cpu" else "warn")
    # with it torch fills whatever it allocates: 4 to 8 % of a step, and no bit of a result comes from there
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
