"""The gates of one run: measured once for a plan and a version, written down, and never passed over in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base import atomic
from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Batch, Gate, Json, Plan, canonical, digest
from snowroll.project.code import code_beside
from snowroll.project.data import Packed, batches_of, gather, plain_batches, training_batches
from snowroll.project.fitting import Fitted, new_model, objective_of
from snowroll.project.folding import joined_knows
from snowroll.project.judging import predict_rows
from snowroll.project.models import Trained
from snowroll.project.opened import Opened, Say

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.train.fit import Batches
    from snowroll.train.gates import Write
    from snowroll.train.hypothesis import Hypothesis
    from snowroll.train.trial import Measured, Trial

# settings that no gate's verdict hangs on
IRRELEVANT = {
    "steps",
    "most_steps",
    "time_s",
    "eval_every",
    "checkpoint_every",
    "folds",
    "patience",
    "ema",
    "processes",
}
KNOWN = 128  # training rows as they are, whether they are known
MOST_ASKED = 512  # validation rows, whether augmentation keeps their labels
TILE_PX = 96  # each picture of what the network sees


def pass_gates(
    opened: Opened,
    packed: Packed,
    plan: Plan,
    folder: Path,
    say: Say,
    accept: Sequence[str] = (),
    because: str = "",
) -> list[Gate]:
    """Every gate's verdict, into gates.json. `accept`: gates that may fail, `because` of a reason the report shows."""
    gates = _known(opened, packed, plan) or _measure(opened, packed, plan, folder, say)
    if accept:
        gates = _accepted(gates, accept, because)
        told = {"gates": list(accept), "because": because, "folder": folder.name}
        opened.store.catalog.note("gate.accepted", told)
    keep_gates(folder, gates)
    return gates


def gates_of_trained(
    opened: Opened,
    packed: Packed,
    plan: Plan,
    folder: Path,
    fitted: Fitted,
    say: Say,
    accept: Sequence[str] = (),
    because: str = "",
) -> list[Gate]:
    """What only the trained model shows, added to gates.json. Of an ensemble: that joining its members lost nothing."""
    from snowroll.train.gates import AFTERWARDS

    if plan.folds:
        found = {"joined_knows": joined_knows(opened, packed, plan, folder, fitted.model)}
    else:
        found = _of_one(opened, packed, plan, fitted)
    gates = []
    for name, one in found.items():
        says, expected = AFTERWARDS[name]
        gates.append(Gate(name, says, one.words, expected, one.holds))
        _say(gates[-1], say)
    gates = _accepted(gates, accept, because) if accept else gates
    before = json.loads((folder / "gates.json").read_text())
    known = [gate for gate in before if gate["name"] not in found]
    atomic.write_json(folder / "gates.json", [*known, *(asdict(gate) for gate in gates)])
    return gates


def _of_one(opened: Opened, packed: Packed, plan: Plan, fitted: Fitted) -> dict[str, Measured]:
    from snowroll.train.after import known_as_they_are, learnt, modes_agree

    rows, objective = packed.rows["train"], objective_of(opened, plan)
    batches, model = training_batches(opened, packed, rows, plan), fitted.model.to(plan.device)
    found = {"modes_agree": modes_agree(objective, model, batches, plan.seed)}
    late = fitted.late_loss
    if late is not None:
        found["learnt"] = learnt(objective, model, batches, late)
    if not getattr(plan.task, "at_once", False):
        some = rows[:: -(-len(rows) // KNOWN)]
        plain = batches_of(opened, packed, some, plan, plan.device)
        found["known_as_they_are"] = known_as_they_are(objective, model, batches, plain)
    if len(packed.rows["val"]) and not getattr(plan.task, "at_once", False):
        found["augmentation_keeps_labels"] = _labels_kept(opened, packed, plan, model)
    return found


def _labels_kept(opened: Opened, packed: Packed, plan: Plan, model: nn.Module) -> Measured:
    """Asked of some of the validation rows, in one process: in batches that it can hold."""
    from snowroll.train.fit import begin, fit
    from snowroll.train.optim import optimizer_for
    from snowroll.train.varied import Unseen, augmentation_keeps_labels, briefly

    plan = replace(plan, batch=max(1, plan.batch // max(1, plan.processes)), processes=1)
    task, rows = opened.task, packed.rows["val"]
    rows = rows[:: -(-len(rows) // MOST_ASKED)]
    items = [packed.version.items[row] for row in rows]
    targets = [item.target for item in items]

    def credit(asked: nn.Module) -> np.ndarray:
        trained = Trained(0, asked, plan, packed.schema, packed.version.id, opened.root)
        return task.credit(predict_rows(opened, trained, packed, rows), targets, packed.schema)

    def learn_more(batches: Batches, times: int) -> nn.Module:
        short = briefly(plan, times)
        more = new_model(opened, packed, plan, blank=True)
        more.load_state_dict(model.state_dict())
        state = begin(more, short, optimizer_for(more, short, getattr(plan.task, "backbone_lr", 1.0)))
        for _ in fit(more, batches, objective_of(opened, plan), short, state):
            pass
        return more.eval()

    unseen = Unseen(credit, task.strata(targets), [item.group or item.sample for item in items])
    learnt = packed.rows["train"]
    batches, plain = training_batches(opened, packed, learnt, plan), plain_batches(opened, packed, learnt, plan)
    return augmentation_keeps_labels(model, unseen, batches, plain, learn_more)


def _measure(opened: Opened, packed: Packed, plan: Plan, folder: Path, say: Say) -> list[Gate]:
    """Every verdict anew; kept for the next run where all passed."""
    from snowroll.train.gates import pass_through

    write = partial(_contact_sheet, folder)
    asked = _asked_at_once(opened, packed, plan, write) if getattr(plan.task, "at_once", False) else None
    gates: list[Gate] = []
    for gate in pass_through(_trial(opened, packed, plan), write, monotonic, asked):
        _say(gate, say)
        gates.append(gate)
    if all(gate.passed for gate in gates):
        atomic.write_json(_cache(opened, packed, plan), [asdict(gate) for gate in gates])
    return gates


def _trial(opened: Opened, packed: Packed, plan: Plan) -> Trial:
    """The run as its gates see it."""
    import torch

    from snowroll.train.trial import Trial, task_credit

    rows, task = packed.rows["train"], opened.task

    def truth(ids: Tensor) -> list[Json]:
        return [packed.version.items[row].target for row in ids.tolist()]

    first = new_model(opened, packed, plan)  # a model that cannot be built is told once, not by every gate

    def make() -> nn.Module:
        """As `new_model` would make it again: its seed, its data and so its weights are the same."""
        torch.manual_seed(plan.seed)
        return deepcopy(first)

    return Trial(
        plan=plan,
        make=make,
        batches=training_batches(opened, packed, rows, plan),
        plain=plain_batches(opened, packed, rows, plan),
        objective=objective_of(opened, plan),
        truth=truth,
        credit=task_credit(task, packed.schema, plan, truth),
        show=partial(task.show, schema=packed.schema, options=plan.task),
        rate_is_told=_rate_is_told(opened),
        in_order=task.in_order,
        frozen=getattr(first, "stands_still", ()),
        expected_loss=task.loss_at_init(packed.schema, plan.task),
    )


def _asked_at_once(opened: Opened, packed: Packed, plan: Plan, write: Write) -> list[Hypothesis[Trial]]:
    """Of a fit without gradients, on two halves of some training rows."""
    from snowroll.train import order
    from snowroll.train.at_once import ROWS, Rows, hypotheses_at_once

    rows = packed.rows["train"]
    some = rows[order.order(plan.seed, 0, len(rows))[:ROWS]]
    seen, unseen = (gather(opened, packed, half, plan.device) for half in np.array_split(some, 2))
    whole = opened.task.fit

    def fit(model: nn.Module, train: Batch, val: Batch) -> None:
        whole(model, train, val, plan)

    return hypotheses_at_once(Rows(fit, seen, unseen), write)


def _say(gate: Gate, say: Say) -> None:
    say(f"  gate {gate.name}: {gate.verdict} ({gate.measured})")


def _known(opened: Opened, packed: Packed, plan: Plan) -> list[Gate] | None:
    """Gates that passed for this plan, version and code before: the same arithmetic would give the same verdicts.

    But for that of the learning rate's course, which hangs on how many steps there are, as no other does.
    """
    try:
        told: list[dict[str, Json]] = json.loads(_cache(opened, packed, plan).read_text())
    except (OSError, ValueError):
        return None
    return course_anew([Gate(**gate) for gate in told], plan)


def keep_gates(folder: Path, gates: Sequence[Gate]) -> None:
    atomic.write_json(folder / "gates.json", [asdict(gate) for gate in gates])


def course_anew(gates: Sequence[Gate], plan: Plan) -> list[Gate]:
    """The same verdicts, that of the learning rate's course over this plan's steps."""
    from snowroll.train.course import planned

    course = planned(plan)
    return [
        replace(one, measured=course.words, passed=course.holds) if one.name == "schedule" else one for one in gates
    ]


def _cache(opened: Opened, packed: Packed, plan: Plan) -> Path:
    import torch

    from snowroll.design.options import FineTuned
    from snowroll.train.gates import gate_names

    passed_over = IRRELEVANT - ({"steps"} if _rate_is_told(opened) else set())  # it is tried in that many
    alike = {key: value for key, value in asdict(plan).items() if key not in passed_over}
    code = code_beside(gate_names, FineTuned, type(opened.task))
    key = digest(canonical(alike), packed.version.id, torch.__version__, code)
    return opened.store.packs / "gates" / f"{key}.json"


def _rate_is_told(opened: Opened) -> bool:
    """Whether a person set the learning rate."""
    return "train.lr" in opened.settings.values


def gates_to_accept(accept: str, because: str) -> list[str]:
    """Names of gates, from 'NAME,NAME'. Raises UsageError before anything is spent on them."""
    wanted = [name.strip() for name in accept.split(",") if name.strip()]
    if not wanted:
        return []
    if not because:
        raise UsageError("a gate is accepted for a reason", where="--accept", cure='add --because "..."')
    from snowroll.train.gates import gate_names

    known = gate_names()
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no gate '{name}'", where="--accept", cure=did_you_mean(name, known))
    return wanted


def _accepted(gates: list[Gate], names: Sequence[str], because: str) -> list[Gate]:
    return [replace(gate, accepted=because) if gate.name in names and not gate.passed else gate for gate in gates]


def _contact_sheet(folder: Path, pictures: Sequence[Image]) -> str:
    """The pictures side by side as batches/sees.png; returns that path within the run folder."""
    import io

    from PIL import Image as PIL

    sheet = PIL.new("RGB", (TILE_PX * len(pictures), TILE_PX), "white")
    for place, picture in enumerate(pictures):
        enlarge = PIL.Resampling.NEAREST if picture.width < TILE_PX else PIL.Resampling.BILINEAR
        sheet.paste(picture.convert("RGB").resize((TILE_PX, TILE_PX), enlarge), (place * TILE_PX, 0))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    atomic.write(folder / "batches" / "sees.png", out.getvalue())
    return "batches/sees.png"
