"""`snowroll train`, killed like a power cut would, and the same command again: the same bits. One at a time."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FLAGS = [
    "--train.steps",
    "120",
    "--train.threads",
    "1",
    "--task.model",
    "fastnet_small",
    "--train.checkpoint_every",
    "7",
]


def make_folder(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 150), ("middle", 105)):
        (root / "data" / name).mkdir(parents=True)
        for i in range(24):
            grey = rng.normal(level, 20, (16, 16)).clip(0, 255).astype(np.uint8)
            Image.fromarray(grey).save(root / "data" / name / f"{i}.png")
    return root


def snowroll(*tokens: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "snowroll", *tokens],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(*tokens: str) -> None:
    life = snowroll(*tokens)
    _, told = life.communicate()
    assert life.returncode == 0, told.decode()


def bits(root: Path) -> str:
    (model,) = root.glob("runs/*/model/model.safetensors")
    return hashlib.sha256(model.read_bytes()).hexdigest()


@pytest.mark.slow
def test_a_killed_train_goes_on_to_the_same_bits_and_a_second_is_refused(tmp_path: Path) -> None:
    whole = make_folder(tmp_path / "whole")
    finish("init", str(whole))
    killed = tmp_path / "killed"
    shutil.copytree(whole, killed)
    first = snowroll("train", str(whole), *FLAGS)
    while not list(whole.glob("runs/*")):
        assert first.poll() is None
        time.sleep(0.05)
    second = snowroll("train", str(whole), *FLAGS)
    _, told = second.communicate()
    assert second.returncode == 1
    assert b"another 'train' runs in this project" in told
    assert b"Traceback" not in told
    first.communicate()
    assert first.returncode == 0

    luck, kills = random.Random(0), 0
    for _ in range(3):
        life = snowroll("train", str(killed), *FLAGS)
        before = checkpoints(killed)
        while life.poll() is None and checkpoints(killed) == before:  # it has begun to train, or goes on
            time.sleep(0.01)
        time.sleep(luck.uniform(0, 0.5))
        if life.poll() is None:
            os.killpg(life.pid, signal.SIGKILL)
            kills += 1
        life.communicate()
    assert kills >= 2
    finish("train", str(killed), *FLAGS)
    assert len(list((killed / "runs").iterdir())) == 1, "the same command must resume, not begin anew"
    assert bits(killed) == bits(whole)
    finish("doctor", str(killed), "--deep")


@pytest.mark.slow
def test_killed_among_its_gates_a_run_keeps_its_number(tmp_path: Path) -> None:
    project = make_folder(tmp_path / "project")
    finish("init", str(project))
    life = snowroll("train", str(project), "--time", "1m", *FLAGS[2:])  # its plan is made after its gates
    while not list(project.glob("runs/*")):
        assert life.poll() is None
        time.sleep(0.01)
    os.killpg(life.pid, signal.SIGKILL)
    life.communicate()
    assert not list(project.glob("runs/*/plan.toml"))
    finish("train", str(project), *FLAGS)
    assert [path.name for path in project.glob("runs/*")] == ["0001-train"]
    finish("doctor", str(project), "--deep")


def checkpoints(root: Path) -> set[str]:
    return {path.name for path in root.glob("runs/*/checkpoints/*.json")}
