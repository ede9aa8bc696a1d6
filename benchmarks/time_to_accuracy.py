"""Seconds from process start to an accuracy on 10,000 CIFAR-10 pictures, Snowroll against plain torch loops.

    python benchmarks/time_to_accuracy.py [--pairs 3] [--peer plain|tuned]

Data: cifar10_jpeg, the first 1,000 pictures a class to learn from, files 4500-4999 of each class to validate on.
`plain` is torchvision's ResNet-18 from the tutorials (benchmarks/plain_loop.py), raced to .516; `tuned` a small ResNet
fitted to these pictures in the same loop (benchmarks/tuned_loop.py), raced to .75. Both sides use the same threads and
no test-time augmentation and start as fresh processes, decoding included. Snowroll's seconds include its data checks
and its gates; what these took is told beside. Sides take turns; the ratio is theirs to ours, a pair at a time.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measuring import HERE, WORK, machine, peer_python, spread, versions, watch
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

    seconds: float | None
    best: float
    whole_s: float
    checked_s: float = 0.0  # of these, before the first step: checks, pack, gates

    def __str__(self) -> str:
        at = f"{self.seconds:.0f} s to the target" if self.seconds else "did not reach the target"
        return f"{at} (best {self.best:.3f}, {self.whole_s:.0f} s in all)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
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
    both = [(a.seconds, b.seconds, b.seconds - b.checked_s) for a, b in pairs if a.seconds and b.seconds]
    print(f"to {race.target}, {told.peer} loop / snowroll, whole process: {spread([a / b for a, b, _ in both])}")
    print(f"of snowroll's seconds, checks, pack and gates took {median(b.checked_s for _, b in pairs):.0f}")
    print(f"to {race.target}, {told.peer} loop / snowroll without those: {spread([a / c for a, _, c in both])}")


def their_run(python: Path, race: Race, data: Path) -> Reached:
    leg = watch([python, HERE / race.script, data, str(race.their_epochs)], cores())
    reached = next((line["at_s"] for line in leg.said if line["accuracy"] >= race.target), None)
    return Reached(reached, max(line["accuracy"] for line in leg.said), leg.seconds)


def our_run(race: Race, data: Path) -> Reached:
    """`init` and `train` as typed, on a project that never was."""
    project = WORK / "race"
    shutil.rmtree(project, ignore_errors=True)
    steps = race.our_epochs * 10_000 // 128
    train = ["train", project, "--train.steps", steps, "--train.eval_every", 10_000 // 128]
    begun, reached, best, first = time.perf_counter(), None, 0.0, 0.0
    for tokens in (["init", project, "--data", data], train):
        command = [sys.executable, "-m", "snowroll", *map(str, tokens)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as life:
            for line in life.stdout or ():
                now = time.perf_counter() - begun
                if line.startswith("  gate ") and not best:  # others come after the last step
                    first = now
                if match := re.search(r"val: .*accuracy ([\d.]+)", line):
                    best = max(best, float(match[1]))
                    reached = reached or (now if best >= race.target else None)
    return Reached(reached, best, time.perf_counter() - begun, first)


if __name__ == "__main__":
    main()
