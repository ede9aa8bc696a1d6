"""`train`: check, version, plan, gates, the run, its report, and the question whether it becomes the champion.

runs/0007-train/answer.json    what was decided and said; a run is done only when it is there
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from time import time as utc_seconds
from typing import TYPE_CHECKING

from snowroll.base import atomic
from snowroll.base.errors import DataError, Interrupted, SnowrollError, StoreError
from snowroll.base.memory import give_back
from snowroll.base.nouns import Fault, Gate, Json, Metric, Plan, Version
from snowroll.evaluate.compared import Compared
from snowroll.project.artifacts import find_artifact
from snowroll.project.beside import beside_random, refuse_ungrouped
from snowroll.project.budget import fit_into_time
from snowroll.project.data import Packed, freeze, pack_version, refuse_without_figure, take_stock
from snowroll.project.facts import known_facts, measure_facts
from snowroll.project.faults import Inspected, Inspection
from snowroll.project.fitting import Fitted
from snowroll.project.folding import fit_plan, folded
from snowroll.project.gating import gates_of_trained, gates_to_accept, pass_gates
from snowroll.project.judging import Judged, judge, metrics
from snowroll.project.learning import learning_curve_of, refuse_curve
from snowroll.project.models import Trained, load_model, save_model
from snowroll.project.opened import Answer, Opened, Say
from snowroll.project.plans import PLAN, Told, make_plan, read_plan, read_told, same_request, seconds, write_plan
from snowroll.project.promotion import Decision, conclude, consider
from snowroll.project.reporting import Story, write_report
from snowroll.project.sweep import sweep, variants

if TYPE_CHECKING:
    from snowroll.store.rows import RunFolder


ANSWER = "answer.json"
ENVIRONMENT = "env.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `train` is to compare a run with, for an answer beyond its own figure."""

    beside_random: bool = False
    learning_curve: bool = False
    sweep: str = ""  # 'task.size_px=32,64'

    def answered_by(self, said: dict[str, Json]) -> bool:
        """Whether what `train --json` said of a run holds all that is wanted now."""
        swept = said.get("sweep")
        asked = swept and f"{swept['setting']}={','.join(tried['value'] for tried in swept['tried'])}"
        return (
            ("beside_random" in said) >= self.beside_random
            and ("learning_curve" in said) >= self.learning_curve
            and (not self.sweep or asked == self.sweep.replace(" ", ""))
        )


ALONE = Wanted()


@dataclass(frozen=True, slots=True)
class Job:
    """One run of `train`: what will be done, on what."""

    run: RunFolder
    plan: Plan
    told: Told
    version: Version
    inspected: Inspected
    words: list[str]  # how the data was split
    resumed: bool
    wanted: Wanted
    done: bool = False  # an earlier run did exactly this


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trained model, judged on the locked test set; what follows from it is still to be decided."""

    job: Job
    packed: Packed
    trained: Trained
    fitted: Fitted
    gates: list[Gate]
    judged: Judged
    scores: dict[str, Metric]
    compared: Compared


def train(
    opened: Opened,
    say: Say,
    *,
    time: str = "",
    accept: str = "",
    because: str = "",
    fresh: bool = False,
    beside_random: bool = False,
    learning_curve: bool = False,
    sweep: str = "",
) -> Answer:
    """See the command line. Holds the project's train lock: a second `train` is refused at once."""
    accepted = gates_to_accept(accept, because)
    with opened.store.lock("train"):
        began = monotonic()
        job = prepare_job(opened, say, seconds(time), fresh, Wanted(beside_random, learning_curve, sweep))
        if job.done:
            told = answer_of(opened, job.run.number)
            if told.ok or not accepted:
                return told
            say("what failed is accepted now: judged once more")  # its checkpoint is whole, so nothing is trained again
        try:
            outcome = run_job(opened, job, say, accepted, because, began)
        except (StoreError, Interrupted):
            raise  # a full disk passes: the same command goes on with this run
        except SnowrollError:
            opened.store.catalog.finish_run(job.run, "failed", None)
            raise
        if isinstance(outcome, list):
            return _stopped(opened, job, outcome, monotonic() - began)
        # whatever breaks from here on, the run is not done: the same command comes back to this model
        failed = [gate.name for gate in outcome.gates if not gate.passed]
        decision = consider(opened, outcome.trained, outcome.packed, outcome.judged, say, failed)
        answer = _finished(opened, outcome, decision, monotonic() - began)
        atomic.write_json(job.run.path / ANSWER, asdict(answer))
        conclude(opened, job.run, outcome.scores[opened.task.headline], decision, job.version)
        return answer


def answer_of(opened: Opened, run: int) -> Answer:
    """What `train` answered of a run that is done; where its report lies now, should the project have moved."""
    folder = opened.store.run_folder(run)
    told = Answer(**json.loads((folder / ANSWER).read_text()))
    if (then := told.json["report"]) is None:
        return told
    now = str(folder / Path(then).name)
    lines = [line.replace(then, now) for line in told.lines]
    return Answer({**told.json, "report": now}, lines, _following(opened), told.ok)


def prepare_job(opened: Opened, say: Say, time_s: float | None, fresh: bool = False, wanted: Wanted = ALONE) -> Job:
    """What would be trained now: the data checked and frozen, the plan made; an unfinished run of it goes on."""
    version, inspected, words = check_and_freeze(opened, say)
    facts = known_facts(opened, version) or measure_facts(opened, version, say)
    plan, told = make_plan(opened, version, facts, time_s)
    if plan.folds:
        folded(opened, version, plan)  # refused before anything is spent
    if wanted.beside_random:
        refuse_ungrouped(opened, version)
    if wanted.learning_curve:
        refuse_curve(plan, len(version.of("train")))
    if wanted.sweep:
        variants(opened, plan, wanted.sweep)
        validated = [item.target for item in version.of("val")]
        refuse_without_figure(opened.task, validated, version.schema, "--sweep is judged on the validation samples")
    earlier = None if fresh else _earlier(opened, plan, version, wanted)
    if earlier is not None:
        known = opened.store.catalog.run(earlier.number)
        done = known is not None and known.status == "done"  # its answer alone does not tell: it is written before
        same = f"run {earlier.number}: same plan, same data"
        say(f"{same}; it is done, --fresh trains once more" if done else f"{same}; it goes on")
        plan, told = read_plan(earlier.path, opened.task), read_told(earlier.path)
        return Job(earlier, plan, told, version, inspected, words, True, wanted, done)
    run = _unbegun(opened) or opened.store.new_run("train")
    for sentence in words:
        say(sentence)
    say(f"run {run.number}: {len(version.of('train')):,} samples to learn from, version {version.id}")
    return Job(run, plan, told, version, inspected, words, False, wanted)


def check_and_freeze(opened: Opened, say: Say) -> tuple[Version, Inspected, list[str]]:
    """What there is now, checked, as a version; and how it was split, in words. Raises DataError where a fault blocks.

    A split that was just drawn can cut through copies, which only shows once it is drawn: then it is checked again,
    so that it is known now and not at the next call.
    """
    stock = take_stock(opened, say)
    inspection = Inspection(opened, stock, say)
    inspected = inspection.found()
    _refuse_blocking(inspected.faults)
    version, words = freeze(opened, stock, inspected.left_out, inspected.alike)
    drawn = inspection.found()
    _refuse_blocking(drawn.faults)
    if drawn.left_out != inspected.left_out:
        version, words = freeze(opened, stock, drawn.left_out, drawn.alike)
    return version, drawn, words


def _refuse_blocking(faults: list[Fault]) -> None:
    blocking = [fault for fault in faults if fault.severity == "block"]
    if blocking:
        more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
        raise DataError(blocking[0].message + more, where=", ".join(blocking[0].paths[:3]), cure=blocking[0].cure)


def _earlier(opened: Opened, plan: Plan, version: Version, wanted: Wanted) -> RunFolder | None:
    """The newest run that was asked for in the same words on the same version: unfinished, or done by this software."""
    for run in reversed(opened.store.catalog.runs()):
        if run.kind == "train" and run.status in ("running", "done") and run.version == version.id:
            folder = opened.store.run(run.number)
            if not (folder.path / PLAN).exists() or not same_request(read_plan(folder.path, opened.task), plan):
                continue
            if run.status == "running" or _answers(folder, plan, wanted):
                return folder
    return None


def _unbegun(opened: Opened) -> RunFolder | None:
    """The last run, emptied, if it was killed among the gates that come before its plan: its number is taken over."""
    last = max(opened.store.catalog.runs(), key=lambda run: run.number, default=None)
    if last is None or (last.kind, last.status) != ("train", "new"):
        return None
    folder = opened.store.run(last.number)
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True, exist_ok=True)
    return folder


def _answers(folder: RunFolder, plan: Plan, wanted: Wanted) -> bool:
    """Whether a run that is done says all that was asked, and would say it again: same versions, same machine."""
    answer, environment = folder.path / ANSWER, folder.path / ENVIRONMENT
    if not (answer.exists() and environment.exists()):
        return False
    said = json.loads(answer.read_text())["json"]
    return json.loads(environment.read_text()) == _environment(plan) and wanted.answered_by(said)


def run_job(
    opened: Opened, job: Job, say: Say, accept: Sequence[str] = (), because: str = "", began: float | None = None
) -> Outcome | list[Gate]:
    """Gates, the run, the locked test set. Returns the gates alone where one failed and was not accepted."""
    from snowroll.train.exact import settle

    began = monotonic() if began is None else began
    settle(job.plan.threads, job.plan.device)
    packed = pack_version(opened, job.version, job.plan.task, say)
    to_be_timed = job.plan.time_s is not None and not job.resumed  # the gates are part of what the time is for
    if not job.resumed and not to_be_timed:
        _start(opened, job)
    gates = pass_gates(opened, packed, job.plan, job.run.path, say, accept, because)
    passed = all(gate.passed for gate in gates)
    if to_be_timed:
        plan = fit_into_time(opened, packed, job.plan, monotonic() - began, say, monotonic) if passed else job.plan
        job = replace(job, plan=plan)
        _start(opened, job)
    if not passed:
        opened.store.catalog.finish_run(job.run, "failed", None)
        return gates
    fitted, crossed = fit_plan(opened, packed, job.plan, job.run.path, say)
    gates += gates_of_trained(opened, packed, job.plan, job.run.path, fitted, say, accept, because)
    save_model(
        job.run.path / "model", opened.task, fitted.model, job.plan, packed.schema, job.version.id, fitted.calibration
    )
    trained = load_model(opened, job.run.number)
    judged = judge(opened, trained, packed, "test")
    scores = metrics(opened.task, judged, trained.schema)
    headline = scores[opened.task.headline]
    beside = learning = None
    if job.wanted.beside_random:
        beside = beside_random(opened, packed, job.plan, headline, job.run.path / "random", say)
    if job.wanted.learning_curve:
        learning = learning_curve_of(opened, packed, job.plan, judged, job.run.path / "shares", say)
    swept = None
    if job.wanted.sweep:
        setting, plans = variants(opened, job.plan, job.wanted.sweep)
        swept = sweep(opened, packed, setting, plans, job.run.path / "sweep", say)
    give_back()
    return Outcome(job, packed, trained, fitted, gates, judged, scores, Compared(crossed, beside, learning, swept))


def _start(opened: Opened, job: Job) -> None:
    """From here on the same command goes on with this run."""
    write_plan(job.run.path, job.plan, job.told)
    atomic.write_json(job.run.path / ENVIRONMENT, _environment(job.plan))
    opened.store.catalog.start_run(job.run, job.plan, job.version)


def _environment(plan: Plan) -> dict[str, Json]:
    """What the bits depend on besides plan and data."""
    import platform
    from importlib import metadata

    import numpy
    import torch

    return {
        "snowroll": metadata.version("snowroll"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "machine": platform.machine(),
        "threads": plan.threads,
        "processes": plan.processes,
        "threads_each": plan.threads_each,
        "device": plan.device,
    }


def _stopped(opened: Opened, job: Job, gates: list[Gate], seconds: float) -> Answer:
    """A gate failed: the whole `train` object, exit 1."""
    failed = [gate for gate in gates if not gate.passed]
    lines = [f"stopped   gate '{gate.name}': {gate.measured}, expected {gate.expected}" for gate in failed]
    names = ",".join(gate.name for gate in failed)
    lines.append(
        f"          see {job.run.path / 'gates.json'}; to go on all the same: --accept {names} --because REASON"
    )
    answer = {
        "run": job.run.number,
        "metric": opened.task.headline,
        "value": None,
        "interval": None,
        "n": 0,
        "gates": gates_json(gates),
        "seconds": round(seconds, 1),
        "report": None,
    }
    return Answer(answer, lines, next=f"snowroll check {opened.root}", ok=False)


def _finished(opened: Opened, outcome: Outcome, decision: Decision, seconds: float) -> Answer:
    told = report_of(opened, outcome, decision, seconds)
    metric = outcome.scores[opened.task.headline]
    passed = sum(gate.passed for gate in outcome.gates)
    lines = [
        f"gates     {passed} of {len(outcome.gates)} passed",
        *[f"          {gate.name}: {gate.measured}" for gate in outcome.gates],
        f"train     {opened.task.headline} {metric} on the locked test set",
        *outcome.compared.lines(),
        *_proved(opened, outcome.trained.run),
        f"promote   {decision.outcome}: {decision.reason}",
        f"report    {told}",
    ]
    answer = {
        "run": outcome.trained.run,
        "metric": opened.task.headline,
        "value": metric.value,
        "interval": [metric.low, metric.high],
        "n": metric.n,
        "gates": gates_json(outcome.gates),
        "seconds": round(seconds, 1),
        "report": told,
        "promotion": decision.as_json(),
        **outcome.compared.as_json(),
    }
    failed = ",".join(gate.name for gate in outcome.gates if not gate.passed)
    if failed:
        lines.append(f"          to promote it all the same: --accept {failed} --because REASON")
    return Answer(answer, lines, next=_following(opened) if not failed else "", ok=not failed)


def _following(opened: Opened) -> str:
    return f"snowroll serve {opened.root}"


def _proved(opened: Opened, run: int) -> list[str]:
    """The export and its proof, where the run was exported (it is when it becomes the champion)."""
    artifact = find_artifact(opened, run)
    if artifact is None:
        return []
    parity = artifact.parity
    return [
        f"export    ONNX, {artifact.bytes / 1e6:.1f} MB, a {opened.task.kind} in, an answer out",
        f"          parity on n={parity['n']}: differs by {parity['largest']:.1e} at most, "
        f"same answer {parity['agreement']:.0%}, over HTTP too",
    ]


def report_of(opened: Opened, outcome: Outcome, decision: Decision | None, seconds: float) -> str:
    """Write report.html and the line of results.tsv; returns the report's path."""
    job = outcome.job
    story = Story(
        run=job.run.number,
        folder=job.run.path,
        plan=job.plan,
        told=job.told,
        gates=outcome.gates,
        faults=job.inspected.faults,
        words=job.words,
        curve=outcome.fitted.curve,
        decision=decision,
        compared=outcome.compared,
        seconds=seconds,
        written_at=utc_seconds(),
    )
    return write_report(opened, story, outcome.packed, outcome.trained, outcome.judged, outcome.scores)


def gates_json(gates: list[Gate]) -> list[dict[str, Json]]:
    return [
        {"name": gate.name, "passed": gate.passed, "measured": gate.measured, "expected": gate.expected}
        for gate in gates
    ]
