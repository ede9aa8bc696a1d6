"""A task's example on the bench: opened, planned, packed, and a model that knows one batch of it by heart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import nn

from snowroll.base.nouns import Batch, Json, Plan, Prediction
from snowroll.base.parts import own
from snowroll.base.task import Task, find_task
from snowroll.deploy.session import Loaded as Exported
from snowroll.deploy.session import load
from snowroll.project.data import Packed, gather, pack_version
from snowroll.project.facts import measure_facts
from snowroll.project.fitting import new_model, objective_of
from snowroll.project.freezing import freeze
from snowroll.project.opened import Opened, open_project
from snowroll.project.plans import make_plan
from snowroll.project.stock import take_stock
from snowroll.train.exact import settle
from snowroll.train.fit import begin, fit
from snowroll.train.trial import gate_plan
from snowroll.verbs.init import init

ONE_THREAD: dict[str, Json] = {"train.threads": 1, "train.device": "cpu", "train.precision": "fp32", "train.batch": 16}


def ignore(_: str) -> None:
    """A `say` that nobody listens to."""


@dataclass(frozen=True)
class Bench:
    """A task's example, opened, planned and packed; its model knows one batch by heart."""

    opened: Opened
    task: Task
    plan: Plan
    packed: Packed
    model: nn.Module
    first_loss: float

    def batch(self, rows: Sequence[int] = range(16)) -> Batch:
        return gather(self.opened, self.packed, np.asarray(rows), "cpu")

    def targets(self, rows: Sequence[int] = range(16)) -> list[Json]:
        return [self.packed.version.items[row].target for row in rows]

    def raws(self, rows: Sequence[int] = range(16)) -> list[bytes]:
        items = [self.packed.version.items[row] for row in rows]
        samples = self.opened.samples([item.sample for item in items])
        return [self.opened.read(samples[item.sample].where) for item in items]

    def arrays(self, batch: Batch, model: nn.Module | None = None) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            outputs = self.task.postprocess((model or self.model)(batch.inputs), self.plan.task)
        return {name: value.numpy() for name, value in outputs.items()}

    def say(self, batch: Batch, model: nn.Module | None = None) -> list[Prediction]:
        return self.task.decode(self.arrays(batch, model), self.packed.schema, self.plan.task)


def make_bench(name: str, root: Path, settings: Mapping[str, Json]) -> Bench:
    """The example of the task `name`, with these settings over its own."""
    task = find_task(name)
    home = type(task).__module__.rpartition(".")[0]
    flags = {**ONE_THREAD, **import_module(f"{home}.example").example(root / "data"), **settings}
    with one_thread():
        answer = init(root, None, (), task.name, {}, ignore)
        assert answer.json["task"] == task.name
        opened = open_project(root, flags)
        stock = take_stock(opened, ignore)
        version, _ = freeze(opened, stock, {}, {})
        plan, _ = make_plan(opened, version, measure_facts(opened, version, ignore), None)
        packed = pack_version(opened, version, plan.task, ignore)
        model, first = learn_by_heart(opened, packed, plan)
    return Bench(opened, task, plan, packed, model, first)


def learn_by_heart(opened: Opened, packed: Packed, plan: Plan) -> tuple[nn.Module, float]:
    """A model after 150 steps on the first 16 rows, not augmented; and the loss it began with."""
    batch = gather(opened, packed, np.arange(16), "cpu")
    model = new_model(opened, packed, plan)
    short = gate_plan(plan, 150, lr=3e-3)
    steps = list(fit(model, lambda _: batch, objective_of(opened, plan), short, begin(model, short)))
    return model.eval(), steps[0].loss


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    settle(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def answers_of(path: Path, bench: Bench) -> Exported:
    """The exported file, loaded as a server loads it."""
    options, schema = bench.plan.task, bench.packed.schema
    ways = (
        partial(bench.task.open_raw, options=options, megapixels=100),
        partial(bench.task.decode, schema=schema, options=options),
    )
    return load(path.read_bytes(), "example", *ways, own(bench.task.same), threads=1)


def rows_of(arrays: Mapping[str, np.ndarray], n: int = 16) -> list[dict[str, np.ndarray]]:
    return [{name: value[row] for name, value in arrays.items()} for row in range(n)]
