"""Beats of patients that nobody learned from: every record left out once, beside floors and a random split.

    snowroll init PROJECT --data shared/data/mitbih --prepare.labels N,S,V && snowroll train PROJECT
    python benchmarks/heartbeats.py PROJECT [--folds 4] [--steps 900] [--seed 0] [--random]

PROJECT: one of `heartbeat` with a champion; its plan is what is judged, with `--steps` for each fold. Records (groups)
are dealt into folds by name; each fold is answered by a model that saw none of its records, and the answers of all
folds are scored together. Floors on the same folds: the commonest class, and gradient boosting (scikit-learn) on the
beat at 40 Hz with its rhythm. --random: the plan once more on one split that ignores patients.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Plan, Prediction
from snowroll.evaluate.interval import bootstrap
from snowroll.project.aside import fit_aside
from snowroll.project.beside import at_random
from snowroll.project.data import Packed, pack_version
from snowroll.project.opened import Opened, champion_run, open_project
from snowroll.project.plans import read_plan

EVERY = 3  # values of the trace that boosting sees: 40 Hz


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--random", action="store_true")
    told = parser.parse_args()
    opened = open_project(told.project, {})
    catalog = opened.store.catalog
    version = catalog.version(catalog.pointer("version") or "", opened.store.blobs)
    run = opened.store.run_folder(champion_run(opened))
    plan = replace(
        read_plan(run, opened.task), steps=told.steps, seed=told.seed, time_s=None, eval_every=told.steps, patience=0
    )
    packed = pack_version(opened, version, plan.task, say)
    folds = dealt(packed, told.folds)
    truth = np.array([str(item.target) for item in version.items])
    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        rows, said = answers(opened, packed, plan, folds, Path(scratch))
        tell(opened, packed, f"ours, {told.folds} folds, {time.monotonic() - began:.0f} s", rows, said)
        names = list(packed.schema["classes"])
        usual = max(names, key=lambda name: (truth == name).sum())
        tell(opened, packed, "commonest class", rows, [Prediction(usual, None, 0.0)] * len(rows))
        tell(opened, packed, "boosting on beat and rhythm", *boosted(packed, folds, truth))
        if told.random:
            drawn = at_random(opened, packed, plan.seed)
            _, judged = fit_aside(opened, drawn, plan, Path(scratch) / "random", say, name="random", flag="--random")
            tell(opened, drawn, "ours, patients ignored (wrong)", drawn.rows["test"], judged.predictions)


def dealt(packed: Packed, k: int) -> list[np.ndarray]:
    """Rows of each fold: the groups in turn."""
    groups = np.array([item.group or item.sample for item in packed.version.items])
    names = np.unique(groups)
    return [np.flatnonzero(np.isin(groups, names[start::k])) for start in range(k)]


def answers(
    opened: Opened, packed: Packed, plan: Plan, folds: list[np.ndarray], scratch: Path
) -> tuple[np.ndarray, list[Prediction]]:
    rows: list[np.ndarray] = []
    said: list[Prediction] = []
    groups = np.array([item.group or item.sample for item in packed.version.items])
    for number, test in enumerate(folds):
        rest = np.setdiff1d(np.concatenate(list(packed.rows.values())), test)
        val = rest[groups[rest] == groups[rest][0]]  # one record, to calibrate by
        part = replace(packed, rows={"train": np.setdiff1d(rest, val), "val": val, "test": test})
        _, judged = fit_aside(opened, part, plan, scratch / str(number), say, name=f"fold {number}", flag="--folds")
        rows.append(test)
        said += judged.predictions
    return np.concatenate(rows), said


def boosted(packed: Packed, folds: list[np.ndarray], truth: np.ndarray) -> tuple[np.ndarray, list[Prediction]]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    trace = np.asarray(packed.pack.columns["trace"])[:, : packed.options.channels, ::EVERY]
    seen = np.concatenate([trace.reshape(len(trace), -1), packed.pack.columns["timing"]], axis=1)
    said: list[Prediction] = []
    for test in folds:
        rest = np.setdiff1d(np.arange(len(truth)), test)
        model = HistGradientBoostingClassifier(class_weight="balanced", random_state=0).fit(seen[rest], truth[rest])
        said += [Prediction(str(name), None, 0.0) for name in model.predict(seen[test])]
    return np.concatenate(folds), said


def tell(opened: Opened, packed: Packed, name: str, rows: np.ndarray, said: list[Prediction]) -> None:
    items = [packed.version.items[row] for row in rows]
    targets = [item.target for item in items]
    score = opened.task.scorer(said, targets, packed.schema)
    groups = [item.group or item.sample for item in items]
    found = bootstrap(score, len(rows), groups, 200, ranges=opened.task.ranges)
    say(f"{name}: " + ", ".join(f"{key} {value}" for key, value in found.items() if key not in ("nll", "brier", "ece")))


if __name__ == "__main__":
    main()
