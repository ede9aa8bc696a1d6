"""What some minutes of two cores make of CIFAR-10 from nothing: the verb as typed, its curve, and mirrored answers.

    python benchmarks/cifar.py [--times 8m,30m]

Data: cifar10_jpeg, files 4500-4999 of each class to validate on, 50 before these locked, the rest to learn from. They
are JPEGs, so published accuracies, of the original pixels, lie above. `check` runs first, untimed; then `train --time`.
Told: the validation accuracy by the minute, at the end with its interval, and what averaging over each picture and its
mirror image adds. Projects are kept under .benchmarks/: a killed call goes on where it stopped (its minutes then
count from there), and a finished one is told again.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import numpy as np
from measuring import WORK, machine, verb
from sets import cifar

from snowroll.evaluate.interval import mean_with_interval
from snowroll.project.data import gather, pack_version
from snowroll.project.models import load_model
from snowroll.project.opened import open_project

ALL = 4450  # pictures a class to learn from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", default="8m,30m")
    told = parser.parse_args()
    data = cifar(ALL)
    print(machine(), flush=True)
    for allowed in told.times.split(","):
        project = WORK / f"cifar-in-{allowed}"
        told_before = project / "told.txt"
        if told_before.exists():
            print(told_before.read_text())
            continue
        if not (project / "snowroll.toml").exists():
            verb("init", project, "--data", data)
        verb("check", project, may_fail=True)
        began, curve = time.monotonic(), []
        for line in verb("train", project, "--time", allowed):
            if match := re.search(r"step +([\d,]+)/.*accuracy ([\d.]+)", line[1]):
                curve.append(f"{(line[0] - began) / 60:.1f} min {match[2]}")
        words = f"\n--time {allowed}: {time.monotonic() - began:.0f} s as a whole process; {', '.join(curve)}\n"
        plain, mirrored = map(mean_with_interval, right(project))
        words += f"validation accuracy {plain}; with the mirror image {mirrored}"
        print(words, flush=True)
        told_before.write_text(words)


def right(project: Path) -> tuple[np.ndarray, np.ndarray]:
    """Whether each validation picture was answered right: seen as it is, and beside its mirror image."""
    import torch

    opened = open_project(project, {})
    trained = load_model(opened)
    version = opened.store.catalog.version(trained.version, opened.store.blobs)
    assert version is not None
    packed = pack_version(opened, version, trained.plan.task, print)
    rows, plain, mirrored = packed.rows["val"], [], []
    with torch.inference_mode():
        for start in range(0, len(rows), 500):
            batch = gather(opened, packed, rows[start : start + 500], "cpu")
            logits = trained.model(batch.inputs)
            turned = trained.model(batch.inputs.flip(-1))
            plain.append(logits.argmax(1) == batch.targets)
            mirrored.append((logits.softmax(1) + turned.softmax(1)).argmax(1) == batch.targets)
    return torch.cat(plain).numpy(), torch.cat(mirrored).numpy()


if __name__ == "__main__":
    main()
