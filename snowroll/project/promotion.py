"""May this run's model become the champion? A test on the locked set, then a proved export, then a pointer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from snowroll.base.errors import StoreError
from snowroll.base.nouns import Gate, Json, Metric, Version
from snowroll.evaluate.compare import Pairs, PromotionSettings, Verdict, promotion_test
from snowroll.project.artifacts import make_artifact
from snowroll.project.data import Packed, pack_version
from snowroll.project.judging import Judged, judge
from snowroll.project.models import Trained, load_model
from snowroll.project.opened import Opened, Say
from snowroll.store.rows import Move, RunFolder


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, in one word and one sentence; the test behind it where there was a champion to beat."""

    outcome: str  # "FIRST", "PROMOTED", "REFUSED", "CANNOT TELL YET"
    reason: str
    champion: int
    verdict: Verdict | None = None

    @property
    def promoted(self) -> bool:
        return self.outcome in ("FIRST", "PROMOTED")

    def as_json(self) -> dict[str, Json]:
        told = asdict(self.verdict) if self.verdict else None
        return {"outcome": self.outcome, "reason": self.reason, "champion": self.champion, "test": _plain(told)}

    @staticmethod
    def read(told: dict[str, Json]) -> Decision:
        """The way back from `as_json`."""
        from pydantic import TypeAdapter

        verdict = TypeAdapter(Verdict | None).validate_python(told["test"])
        return Decision(told["outcome"], told["reason"], told["champion"], verdict)


def consider(
    opened: Opened, challenger: Trained, packed: Packed, judged: Judged, say: Say, gates: Sequence[Gate] = ()
) -> Decision:
    """Test the challenger against the champion, and export it if it may follow. No pointer moves: `conclude` does that.

    A model that stops at one of its gates is refused without a look. Every look is counted. Asked again, since it was
    killed or the disk was full, it gives the same answer.
    """
    holder = opened.store.catalog.pointer("champion")
    failed = [gate.name for gate in gates if gate.stops]
    if failed:
        return Decision("REFUSED", f"gate {' and '.join(failed)} failed", int(holder or 0))
    if holder is None:
        make_artifact(opened, challenger, packed, say)
        accepted = " and ".join(gate.name for gate in gates if gate.accepted)
        reason = f"; that it failed {accepted} was accepted" if accepted else " to pass its gates"
        return Decision("FIRST", f"the first model{reason}", challenger.run)
    champion = load_model(opened, int(holder), say)
    verdict = compare_with_champion(opened, champion, challenger.run, packed, judged, say)
    if verdict.outcome == "PROMOTED":
        make_artifact(opened, challenger, packed, say)
        return Decision("PROMOTED", verdict.reason, challenger.run, verdict)
    return Decision(verdict.outcome, verdict.reason, champion.run, verdict)


def conclude(opened: Opened, run: RunFolder, headline: Metric, decision: Decision, version: Version) -> None:
    """The run is done, and the pointers move if it was promoted: both or neither, whatever is killed when."""
    catalog = opened.store.catalog
    event: dict[str, Json] = {"outcome": decision.outcome}
    if decision.verdict:
        event |= {"p": decision.verdict.p, "look": decision.verdict.look}
    if not decision.promoted:
        catalog.note("promotion", {"run": run.number, **event})
        catalog.finish_run(run, "done", headline)
        return
    locked: Move = ("locked", version.id, {"n": len(version.of("test"))})
    crowned = {"event": "promotion", "from": catalog.pointer("champion"), **event}
    catalog.finish_run(run, "done", headline, [locked, ("champion", str(run.number), crowned)])


def compare_with_champion(
    opened: Opened, champion: Trained, challenger: int, packed: Packed, judged: Judged, say: Say
) -> Verdict:
    """Both models on the same locked rows, paired. The look is counted before its result is known."""
    look = _count_look(opened, champion.run, challenger)
    same_view = opened.task.pack_key(champion.plan.task) == opened.task.pack_key(packed.options)
    theirs = packed if same_view else pack_version(opened, packed.version, champion.plan.task, say)
    old = judge(opened, champion, theirs, "test")
    if old.ids != judged.ids:  # a file that only one of the two encodings could read
        raise StoreError(
            "the two models do not see the same locked set", where=opened.root, cure="run `snowroll check`"
        )
    return promotion_test(
        old.credit,
        judged.credit,
        groups=judged.groups,
        strata=judged.strata,
        earlier=_earlier_sets(opened, old, judged),
        look=look,
        settings=opened.section("promotion", PromotionSettings),
    )


def _earlier_sets(opened: Opened, old: Judged, new: Judged) -> dict[str, Pairs]:
    """The locked sets that earlier champions were judged on, as far as they are smaller than today's: forgetting."""
    now = opened.samples(new.ids)
    rows = {sample: row for row, sample in enumerate(new.ids)}
    lies = {now[sample].content: row for sample, row in rows.items()}  # its file may have been moved since
    found: dict[str, Pairs] = {}
    for number, value in enumerate(opened.store.catalog.pointer_history("locked"), 1):
        version = opened.store.catalog.version(value, opened.store.blobs)
        ids = [item.sample for item in version.of("test")] if version else []
        then = opened.samples(ids)
        placed = {rows.get(name, lies.get(then[name].content)) for name in ids if name in then}
        kept = np.array(sorted(row for row in placed if row is not None), dtype=int)
        if 0 < len(kept) < len(rows):
            groups = [new.groups[row] for row in kept]
            found[f"locked set {number}"] = Pairs(old.credit[kept], new.credit[kept], groups)
    return found


def _count_look(opened: Opened, champion: int, challenger: int) -> int:
    """How many challengers this champion has faced up to this one; looking at the same one again is no new look."""
    looks: dict[str, list[int]] = json.loads(opened.store.catalog.pointer("looks") or "{}")  # champion -> challengers
    faced = looks.setdefault(str(champion), [])
    if challenger not in faced:
        faced.append(challenger)
        opened.store.catalog.set_pointer("looks", json.dumps(looks), {"look": len(faced)})
    return faced.index(challenger) + 1


def _plain(value: Json) -> Json:
    """numpy scalars and infinities as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
