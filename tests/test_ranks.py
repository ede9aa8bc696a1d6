"""`snowroll train --train.processes 2`: one run on processes of its own, killed in every way there is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from house_kit import MACHINE, QUICK, draw_shapes, outside, snowroll
from safetensors.torch import load_file
from test_kill_train import bits, checkpoints

from snowroll.base.device import refuse_processes
from snowroll.base.errors import PlanError
from snowroll.base.nouns import Plan

TWO = (*QUICK, "--train.processes", "2")
MEANT = ("--accept", "learning_rate", "--because", "it shall break")
LONG = (*TWO, "--train.steps", "200", "--train.checkpoint_every", "10")
NETWORK = ("--task.model", "fastnet_small", "--task.size_px", "16", "--train.batch", "16", "--train.steps", "90")


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowroll.base.device.cores", lambda: 2)


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--train.processes", "3"), "3 processes, but 2 cores on this machine; set it to 2 at most"),
        (("--train.processes", "2", "--train.batch", "1"), "a batch of 1 cannot be shared by 2 processes"),
    ],
)
def test_what_cannot_be_shared_is_refused_at_the_door(untrained: Path, flags: tuple[str, ...], told: str) -> None:
    said = snowroll("train", untrained, *QUICK, *flags)
    assert said.code == 1
    last = said.err.splitlines()[-1]
    assert last.startswith("snowroll: train.processes: ")
    assert told in last
    assert not list((untrained / "runs").iterdir())


def test_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(PlanError, match="2 processes, but 1 GPU on this machine"):
        refuse_processes(2, "cuda")
    with pytest.raises(PlanError, match="'cuda:0' is one GPU"):
        refuse_processes(2, "cuda:0")
    refuse_processes(1, "cuda:0")


def test_threads_are_shared() -> None:
    each = [Plan(None, threads=threads, processes=2).threads_each for threads in (1, 2, 5, 8)]
    assert each == [1, 1, 2, 4]
    assert Plan(None, threads=5).threads_each == 5


@pytest.mark.slow
def test_two_processes_equal_one(project: Path) -> None:
    """Within 1e-3 of weights up to 0.5 after 30 steps: the same sums in another order, which AdamW divides by their
    size; 2.4e-5 was measured. Without batch statistics nothing else differs.
    """
    said = outside("train", project, *TWO, "--json")
    assert said.code == 0, said.err
    one, two = (project / "runs" / name for name in ("0001-train", "0002-train"))
    weights = [load_file(run / "model" / "model.safetensors") for run in (one, two)]
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], atol=1e-3), name
    for a, b in zip(*(measured(run) for run in (one, two)), strict=True):
        assert a == pytest.approx(b, abs=1e-3)
    environment = json.loads((two / "env.json").read_text())
    assert (environment["processes"], environment["threads_each"]) == (2, 1)
    assert not (two / "ranks").exists()


@pytest.mark.slow
def test_batch_statistics_of_two_processes_serve_as_well(tmp_path: Path) -> None:
    """Each process normalises its own half of the batch, so the weights differ; what they are worth does not."""
    root = tmp_path / "shapes"
    draw_shapes(root / "data", each=60)
    assert snowroll("init", root).code == 0
    one, two = (
        outside("train", root, *MACHINE, *NETWORK, "--train.processes", count, "--json").json for count in (1, 2)
    )
    for mine, other in ((one, two), (two, one)):
        assert mine["interval"][0] <= other["value"] <= mine["interval"][1]
    assert two["value"] > 0.6  # a guess is 0.33


@pytest.mark.slow
def test_whatever_is_killed_the_same_command_ends_in_the_same_bits(untrained: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(untrained, tmp_path / "whole"))
    assert outside("train", whole, *LONG).code == 0

    life = begun(untrained)
    os.kill(ranks(untrained)[1], signal.SIGKILL)
    _, told = life.communicate(timeout=60)
    assert life.returncode == 1
    assert told.count("snowroll:") == 1
    assert "of 2 was killed (SIGKILL)" in told.splitlines()[-1]
    assert "Traceback" not in told
    assert ranks(untrained) == []

    life = begun(untrained)
    life.kill()
    life.communicate()
    wait_until(lambda: not ranks(untrained))

    said = outside("train", untrained, *LONG)
    assert said.code == 0, said.err
    assert "going on from step" in said.err
    assert len(list((untrained / "runs").iterdir())) == 1
    assert bits(untrained) == bits(whole)
    steps = [row["step"] for row in measured_rows(untrained / "runs" / "0001-train")]
    assert steps == sorted(steps), "a line was written twice"
    assert outside("doctor", untrained, "--deep").code == 0


@pytest.mark.slow
def test_a_fault_is_told_once_and_ends_the_run(untrained: Path) -> None:
    said = outside("train", untrained, *TWO, "--train.optimizer", "sgd", "--train.lr", "1e30", *MEANT)
    assert said.code == 1
    assert "Traceback" not in said.err
    last = said.err.splitlines()[-1]
    assert last.startswith("snowroll: step ")
    assert "NaN or infinity" in last
    assert ranks(untrained) == []


@pytest.mark.slow
def test_patience_ends_all_of_them_and_a_time_is_measured_together(untrained: Path) -> None:
    still = ("--train.lr", "0", "--accept", "schedule,learnt,learning_rate", "--because", "it shall learn nothing")
    said = outside("train", untrained, *TWO, "--time", "30s", "--train.patience", "1", *still)
    assert said.code == 0, said.err  # nothing is learned at rate 0: the second validation is no better
    assert "30 s allow" in said.err
    assert "stopped early" in said.err
    assert len(measured(untrained / "runs" / "0001-train")) == 2


def ranks(root: Path) -> list[int]:
    """Process ids of the processes at work on a run of this project, by their number."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            told = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # gone meanwhile
            continue
        if b"snowroll.project.rank" in words and any(str(root).encode() in word for word in words):
            found[next(word for word in told if word.startswith(b"RANK="))] = int(folder.name)
    return [found[key] for key in sorted(found)]


def begun(root: Path) -> subprocess.Popen[str]:
    """A run in which both processes are at work and one more checkpoint is written."""
    command = [sys.executable, "-m", "snowroll", "train", str(root), *LONG]
    life = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    before = checkpoints(root)
    wait_until(lambda: checkpoints(root) - before or life.poll() is not None)
    assert life.poll() is None
    return life


def wait_until(holds: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def measured_rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def measured(run: Path) -> list[float]:
    """The validation losses."""
    return [row["val_loss"] for row in measured_rows(run) if "val_loss" in row]
