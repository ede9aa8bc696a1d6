"""The proof that an exported file says what the trained model says: on validation samples, and over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Json, Prediction, Split
from snowroll.deploy.asking import ask
from snowroll.deploy.session import ALIKE, Loaded
from snowroll.deploy.settings import ServeSettings
from snowroll.project.data import Packed
from snowroll.project.judging import outputs_of
from snowroll.project.models import Trained
from snowroll.project.opened import Opened

PATIENCE_S = 300.0  # for one answer of the proof: only a server that hangs takes longer. A guess
RAW = {"Content-Type": "application/octet-stream"}

Answers = tuple[list[Prediction], list[Prediction]]  # the trained model's and the file's, to the same samples


@dataclass(frozen=True, slots=True)
class Proof:
    """Validation samples: their files' bytes, what the trained model says of them, and the truth."""

    raws: list[bytes]
    outputs: list[dict[str, np.ndarray]]
    targets: list[Json]


def proof_samples(opened: Opened, trained: Trained, packed: Packed, split: Split, most: int) -> Proof:
    """Up to `most` samples of the split, evenly drawn; training ones where there is no validation part."""
    rows = packed.rows[split] if len(packed.rows[split]) else packed.rows["train"]
    rows = rows[:: max(1, len(rows) // most)][:most]
    items = [packed.version.items[row] for row in rows]
    samples = opened.samples([item.sample for item in items])
    raw = dict(opened.stream([sample.where for sample in samples.values()]))
    outputs = outputs_of(opened, trained, packed, rows)
    return Proof(
        [raw[samples[item.sample].where] for item in items],
        [{name: value[i] for name, value in outputs.items()} for i in range(len(rows))],
        [item.target for item in items],
    )


def answers(opened: Opened, trained: Trained, proof: Proof, loaded: Loaded) -> Answers:
    """What the trained model and the file say of the proof's samples."""
    stacked = {name: np.stack([row[name] for row in proof.outputs]) for name in proof.outputs[0]}
    mine = opened.task.decode(stacked, trained.schema, trained.plan.task)
    return mine, [answer for raw in proof.raws for answer in loaded.predict([raw])]


def headlines(opened: Opened, trained: Trained, proof: Proof, said: Answers) -> dict[str, Json]:
    """The headline metric on the proof's samples, before and after export; None where it has no meaning for them."""
    headline = opened.task.headline
    before, after = (
        float(opened.task.scorer(some, proof.targets, trained.schema)(None).get(headline, nan)) for some in said
    )
    is_known = isfinite(before) and isfinite(after)
    return {"metric": headline, "before": before if is_known else None, "after": after if is_known else None}


def same_over_http(loaded: Loaded, raws: Sequence[bytes]) -> dict[str, Json]:
    """Send the bytes to a real server on loopback. Raises PlanError unless it answers as the file does."""
    from snowroll.deploy.process import running
    from snowroll.deploy.serve import make_app

    settings = _as_patient_as_it_takes(raws)
    with running(make_app(lambda: loaded.id, lambda id: loaded, settings), settings) as url:
        said = [ask(f"{url}/v1/predict", raw, RAW, PATIENCE_S)["predictions"][0] for raw in raws]
    mine = [loaded.predict([raw])[0] for raw in raws]
    gaps = [abs((a.probability or 0.0) - (b["probability"] or 0.0)) for a, b in zip(mine, said, strict=True)]
    is_same = loaded.same or _same_value
    heard = [Prediction(b["prediction"], b["probability"], b["doubt"]) for b in said]
    wrong = sum(is_same(a, b) < ALIKE for a, b in zip(mine, heard, strict=True))
    if wrong or max(gaps) > 1e-3:  # answers are rounded to six digits; batching moves the last bits
        raise PlanError(f"over HTTP {wrong} of {len(raws)} answers differ (by {max(gaps):.2g})", cure="export again")
    return {"n": len(raws), "largest": max(gaps)}


def _as_patient_as_it_takes(raws: Sequence[bytes]) -> ServeSettings:
    """Limits that no validation sample meets: the answer is proved, not how strangers are kept out."""
    largest_mb = max(len(raw) for raw in raws) / 1e6 + 1
    return ServeSettings(port=0, sample=0.0, max_body_mb=largest_mb, deadline_s=PATIENCE_S, receive_s=PATIENCE_S)


def agreement(loaded: Loaded, proof: Proof, said: Answers) -> dict[str, Json]:
    """How far the file's answers are the trained model's: the share that are the same, and the gaps between the two.

    A gap is the largest difference of any output; where answers are lists, what is not the same in two of them.
    """
    is_same = loaded.same or _same_value
    same = [is_same(a, b) for a, b in zip(*said, strict=True)]
    if loaded.same is not None:
        gaps = [1 - share for share in same]
    else:
        gaps = [
            gap
            for raw, row in zip(proof.raws, proof.outputs, strict=True)
            for gap in _gaps(loaded.run(loaded.prepare(raw)), row)
        ]
    return {
        "n": len(same),
        "mean": float(np.mean(gaps)),
        "largest": float(max(gaps)),
        "agreement": float(np.mean(same)),
    }


def _gaps(said: Mapping[str, np.ndarray], trained: Mapping[str, np.ndarray]) -> list[float]:
    """The largest difference in each output. said: with a batch axis of one."""
    return [float(np.abs(said[name][0] - value).max()) for name, value in trained.items()]


def _same_value(one: Prediction, other: Prediction) -> float:
    return float(one.value == other.value)
