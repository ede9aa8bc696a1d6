"""One turn of the loop, composed of verbs. Each stage is written down when it is done, so a killed roll goes on.

collect -> drift -> mine -> label (people) -> version, train, evaluate -> promote, refuse, or cannot tell yet
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from time import monotonic

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Record
from snowroll.evaluate.compare import NEXT
from snowroll.evaluate.drift import ALPHA_OF_ALL, Drift, drift
from snowroll.evaluate.paired import alpha_of_look
from snowroll.prepare.view import count
from snowroll.project.looks import look_at
from snowroll.project.mining import mine, samples_of
from snowroll.project.opened import Answer, Opened, Say
from snowroll.project.plans import read_plan
from snowroll.project.reference import features_of, reference
from snowroll.project.stock import take_stock
from snowroll.store.rows import Roll
from snowroll.verbs.train import answer_of, train


def roll(opened: Opened, say: Say, *, time: str = "", k: int = 0) -> Answer:
    """Go as far as can be gone now: to the promotion test, or to where people are needed. Repeat to go on."""
    with opened.store.lock("roll"):
        turn = _current(opened)
        lines = []
        while turn.stage != "done":
            if turn.stage == "label" and (left := _open_questions(opened, say)):
                return _waiting(opened, turn, left, lines)
            turn, line = _step(opened, turn, say, time, k)
            if line:
                lines.append(line)
        return _finished(opened, turn, lines)


def _step(opened: Opened, turn: Roll, say: Say, time: str, k: int) -> tuple[Roll, str]:
    """The stage where the turn stands: the turn after it, and a line to tell of it."""
    match turn.stage:
        case "collect":
            return _collect(opened, turn)
        case "drift":
            return _drift(opened, turn, say)
        case "mine":
            return _mine(opened, turn, say, k)
        case "label":
            return _label(opened, turn)
        case "train":
            return _train(opened, turn, say, time)
    raise AssertionError(f"no stage of a roll is called '{turn.stage}'")


def _current(opened: Opened) -> Roll:
    """The unfinished turn, or a new one that begins where the last one ended."""
    rolls = opened.store.catalog.rolls()
    if rolls and rolls[-1].stage != "done":
        return rolls[-1]
    since = rolls[-1].state["until"] if rolls else 0.0
    return _save(opened, len(rolls) + 1, "collect", {"since": since})


def _save(opened: Opened, number: int, stage: str, state: Json) -> Roll:
    opened.store.catalog.save_roll(number, stage, state)
    return Roll(number, stage, state, 0.0)


def _collect(opened: Opened, turn: Roll) -> tuple[Roll, str]:
    records = opened.store.catalog.records(since=turn.state["since"])
    until = max((record.at for record in records), default=turn.state["since"])
    sources = Counter(record.source or "unnamed" for record in records)
    state = {
        **turn.state,
        "until": np.nextafter(until, np.inf).item(),
        "records": len(records),
        "sources": dict(sources),
    }
    told = ", ".join(f"{source} {n:,}" for source, n in sources.most_common(5))
    line = f"collect   {len(records):,} inputs from production" + (f" ({told})" if told else "")
    return _save(opened, turn.number, "drift", state), line


def _drift(opened: Opened, turn: Roll, say: Say) -> tuple[Roll, str]:
    """What came in since the last turn against the locked test set, on which the champion was judged."""
    try:
        found = measure_drift(opened, _records(opened, turn), turn.number, say)
    except DataError as fault:  # nothing served yet, or too little of it
        return _save(opened, turn.number, "mine", {**turn.state, "drift": None}), f"drift     not judged: {fault.what}"
    told = {"alarm": found.alarm, "sentence": found.sentence, "tests": [asdict(test) for test in found.tests]}
    return _save(opened, turn.number, "mine", {**turn.state, "drift": told}), f"drift     {found.sentence}"


def measure_drift(opened: Opened, records: list[Record], look: int, say: Say) -> Drift:
    """Looks and answers of production against those of the locked test set."""
    if not records:
        raise DataError("nothing came in from production", cure="run `snowroll serve` and send it something")
    before = reference(opened, say)
    samples = samples_of(opened, records)
    looks = look_at(opened, samples, say)
    seen = [(looks[sample.id], record) for sample, record in zip(samples, records, strict=True)]
    seen = [(look, record) for look, record in seen if not look.reason]
    return drift(
        before.features,
        features_of([look for look, _ in seen]),
        measures={
            "doubt": (before.doubt, np.array([record.doubt for _, record in seen])),
            "brightness": (before.brightness, np.array([look.brightness for look, _ in seen])),
            "sharpness": (before.sharpness, np.array([look.sharpness for look, _ in seen])),
        },
        alpha=alpha_of_look(look, ALPHA_OF_ALL),
    )


def _mine(opened: Opened, turn: Roll, say: Say, k: int) -> tuple[Roll, str]:
    mined = mine(opened, k, say, seed=turn.number)
    state = {**turn.state, "mined": mined.learn, "test": mined.test}
    line = (
        f"mine      {mined.learn} of {mined.pool:,} chosen to learn from, {mined.test} drawn for the locked test set; "
        f"{mined.kept:,} are never mined, so that this draw is uniform"
    )
    return _save(opened, turn.number, "label", state), line


def _label(opened: Opened, turn: Roll) -> tuple[Roll, str]:
    state = {**turn.state, "done": [run.number for run in opened.store.catalog.runs() if run.status == "done"]}
    return _save(opened, turn.number, "train", state), "label     every question is answered"


def _train(opened: Opened, turn: Roll, say: Say, time: str) -> tuple[Roll, str]:
    began = monotonic()
    answer = _trained_already(opened, turn) or train(opened, say, time=time or _time_of_champion(opened))
    state = {**turn.state, "train": answer.json, "ok": answer.ok}
    line = "\n".join(line for line in answer.lines if not line.startswith("promote"))
    say(f"trained in {monotonic() - began:,.0f} s")
    return _save(opened, turn.number, "done", state), line


def _time_of_champion(opened: Opened) -> str:
    """What the champion was given: a turn of the loop takes no longer unless it is told to."""
    champion = opened.store.catalog.pointer("champion")
    plan = read_plan(opened.store.run_folder(int(champion)), opened.task) if champion else None
    return f"{plan.time_s}s" if plan and plan.time_s else ""


def _trained_already(opened: Opened, turn: Roll) -> Answer | None:
    """What the newest run since this turn's data was complete answered: the turn was killed before it noted that."""
    for run in reversed(opened.store.catalog.runs()):
        if run.status == "done" and run.number not in turn.state["done"]:
            return answer_of(opened, run.number)
    return None


def _records(opened: Opened, turn: Roll) -> list[Record]:
    since, until = turn.state["since"], turn.state["until"]
    return [record for record in opened.store.catalog.records(since=since) if record.at < until]


def _open_questions(opened: Opened, say: Say) -> int:
    take_stock(opened, say)  # a file that is gone meanwhile takes its question with it
    return opened.store.catalog.left_in_queue()


def _waiting(opened: Opened, turn: Roll, left: int, lines: list[str]) -> Answer:
    told = {"roll": turn.number, "stage": "label", "waiting": left, **_public(turn.state)}
    waits = f"label     {count(left, opened.task.kind)} to be answered by a person; 'not sure' is an answer, too"
    return Answer(told, [*lines, waits], next=f"snowroll label {opened.root}")


def _finished(opened: Opened, turn: Roll, lines: list[str]) -> Answer:
    promotion = _promotion(turn)
    lines = [*lines, f"promote   {promotion['outcome']}: {promotion['reason']}"]
    told = {"roll": turn.number, "stage": "done", "verdict": promotion["outcome"], "reason": promotion["reason"]}
    cannot = promotion["outcome"] == "CANNOT TELL YET"
    more = (promotion.get("test") or {}).get("more") or NEXT
    following = f"snowroll label {opened.root} --test {more}" if cannot else f"snowroll status {opened.root}"
    return Answer({**told, **_public(turn.state)}, lines, next=following, ok=turn.state["ok"])


def _promotion(turn: Roll) -> Json:
    """What became of the model this turn trained, or why there is none."""
    trained = turn.state["train"]
    if trained["run"] in turn.state["done"]:
        reason = f"no label and no setting is new since run {trained['run']}"
        return {"outcome": "NOTHING NEW", "reason": reason}
    return trained.get("promotion") or {"outcome": "STOPPED", "reason": "a gate failed"}


def _public(state: Json) -> Json:
    return {key: value for key, value in state.items() if key not in ("since", "until", "ok", "done")}
