"""`train`: check, version, plan, gates, the run, its report, and the question whether it becomes the champion."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from time import time as utc_seconds

from snowroll.base import atomic
from snowroll.base.errors import Interrupted, SnowrollError, StoreError
from snowroll.base.memory import give_back
from snowroll.base.nouns import Gate, Json, Metric
from snowroll.evaluate.compared import Compared
from snowroll.evaluate.interval import few_in_words
from snowroll.evaluate.splits import CrossValidated
from snowroll.project.artifacts import find_artifact
from snowroll.project.beside import beside_random
from snowroll.project.budget import fit_into_time
from snowroll.project.data import Packed, naming, pack_version
from snowroll.project.folding import fit_plan
from snowroll.project.freeing import free_checkpoints
from snowroll.project.gating import course_anew, gates_of_trained, gates_to_accept, keep_gates, pass_gates
from snowroll.project.jobs import ANSWER, Job, Wanted, prepare_job, start
from snowroll.project.judging import Judged, judge, metrics, short_lines
from snowroll.project.learning import learning_curve_of
from snowroll.project.log import Log
from snowroll.project.models import Trained, load_model, save_model
from snowroll.project.opened import Answer, Opened, Say
from snowroll.project.plans import seconds
from snowroll.project.promotion import Decision, conclude, consider
from snowroll.project.reporting import Story, write_report
from snowroll.project.sweep import sweep, variants


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trained model, judged on the locked test set; what follows from it is still to be decided."""

    job: Job
    packed: Packed
    trained: Trained
    curve: Sequence[Mapping[str, float]]  # an entry a validation
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
            if not job.wanted.answered_by(told.json):
                told = _measured_beside(opened, job, told, say)
            if told.ok or not accepted:
                free_checkpoints(opened)  # where the run was killed before it did so
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
        decision = consider(opened, outcome.trained, outcome.packed, outcome.judged, say, outcome.gates)
        answer = _finished(opened, outcome, decision, monotonic() - began)
        atomic.write_json(job.run.path / ANSWER, asdict(answer))
        conclude(opened, job.run, outcome.scores[opened.task.headline], decision, job.version)
        free_checkpoints(opened)
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
        start(opened, job)
    with naming(opened, packed):
        gates = pass_gates(opened, packed, job.plan, job.run.path, say, accept, because)
    passed = not any(gate.stops for gate in gates)
    if to_be_timed:
        plan = fit_into_time(opened, packed, job.plan, monotonic() - began, say, monotonic) if passed else job.plan
        job = replace(job, plan=plan)
        gates = course_anew(gates, plan)
        keep_gates(job.run.path, gates)
        start(opened, job)
    if not passed:
        opened.store.catalog.finish_run(job.run, "failed", None)
        return gates
    with naming(opened, packed):
        fitted, crossed = fit_plan(opened, packed, job.plan, job.run.path, say)
    gates += gates_of_trained(opened, packed, job.plan, job.run.path, fitted, say, accept, because)
    save_model(
        job.run.path / "model", opened.task, fitted.model, job.plan, packed.schema, job.version.id, fitted.calibration
    )
    trained = load_model(opened, job.run.number)
    judged = judge(opened, trained, packed, "test")
    scores = metrics(opened.task, judged, trained.schema)
    compared = _compared(opened, job, packed, judged, scores[opened.task.headline], say)
    give_back()
    return Outcome(job, packed, trained, fitted.curve, gates, judged, scores, replace(compared, crossed=crossed))


def _measured_beside(opened: Opened, job: Job, told: Answer, say: Say) -> Answer:
    """What more is wanted of a run that is done: its model, its figure and what was decided of it stand."""
    from snowroll.train.exact import settle

    settle(job.plan.threads, job.plan.device)
    job = replace(job, wanted=job.wanted.beside(told.json))
    packed, trained = pack_version(opened, job.version, job.plan.task, say), load_model(opened, job.run.number)
    gates = [Gate(**gate) for gate in json.loads((job.run.path / "gates.json").read_text())]
    judged = judge(opened, trained, packed, "test")
    scores = metrics(opened.task, judged, trained.schema)
    compared = _compared(opened, job, packed, judged, scores[opened.task.headline], say)
    give_back()
    crossed = CrossValidated.read(told.json["cross_validation"]) if job.plan.folds else None
    curve = Log(job.run.path / "metrics.jsonl", upto=job.plan.steps, is_kept=False).validations()
    outcome = Outcome(job, packed, trained, curve, gates, judged, scores, replace(compared, crossed=crossed))
    answer = _finished(opened, outcome, Decision.read(told.json["promotion"]), told.json["seconds"])
    atomic.write_json(job.run.path / ANSWER, asdict(answer))
    return answer


def _compared(opened: Opened, job: Job, packed: Packed, judged: Judged, headline: Metric, say: Say) -> Compared:
    """The runs beside this one that were asked for."""
    wanted, plan, folder = job.wanted, job.plan, job.run.path
    beside = learning = swept = None
    if wanted.beside_random:
        beside = beside_random(opened, packed, plan, headline, folder / "random", say)
    if wanted.learning_curve:
        learning = learning_curve_of(opened, packed, plan, judged, folder / "shares", say)
    if wanted.sweep:
        setting, plans = variants(opened, plan, wanted.sweep)
        swept = sweep(opened, packed, setting, plans, folder / "sweep", say)
    return Compared(None, beside, learning, swept)


def _stopped(opened: Opened, job: Job, gates: list[Gate], seconds: float) -> Answer:
    """A gate failed: the whole `train` object, exit 1."""
    failed = [gate for gate in gates if gate.stops]
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
        *[
            f"          {gate.name}: {'' if gate.passed else f'{gate.verdict}; '}{gate.measured}"
            for gate in outcome.gates
        ],
        f"train     {opened.task.headline} {metric} on the locked test set",
        *short_lines(opened.task, outcome.judged, outcome.trained),
        *few_in_words(outcome.judged.groups, metric.n),
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
    failed = ",".join(gate.name for gate in outcome.gates if gate.stops)
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
        f"export    ONNX, {artifact.bytes / 1e6:.1f} MB, {an(opened.task.kind)} in, an answer out",
        f"          parity on n={parity['n']}: differs by {parity['largest']:.1e} at most, "
        f"same answer {parity['agreement']:.0%}, over HTTP too",
    ]


def an(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


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
        curve=outcome.curve,
        decision=decision,
        compared=outcome.compared,
        seconds=seconds,
        written_at=utc_seconds(),
    )
    return write_report(opened, story, outcome.packed, outcome.trained, outcome.judged, outcome.scores)


def gates_json(gates: list[Gate]) -> list[dict[str, Json]]:
    return [
        {"name": gate.name, "passed": gate.passed, "measured": gate.measured, "expected": gate.expected}
        | ({"accepted": gate.accepted} if gate.accepted else {})
        for gate in gates
    ]
