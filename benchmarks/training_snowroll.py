"""Our side: what `snowroll train` does between its gates and its report, with a line an epoch.

    training_snowroll.py DATA SIZE_PX BATCH EPOCHS

The project lies beside the data and keeps its pack, as it would for a user's second run.
"""

import json
import sys
import time
from pathlib import Path

from snowroll.base.settings import split_flags
from snowroll.cli import run
from snowroll.project.data import pack_version, training_batches
from snowroll.project.fitting import new_model, objective_of
from snowroll.project.jobs import prepare_job
from snowroll.project.opened import open_project
from snowroll.project.validating import validate


def main(data: str, size_px: int, batch: int, epochs: int) -> None:
    flags = f"--task.model resnet18 --task.size_px {size_px} --train.lr 0.05"
    opened, packed, plan, model = train(data, flags.split(), batch, epochs)
    print(json.dumps({"accuracy": validate(opened, packed, model, plan)["val_accuracy"]}), flush=True)


def train(data: str, flags: list[str], batch: int, epochs: int):
    """(opened, packed, plan, model) after as many whole epochs, each told in a line."""
    project = Path(f"{data}-project")
    if not (project / "snowroll.toml").exists():
        assert run(["init", str(project), "--data", data]) == 0

    def planned(steps: int):
        more = ["--train.batch", str(batch), "--train.steps", str(steps)]
        opened = open_project(project, split_flags([*flags, *more])[1])
        return opened, prepare_job(opened, lambda text: None, None, fresh=True)

    opened, job = planned(1_000_000)

    from snowroll.train.exact import settle
    from snowroll.train.fit import begin, fit

    settle(job.plan.threads, job.plan.device)
    packed = pack_version(opened, job.version, job.plan.task, lambda text: None)
    an_epoch = len(packed.rows["train"]) // batch
    opened, job = planned(an_epoch * epochs)
    plan = job.plan
    model = new_model(opened, packed, plan)
    feed_s = 0.0
    batches = training_batches(opened, packed, packed.rows["train"], plan)

    def fed(step: int):
        nonlocal feed_s
        began = time.perf_counter()
        drawn = batches(step)
        feed_s += time.perf_counter() - began
        return drawn

    for step in fit(model, fed, objective_of(opened, plan), plan, begin(model, plan)):
        if step.number % an_epoch == 0:
            told = {"epoch": step.number // an_epoch, "images": an_epoch * batch, "feed_s": feed_s}
            print(json.dumps(told), flush=True)
            feed_s = 0.0
    return opened, packed, plan, model


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
