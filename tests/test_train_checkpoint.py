"""Checkpoints: damage is noticed, two are kept, and a run killed anywhere ends in the same bits."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
from pathlib import Path

import pytest
import torch
from blobs import batches_of, loss, pictures, small_net
from lives import fingerprint, ignore, live
from torch import nn

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Plan
from snowroll.train import checkpoint
from snowroll.train.fit import State, begin, fit

pytestmark = pytest.mark.slow

PLAN = Plan(None, steps=6, batch=16, optimizer="adamw", lr=0.01, ema=0.9)


def run_and_save(folder: Path, plan: Plan = PLAN) -> tuple[nn.Module, State]:
    model = small_net()
    state = begin(model, plan)
    for _ in fit(model, batches_of(*pictures(64, 8), plan), loss, plan, state):
        if state.step > 3:
            checkpoint.save(folder, model, state, plan.id, "v", extra={"best": 0.5})
    return model, state


def test_keeps_the_newest_two(tmp_path: Path) -> None:
    run_and_save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000005.json",
        "step-00000005.safetensors",
        "step-00000006.json",
        "step-00000006.safetensors",
    ]
    found = checkpoint.newest(tmp_path, ignore)
    assert found is not None
    assert (found.step, found.plan, found.version, found.extra) == (6, PLAN.id, "v", {"best": 0.5})
    assert found.threads == torch.get_num_threads()


@pytest.mark.parametrize("damage", ["flip a bit", "cut", "empty", "gone", "manifest cut", "manifest not JSON's idea"])
def test_damage_is_said_and_the_one_before_is_used(damage: str, tmp_path: Path) -> None:
    run_and_save(tmp_path)
    tensors, manifest = tmp_path / "step-00000006.safetensors", tmp_path / "step-00000006.json"
    data = bytearray(tensors.read_bytes())
    if damage == "flip a bit":
        data[-5] ^= 1
        tensors.write_bytes(data)
    elif damage == "cut":
        tensors.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        tensors.write_bytes(b"")
    elif damage == "gone":
        tensors.unlink()
    elif damage == "manifest cut":
        manifest.write_text(manifest.read_text()[:40])
    else:
        manifest.write_text("[1, 2]")
    said: list[str] = []
    found = checkpoint.newest(tmp_path, said.append)
    assert found is not None
    assert found.step == 5
    assert len(said) == 1
    assert "step-00000006" in said[0]


def test_tensors_without_a_manifest_are_nothing(tmp_path: Path) -> None:
    run_and_save(tmp_path)
    for path in tmp_path.glob("*.json"):
        path.unlink()
    assert checkpoint.newest(tmp_path, ignore) is None


def test_another_plan_or_version_is_refused(tmp_path: Path) -> None:
    model, state = run_and_save(tmp_path)
    found = checkpoint.newest(tmp_path, ignore)
    assert found is not None
    for plan, version in ((PLAN.id, "other"), ("other", "v")):
        with pytest.raises(PlanError, match="another plan or data version"):
            checkpoint.load(found, model, state, plan, version, ignore)


def test_other_threads_are_said(tmp_path: Path) -> None:
    model, state = run_and_save(tmp_path)
    manifest = tmp_path / "step-00000006.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(told | {"threads": told["threads"] + 7, "torch": "0.0"}))
    found = checkpoint.newest(tmp_path, ignore)
    assert found is not None
    said: list[str] = []
    checkpoint.load(found, model, state, PLAN.id, "v", said.append)
    assert len(said) == 2
    assert f"saved with {told['threads'] + 7} threads" in said[0]


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    def tied() -> nn.Module:
        model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
        model[1].weight = model[0].weight
        return model

    model = tied()
    state = begin(model, PLAN)
    checkpoint.save(tmp_path, model, state, PLAN.id, "v")
    again = tied()
    found = checkpoint.newest(tmp_path, ignore)
    assert found is not None
    checkpoint.load(found, again, begin(again, PLAN), PLAN.id, "v", ignore)
    assert again[1].weight is again[0].weight
    assert torch.equal(again[0].weight, model[0].weight)


def kill_until_done(folder: Path, plan: Plan, kills: int, luck: random.Random) -> tuple[str, int]:
    """Start lives until one finishes; SIGKILL the first `kills` of them. Returns (final bits, kills inside saves)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "safetensors.torch", "snowroll.train.checkpoint"])
    inside = 0
    for number in range(kills + 1):
        ours, theirs = context.Pipe(duplex=False)
        life = context.Process(target=live, args=(folder, plan, theirs))
        life.start()
        theirs.close()
        last = ""
        try:
            if number < kills:
                # messages alternate "saving", "saved": an odd count aims into the save, at a moment of its own
                for _ in range(luck.choice([1, 1, 2, 3])):
                    last = ours.recv()
                ours.poll(luck.uniform(0, 0.004))
                os.kill(life.pid or 0, signal.SIGKILL)
                while True:
                    last = ours.recv()
            while len(last) != 64:
                last = ours.recv()
        except EOFError:
            inside += last == "saving"
        life.join()
        ours.close()
        if len(last) == 64:
            return last, inside
    raise AssertionError("the last life was not killed and did not finish")


def assert_survives(folder: Path, plan: Plan, kills: int, seed: int) -> int:
    whole, _ = kill_until_done(folder / "whole", plan, 0, random.Random(0))
    killed, inside = kill_until_done(folder / "killed", plan, kills, random.Random(seed))
    assert killed == whole
    return inside


def test_killed_runs_end_in_the_same_bits(tmp_path: Path) -> None:
    plan = Plan(None, steps=24, batch=16, optimizer="muon", lr=0.05, ema=0.9)
    assert assert_survives(tmp_path, plan, kills=10, seed=0) >= 1  # at least one inside a save


@pytest.mark.soak
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("rule", ["sgd", "adamw", "muon"])
def test_killed_runs_end_in_the_same_bits_many_times(rule: str, precision: str, tmp_path: Path) -> None:
    plan = Plan(None, steps=60, batch=16, optimizer=rule, lr=0.02, ema=0.9, precision=precision)  # type: ignore[arg-type]
    assert assert_survives(tmp_path, plan, kills=25, seed=1) >= 3


def test_the_bits_are_those_of_a_run_in_this_process(tmp_path: Path) -> None:
    """The lives above do what `fit` does here: nothing depends on which process it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    model, state = run_and_save(tmp_path / "here")
    torch.set_num_threads(before)
    assert kill_until_done(tmp_path / "there", PLAN, 0, random.Random(0))[0] == fingerprint(model, state)
