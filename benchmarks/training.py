"""Training throughput: torchvision's ResNet-18 from a folder of JPEGs, Snowroll against the loops that people write.

    python benchmarks/training.py [--px 128|32] [--rounds 5] [--epochs 3] [--peers torch,fastai,keras]

Every leg is a process of its own on the same pictures, network, batch of 64, epochs and two threads. The first epoch is
left out (ours decodes before it, theirs warm up). Legs take turns; what counts is the ratio within a round: median
[lowest, highest]. The accuracy after the last epoch stands beside the speed, and so does the share of our time that
went into gathering and augmenting. Peers are installed into environments of their own under .benchmarks/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

from measuring import HERE, Leg, machine, peer_python, spread, versions, watch
from sets import cifar, photos

from snowroll.base.device import bf16_pays, cores

PEERS = {
    "torch": ("torchvision loop", ["torch", "torchvision", "pillow"]),
    "bf16": ("torchvision loop, bf16 autocast", ["torch", "torchvision", "pillow"]),
    "fastai": ("fastai", ["fastai", "torch", "torchvision"]),
    "keras": ("Keras 3 on TensorFlow", ["keras", "tensorflow-cpu", "pillow"]),
}
ENVIRONMENT = {"bf16": "torch"}
OURS = "Snowroll"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--px", type=int, choices=[32, 128], default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=800, help="at 128 px; 32 px has 1,000 a class")
    parser.add_argument("--peers", default="torch,fastai,keras")
    told = parser.parse_args()
    data = cifar() if told.px == 32 else photos(told.images)
    commands = {OURS: [Path(sys.executable), HERE / "training_snowroll.py"]}
    wanted = told.peers.split(",") + (["bf16"] if bf16_pays("cpu") else [])
    for peer in wanted:
        name, packages = PEERS[peer]
        python = peer_python(ENVIRONMENT.get(peer, peer), packages)
        commands[name] = [python, HERE / f"training_{ENVIRONMENT.get(peer, peer)}.py"]
        print(f"{name}: {versions(python, packages)}")
    arguments = [str(data), str(told.px), "64", str(told.epochs)]
    watch([*commands[OURS], *arguments[:3], "1"], cores())  # decode once: the table is of later epochs
    legs: dict[str, list[Leg]] = {name: [] for name in commands}
    for turn in range(told.rounds):
        order = list(commands)[turn % len(commands) :] + list(commands)[: turn % len(commands)]
        for name in order:
            more = ["bf16"] if "bf16" in name else []
            legs[name].append(watch([*commands[name], *arguments, *more], cores()))
            print(f"round {turn + 1}: {name} {rate(legs[name][-1]):.0f} images/s", file=sys.stderr, flush=True)
    show(legs, told.px)


def rate(leg: Leg, of: str = "at_s") -> float:
    """Images a second from the second epoch on."""
    epochs = leg.of("epoch")
    return sum(line["images"] for line in epochs[1:]) / (epochs[-1][of] - epochs[0][of])


def show(legs: dict[str, list[Leg]], px: int) -> None:
    rounds = len(legs[OURS])
    print(f"\n{machine()}\nResNet-18 at {px} px, batch 64, median of {rounds} interleaved rounds\n")
    print(f"{'':34}{'images/s':>9}{'images/CPU-s':>14}{'accuracy':>10}{'peak MB':>9}")
    for name, runs in legs.items():
        accuracy = mean(leg.of("accuracy")[0]["accuracy"] for leg in runs)
        rates = median(map(rate, runs)), median(rate(leg, "cpu_s") for leg in runs)
        print(f"{name:34}{rates[0]:9.0f}{rates[1]:14.0f}{accuracy:10.3f}{median(leg.peak_mb for leg in runs):9.0f}")
    print()
    for name, runs in legs.items():
        if name != OURS:
            print(f"{OURS} / {name}: images/s {ratios(legs[OURS], runs, 'at_s')}, "
                  f"images/CPU-s {ratios(legs[OURS], runs, 'cpu_s')}")  # fmt: skip
    shares = [share for leg in legs[OURS] for share in feeding(leg)]
    print(f"gathering and augmenting: {median(shares):.1%} of our training [{min(shares):.1%}, {max(shares):.1%}]")


def ratios(ours: Sequence[Leg], theirs: Sequence[Leg], of: str) -> str:
    return spread([rate(a, of) / rate(b, of) for a, b in zip(ours, theirs, strict=True)])


def feeding(leg: Leg) -> list[float]:
    """For each epoch after the first, the share of its time in which batches were made."""
    epochs = leg.of("epoch")
    return [line["feed_s"] / (line["at_s"] - before["at_s"]) for before, line in pairwise(epochs)]


if __name__ == "__main__":
    main()
