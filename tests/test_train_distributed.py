"""Two processes train as one, and fail as one."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from blobs import batches_of, loss, pictures
from lives import ignore, wait_for_the_first, work_together
from torch import nn

from snowroll.base.nouns import Plan
from snowroll.train import checkpoint
from snowroll.train.fit import begin, fit

pytestmark = pytest.mark.slow

PLAN = Plan(None, steps=8, batch=15, lr=0.05, clip=1.0, ema=0.9)  # 15: the two shares are not equal


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(
    out: Path, world: int, fails: int = -1, spoils: int = -1, life: Callable[..., None] = work_together
) -> list[int]:
    """Run `world` processes; their exit codes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "safetensors.torch", "snowroll.train.checkpoint"])
    port = free_port()
    given = (world, port, out, PLAN, fails, spoils)
    ranks = [context.Process(target=life, args=(rank, *given)) for rank in range(world)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
    return [process.exitcode if process.exitcode is not None else -99 for process in ranks]


def alone() -> tuple[nn.Module, nn.Module, float]:
    torch.manual_seed(7)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    state = begin(model, PLAN)
    last = 0.0
    for step in fit(model, batches_of(*pictures(64, 8), PLAN), loss, PLAN, state):
        last = step.loss
    assert state.average is not None
    return model, state.average, last


def assert_equals_alone(out: Path) -> None:
    """Within 1e-5: the same sums, added in another order."""
    model, average, last = alone()
    torch.manual_seed(8)
    together = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    state = begin(together, PLAN)
    saved = checkpoint.newest(out, ignore)
    assert saved is not None
    assert saved.step == PLAN.steps
    checkpoint.load(saved, together, state, PLAN.id, "v", ignore)
    assert state.average is not None
    for one, two in ((model, together), (average, state.average)):
        for a, b in zip(one.parameters(), two.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-5)
    said = {float((out / f"loss-{rank}.txt").read_text()) for rank in range(2)}
    assert len(said) == 1  # every process tells the loss of the whole batch
    assert said.pop() == pytest.approx(last, abs=1e-5)


def test_two_processes_equal_one(tmp_path: Path) -> None:
    assert start(tmp_path, 2) == [0, 0]
    assert_equals_alone(tmp_path)


def test_one_process_fails_and_all_stop_with_one_line(tmp_path: Path) -> None:
    assert start(tmp_path, 2, fails=1) == [1, 1]
    said = [(tmp_path / f"said-{rank}.txt").read_text() for rank in range(2)]
    assert said == ["", "process 1 of 2: ValueError: this batch cannot be read\n"]


BOTH_FAIL = """
import sys, time
from pathlib import Path
from snowroll.train.distributed import processes
def tell(fault):
    time.sleep(1.5)
    print(fault, flush=True)
with processes(meet=Path(sys.argv[1]), tell=tell):
    raise ValueError("this is why")
"""


def test_nobody_ends_before_the_first_to_fail_has_spoken(tmp_path: Path) -> None:
    """Who starts them stops all when one ends."""
    said = [tmp_path / str(number) for number in range(2)]
    running = []
    for number, path in enumerate(said):
        environment = {"GLOO_SOCKET_IFNAME": "lo", **os.environ, "RANK": str(number), "WORLD_SIZE": "2"}
        command = [sys.executable, "-c", BOTH_FAIL, str(tmp_path / "meet")]
        with path.open("w") as out:
            running.append(subprocess.Popen(command, stdout=out, env=environment))
    while all(one.poll() is None for one in running):
        time.sleep(0.01)
    told = "".join(path.read_text() for path in said)
    codes = [one.wait(60) for one in running]
    assert told == "this is why\n"
    assert codes == [1, 1]


def test_the_process_with_the_bad_sample_is_the_one_that_is_believed(tmp_path: Path) -> None:
    assert start(tmp_path, 2, spoils=1) == [1, 1]
    (said,) = filter(None, [(tmp_path / f"said-{rank}.txt").read_text() for rank in range(2)])
    assert "step 3: the inputs of samples" in said


def test_the_others_wait_for_the_first_longer_than_for_an_exchange(tmp_path: Path) -> None:
    assert start(tmp_path, 2, life=wait_for_the_first) == [0, 0]
    assert {(tmp_path / f"decided-{rank}.txt").read_text() for rank in range(2)} == {"[False, True]"}


@pytest.mark.slow
def test_started_by_torchrun(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import os\n"
        "from pathlib import Path\n"
        "from lives import work_together\n"
        "from test_train_distributed import PLAN\n"
        "here = Path(__file__).parent\n"
        "work_together(int(os.environ['RANK']), 2, int(os.environ['MASTER_PORT']), here, PLAN, -1)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert_equals_alone(tmp_path)
