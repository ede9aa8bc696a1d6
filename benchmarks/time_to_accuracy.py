"""Seconds from process start to an accuracy on 10,000 CIFAR-10 pictures, Snowroll against plain torch loops.

    python benchmarks/time_to_accuracy.py [--pairs 5] [--peer plain|tuned]

Data: cifar10_jpeg, the first 1,000 pictures a class to learn from, files 4500-4999 of each class to validate on.
`plain` is torchvision's ResNet-18 from the tutorials (benchmarks/plain_loop.py), raced to .516; `tuned` a small ResNet
fitted to these pictures in the same loop (benchmarks/tuned_loop.py), raced to .75. Both sides use the same threads and
no test-time augmentation and start as fresh processes. Snowroll runs as its README says: `init`, `check`, `train`. Two
ratios are told, theirs to ours, a pair at a time, sides taking turns: with the seconds of all three processes, where
most go to checks that the loops do not make; and of the process that trains, decoding and gates included, against the
process that trains.
"""

from __future__ import annotations

import argparse
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from measuring import HERE, WORK, machine, peer_python, spread, verb, versions, watch
from sets import cifar

from snowroll.base.device import cores

PACKAGES = ["torch", "torchvision", "pillow"]


@dataclass(frozen=True)
class Race:
    """A peer, what it runs to, and how many passes each side plans for that."""

    script: str
    target: float
    their_epochs: int
    our_epochs: int


RACES = {"plain": Race("plain_loop.py", 0.516, 6, 3), "tuned": Race("tuned_loop.py", 0.75, 8, 5)}


@dataclass(frozen=True)
class Reached:
    """When one side was there."""

    seconds: float | None  # since its training process began
    best: float
    whole_s: float  # of that process
    before_s: float = 0.0  # of the processes before it

    def __str__(self) -> str:
        at = f"{self.seconds:.0f} s to the target" if self.seconds else "did not reach the target"
        more = f", {self.before_s:.0f} s before that" if self.before_s else ""
        return f"{at} (best {self.best:.3f}, {self.whole_s:.0f} s in all{more})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--peer", choices=RACES, default="plain")
    told = parser.parse_args()
    race, data = RACES[told.peer], cifar()
    python = peer_python("torch", PACKAGES)
    print(f"{machine()}\n{told.peer} loop: {versions(python, PACKAGES)}", flush=True)
    pairs = []
    for number in range(told.pairs):
        theirs, ours = their_run(python, race, data), our_run(race, data)
        print(f"pair {number + 1}: {told.peer} loop {theirs}; snowroll {ours}", flush=True)
        pairs.append((theirs, ours))
    there = [(a.seconds, b.seconds, b.before_s) for a, b in pairs if a.seconds and b.seconds]
    told_of = f"to {race.target}, {told.peer} loop / snowroll"
    print(f"{told_of}, the process that trains: {spread([a / b for a, b, _ in there])}")
    print(f"{told_of}, with init and check before it: {spread([a / (b + before) for a, b, before in there])}")


def their_run(python: Path, race: Race, data: Path) -> Reached:
    leg = watch([python, HERE / race.script, data, str(race.their_epochs)], cores())
    reached = next((line["at_s"] for line in leg.said if line["accuracy"] >= race.target), None)
    return Reached(reached, max(line["accuracy"] for line in leg.said), leg.seconds)


def our_run(race: Race, data: Path) -> Reached:
    """`init`, `check` and `train` as typed, on a project that never was."""
    project = WORK / "race"
    shutil.rmtree(project, ignore_errors=True)
    steps = race.our_epochs * 10_000 // 128
    began = time.monotonic()
    verb("init", project, "--data", data)
    verb("check", project, may_fail=True)
    before_s, began = time.monotonic() - began, time.monotonic()
    reached, best = None, 0.0
    for at, line in verb("train", project, "--train.steps", str(steps), "--train.eval_every", str(10_000 // 128)):
        if match := re.search(r"val: .*accuracy ([\d.]+)", line):
            best = max(best, float(match[1]))
            reached = reached or (at - began if best >= race.target else None)
    return Reached(reached, best, time.monotonic() - began, before_s)


if __name__ == "__main__":
    main()
