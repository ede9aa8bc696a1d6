"""What waiting threads cost: a training step of a small network, its OpenMP threads spinning or sleeping between tasks.

    python benchmarks/busy.py [--rounds 5]

Measured twice: alone, and beside as many busy processes as there are cores. `snowroll` sets OMP_WAIT_POLICY=passive.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from measuring import machine, spread

from snowroll.base.device import cores

STEPS = """
import time, torch
from torch.nn import functional as F
from snowroll.design.zoo import build
torch.set_num_threads({threads})
model = build("fastnet_small", 10, 32).to(memory_format=torch.channels_last).train()
images = torch.rand(16, 3, 32, 32).contiguous(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
for step in range(24):
    if step == 4:
        began = time.perf_counter()
    optimizer.zero_grad()
    F.cross_entropy(model(images), torch.arange(16) % 10).backward()
    optimizer.step()
print((time.perf_counter() - began) / 20)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(machine())
    for beside in (0, cores()):
        with busy(beside):
            pairs = [(a_step("active"), a_step("passive")) for _ in range(rounds)]
        told = (
            f"{median(a for a, _ in pairs) * 1e3:.0f} ms spinning, {median(b for _, b in pairs) * 1e3:.0f} ms sleeping"
        )
        print(f"beside {beside} busy processes: {told}; spinning / sleeping {spread([a / b for a, b in pairs])}")


def a_step(policy: str) -> float:
    """Seconds."""
    environment = {**os.environ, "OMP_WAIT_POLICY": policy}
    if policy == "active":
        del environment["OMP_WAIT_POLICY"]  # the library's own default, which spins for a while
    command = [sys.executable, "-c", STEPS.format(threads=cores())]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    lives = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for life in lives:
            life.kill()
            life.wait()


if __name__ == "__main__":
    main()
