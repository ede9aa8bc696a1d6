"""Start-up: `snowroll --help` against python itself, and `train` to its first step against `import torch`.

    python benchmarks/startup.py [--rounds 5]

The project is scikit-learn's digits with its pack and gates cached, as on any run but the first. Legs take turns; what
counts is the ratio within a round: median [lowest, highest].
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from measuring import WORK, machine, spread

PROJECT = WORK / "startup"
# the last step is out of reach: the run is stopped when its first step is in the log
TRAIN = ["train", str(PROJECT), "--fresh", "--train.steps", "200"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not (PROJECT / "snowroll.toml").exists():
        prepare()
    legs = {
        "python -c pass": lambda: whole([sys.executable, "-c", "pass"]),
        "snowroll --help": lambda: whole([sys.executable, "-m", "snowroll", "--help"]),
        "import torch": lambda: whole([sys.executable, "-c", "import torch"]),
        "train to its first step": first_step,
    }
    for leg in legs.values():
        leg()  # files into the page cache, gates and pack into theirs
    seconds: dict[str, list[float]] = {name: [] for name in legs}
    for turn in range(rounds):
        order = list(legs)[turn % len(legs) :] + list(legs)[: turn % len(legs)]
        for name in order:
            seconds[name].append(legs[name]())
    print(f"{machine()}\nmedian of {rounds} interleaved rounds\n")
    for name, taken in seconds.items():
        print(f"{name:26}{median(taken):8.2f} s [{min(taken):.2f}, {max(taken):.2f}]")
    for ours, peer in (("snowroll --help", "python -c pass"), ("train to its first step", "import torch")):
        print(f"{ours} / {peer}: {spread([a / b for a, b in zip(seconds[ours], seconds[peer], strict=True)])}")


def prepare() -> None:
    from snowroll.cli import run
    from snowroll.demo_data import write_digits

    write_digits(PROJECT / "data")
    assert run(["init", str(PROJECT)]) == 0


def whole(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def first_step() -> float:
    """Until the new run's metrics.jsonl holds a line."""
    known = set(PROJECT.glob("runs/*"))
    began = time.perf_counter()
    life = subprocess.Popen(
        [sys.executable, "-m", "snowroll", *TRAIN], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while life.poll() is None:
            for run in set(PROJECT.glob("runs/*")) - known:
                if holds_a_line(run / "metrics.jsonl"):
                    return time.perf_counter() - began
            time.sleep(0.005)
    finally:
        life.kill()
        life.wait()
    raise SystemExit("the run ended before its first step was seen")


def holds_a_line(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


if __name__ == "__main__":
    main()
