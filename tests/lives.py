"""Trainings that live in processes of their own: to be killed, or to work together. Called through a fork server."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from blobs import batches_of, loss, pictures, small_net
from torch import nn

from snowroll.base.nouns import Batch, Plan
from snowroll.train import checkpoint
from snowroll.train.distributed import add_up, first_decides, processes
from snowroll.train.exact import settle
from snowroll.train.fit import State, begin, fit


def fingerprint(model: nn.Module, state: State) -> str:
    """SHA-256 of every bit a run remembers."""
    sha = hashlib.sha256()
    for name, tensor in sorted(checkpoint.flatten(model, state).items()):
        sha.update(name.encode() + tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def ignore(_: str) -> None:
    """A `say` that nobody listens to."""


def live(folder: Path, plan: Plan, pipe: Connection) -> None:
    """Go on from the newest checkpoint to the end, saving at each step; tell when a save begins and ends."""
    settle(1)
    model = small_net()
    state = begin(model, plan)
    saved = checkpoint.newest(folder, ignore)
    if saved is not None:
        checkpoint.load(saved, model, state, plan.id, "v", ignore)
    for _ in fit(model, batches_of(*pictures(64, 8), plan), loss, plan, state):
        pipe.send("saving")
        checkpoint.save(folder, model, state, plan.id, "v")
        pipe.send("saved")
    pipe.send(fingerprint(model, state))


def work_together(rank: int, world: int, port: int, out: Path, plan: Plan, fails: int, spoils: int = -1) -> None:
    """One of `world` processes on the same run. `fails`, `spoils`: the process that meets an unreadable batch, or one
    with a NaN; -1: none.
    """
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    sys.stderr = open(out / f"said-{rank}.txt", "w")  # noqa: SIM115 (for the process's whole life)
    settle(1)
    with processes() as (me, all_of_us):
        torch.manual_seed(7)
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
        state = begin(model, plan)
        mine = batches_of(*pictures(64, 8), plan, all_of_us, me)

        def seen(step: int) -> Batch:
            batch = mine(step)
            if step == 2 and me == spoils:
                batch.inputs[1] = torch.nan
            return batch

        for step in fit(model, seen, loss, plan, state):
            if step.number == 3 and me == fails:
                raise ValueError("this batch cannot be read\nand a second line")
        if me == 0:
            checkpoint.save(out, model, state, plan.id, "v")
        (out / f"loss-{me}.txt").write_text(repr(step.loss))


def wait_for_the_first(rank: int, world: int, port: int, out: Path, plan: Plan, fails: int, spoils: int) -> None:
    """Two decisions for which the first takes longer than an exchange may; they meet in a file."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world)}
    with processes(timeout_s=1, meet=out / "meet") as (me, _):
        decided = []
        for step in (1, 2):
            if me == 0:
                time.sleep(2)
            decided.append(first_decides(step, me == 0 and step == 2))
            add_up([torch.ones(3)])
        (out / f"decided-{me}.txt").write_text(repr(decided))
