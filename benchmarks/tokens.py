"""Characters beside byte pairs: the same text, rules and processor time, and what each makes of the locked test set.

    python benchmarks/tokens.py TEXT [--seconds 60] [--tokens characters,pairs] [--vocabulary 0] [--megabytes 0]

TEXT: a file or folder. Each leg is planned by the task's own rules for so many seconds of the processor (one thread,
steps measured by the processor's clock, so other work on the machine counts little), trained, and judged by the
task's own scorer: nats a character, whatever the tokens are. --vocabulary takes several, one leg of pairs each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from math import log
from pathlib import Path

import torch
from measuring import machine

from snowroll.project.budget import fit_into_time
from snowroll.project.data import Packed, pack_version
from snowroll.project.facts import measure_facts
from snowroll.project.fitting import fit_rank
from snowroll.project.freezing import freeze
from snowroll.project.opened import open_project
from snowroll.project.plans import make_plan
from snowroll.project.stock import take_stock
from snowroll.project.validating import validate
from snowroll.train.exact import settle
from snowroll.verbs.init import init


def ignore(_: str) -> None:
    """A `say` that nobody listens to."""


def leg(root: Path, seconds: float, tokens: str, vocabulary: int, more: list[str]) -> str:
    """One line of figures."""
    flags = {"train.threads": 1, "train.device": "cpu", "task.tokens": tokens, "task.vocabulary": vocabulary}
    flags |= dict(pair.split("=") for pair in more)
    opened = open_project(root, flags)
    version, _ = freeze(opened, take_stock(opened, ignore), {}, {})
    facts = measure_facts(opened, version, ignore)
    plan, _ = make_plan(opened, version, facts, seconds)
    packed = pack_version(opened, version, plan.task, ignore)
    plan = fit_into_time(opened, packed, plan, 0.0, ignore, time.process_time)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        model = fit_rank(opened, packed, plan, Path(folder), ignore)
        spent = time.process_time() - began
    rows = {**packed.rows, "val": packed.rows["test"]}
    judged = Packed(packed.version, packed.pack, packed.targets, rows, packed.schema, packed.options, packed.teaches)
    likelihood = validate(opened, judged, model.eval(), plan)["val_likelihood"]
    size = 256 + len(plan.task.merges) if tokens == "pairs" else len(packed.schema["characters"]) + 1
    each = facts["read"] / facts["pairs"] if tokens == "pairs" else 1.0
    return (
        f"{tokens:>10} {size:>6,} tokens, {each:.2f} characters each: {-log(likelihood):.4f} nats a character "
        f"({plan.steps:,} steps of {plan.batch} x {plan.task.context}, runs {plan.task.runs}, {spent:.0f} s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tokens", default="characters,pairs")
    parser.add_argument("--vocabulary", default="0")
    parser.add_argument("--megabytes", type=float, default=0, help="of each file, the first; 0: all")
    parser.add_argument("--set", action="append", default=[], help="task.runs=1: a setting of every leg")
    told = parser.parse_args()
    settle(1)
    print(f"{machine()}; 1 thread, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        data, root = Path(folder) / "data", Path(folder) / "project"
        data.mkdir()
        for path in sorted(told.text.rglob("*.txt")) if told.text.is_dir() else [told.text]:
            raw = path.read_bytes()
            size = int(told.megabytes * 1e6) or len(raw)
            (data / path.name).write_bytes(raw[:size].decode("utf-8", "ignore").encode())
        init(root, data, (), "write_text", {}, ignore)
        for tokens in told.tokens.split(","):
            for vocabulary in told.vocabulary.split(",") if tokens == "pairs" else ["0"]:
                print(leg(root, told.seconds, tokens, int(vocabulary), told.set), flush=True)


if __name__ == "__main__":
    main()
