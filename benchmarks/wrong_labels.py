"""Labels that people got wrong, in CIFAR-10N's `random_label1` (17 % of 50,000): how many of the first suspects are?

    python benchmarks/wrong_labels.py [--time 10m] [--first 1000]

Prints the precision of Snowroll's first suspects, and of cleanlab's from the same networks' answers. Data:
SNOWROLL_DATA (default ../shared/data): cifar10_jpeg and cifar10n. The project is kept under .benchmarks/wrong_labels/:
a killed call goes on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
from measuring import DATA, WORK, machine, peer_python, versions

from snowroll.project.opened import open_project
from snowroll.project.opinions import known_opinions

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PEER = """
import sys, numpy as np
from cleanlab.filter import find_label_issues
with np.load(sys.argv[1]) as told:
    shares, labels = told["shares"], told["labels"]
for by in ("self_confidence", "normalized_margin"):
    np.save(sys.argv[1] + "." + by + ".npy", find_label_issues(labels, shares, return_indices_ranked_by=by))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", default="10m")
    parser.add_argument("--first", type=int, default=1000)
    told = parser.parse_args()
    wrong = write(WORK / "wrong_labels" / "data")
    project = WORK / "wrong_labels" / f"project-{told.time}"
    if not (project / "snowroll.toml").exists():
        verb("init", project, "--data", WORK / "wrong_labels" / "data")
    asked = () if (project / ".snowroll" / "packs" / "opinions.npz").exists() else ("--time", told.time)
    faults = verb("check", project, *asked)["faults"]
    suspects = next((fault["paths"] for fault in faults if fault["code"] == "suspect_labels"), [])
    python = peer_python("cleanlab", ("cleanlab[datalab]",))
    print(f"\n{machine()}; {versions(python, ['cleanlab'])}\n{len(wrong):,} of 50,000 labels are wrong\n")
    print(f"| ranked by | suspects | of all, wrong | of the first {told.first:,}, wrong |\n|---|---|---|---|")
    row(f"snowroll check --time {told.time}", suspects, wrong, told.first)
    for by, ranked in cleanlab(project, python).items():
        row(f"cleanlab find_label_issues, {by}, same answers", ranked, wrong, told.first)


def row(name: str, suspects: list[str], wrong: set[str], first: int) -> None:
    of_all, of_first = (sum(one in wrong for one in some) / max(1, len(some)) for some in (suspects, suspects[:first]))
    print(f"| {name} | {len(suspects):,} | {of_all:.3f} | {of_first:.3f} |")


def write(root: Path) -> set[str]:
    """The pictures with a manifest of the noisy labels; returns the paths whose label is wrong."""
    with np.load(DATA / "cifar10n" / "cifar10n_labels.npz") as labels:
        clean, noisy = labels["clean_label"], labels["random_label1"]
    seen = dict.fromkeys(range(10), 0)
    names = []
    for number in clean.tolist():
        names.append(f"train/{CLASSES[number]}/{seen[number]:04d}.jpg")
        seen[number] += 1
    if not (root / "labels.csv").exists():
        root.mkdir(parents=True, exist_ok=True)
        with tarfile.open(DATA / "cifar10_jpeg" / "cifar10_train.tar.xz") as archive:
            archive.extractall(root, filter="data")
        with (root / "labels.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["path", "label"])
            out.writerows((name, CLASSES[label]) for name, label in zip(names, noisy.tolist(), strict=True))
    return {name for name, a, b in zip(names, clean, noisy, strict=True) if a != b}


def verb(name: str, project: Path, *flags: object) -> dict:
    command = [sys.executable, "-m", "snowroll", name, str(project), *map(str, flags), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: {done.stdout}")
    return json.loads(done.stdout)


def cleanlab(project: Path, python: Path) -> dict[str, list[str]]:
    """Its suspects, most doubted first, by way of ranking them."""
    opened = open_project(project, {})
    opinions, samples = known_opinions(opened), opened.store.catalog.samples()
    assert opinions is not None
    asked = [samples[one] for one in opinions.samples]
    shares = opinions.scores.astype(np.float64)
    file = project / "answers.npz"
    labels = np.array([opinions.classes.index(str(sample.target)) for sample in asked])
    np.savez(file, shares=shares / shares.sum(axis=1, keepdims=True), labels=labels)
    subprocess.run([python, "-c", PEER, str(file)], check=True)
    ways = ("self_confidence", "normalized_margin")
    return {by: [asked[row].where for row in np.load(f"{file}.{by}.npy")] for by in ways}


if __name__ == "__main__":
    main()
