"""From the stock to an immutable version: split by group, for ever, and refused where no model could come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite, nan

from snowroll.base.errors import DataError
from snowroll.base.nouns import Item, Json, Prediction, Sample, Split, Version
from snowroll.base.task import Task
from snowroll.prepare.split import assign
from snowroll.project.opened import Opened
from snowroll.project.placements import placements
from snowroll.project.stock import Stock, class_counts

LEAST = 5  # labelled samples: one to judge by, one to choose by, three to learn from; fewer cannot be split three ways
LEARNT = 2  # of them outside a test set that people drew: a rare class that production brings stops no roll


def freeze(
    opened: Opened, stock: Stock, left_out: Mapping[str, str], alike: Mapping[str, str]
) -> tuple[Version, list[str]]:
    """An immutable version of the labelled samples, split by group; stored. Returns it and what was done, in words.

    A split once given is kept for ever, so that no sample ever moves from the locked test set into training, not even
    one that was away for a while. Raises DataError where nothing is locked away: no model could be judged.
    left_out: sample id -> the fault that keeps it out. alike: sample id -> its group of near-copies, which stand in
    for a group where none is declared, or one that the sample shares with no other.
    """
    shared = {group for group, n in Counter(s.group for s in stock.samples).items() if n > 1 and group}
    usable = [
        replace(s, group=s.group if s.group in shared else alike.get(s.id, s.group), split=_declared(s, stock))
        for s in stock.samples
        if s.id in stock.targets and s.id not in left_out
    ]
    _enough(opened, stock, usable)
    targets = [stock.targets[s.id] for s in usable]
    catalog = opened.store.catalog
    latest = catalog.pointer("version")
    parent = catalog.version(latest, opened.store.blobs) if latest else None
    strata, called = opened.task.strata(targets), "classes" if "classes" in stock.schema else "parts"
    items, words = assign(usable, targets, strata, opened.prepare, placements(opened), called)
    _refuse_unjudged(opened, items, stock.schema)
    kept_out = {sample: code for sample, code in left_out.items() if sample in stock.targets}
    # one that an input was forgotten of has not its id's items any more: what is left of it is another version
    if parent and Version.freeze(items, stock.schema, parent.parent, kept_out).id == parent.id:
        return parent, words
    version = Version.freeze(items, stock.schema, parent.id if parent else None, kept_out)
    catalog.add_version(version, opened.store.blobs)
    catalog.set_pointer("version", version.id, {"items": len(version.items)})
    return version, words


def _declared(sample: Sample, stock: Stock) -> Split | None:
    """What was drawn at random for the locked set is judged on; what was mined is learned from, never judged on."""
    if sample.id in stock.for_test:
        return "test"
    return "train" if sample.origin == "production" else sample.split


def _refuse_unjudged(opened: Opened, items: Sequence[Item], schema: Mapping[str, Json]) -> None:
    """Refuse, before anything is spent, what would end as a model that nothing can judge."""
    if not any(item.split == "test" for item in items):
        share = opened.prepare.test
        where = opened.data if share else "prepare.test 0"
        cure = "put its files back, or label some for it with `snowroll label --test 60`" if share else "say 0.2"
        raise DataError("the locked test set is empty, so no model could be judged", where=where, cure=cure)
    targets = [item.target for item in items if item.split == "test"]
    refuse_without_figure(opened.task, targets, schema, "the locked test set")


def refuse_without_figure(task: Task, targets: Sequence[Json], schema: Mapping[str, Json], where: str) -> None:
    """Raise DataError where the headline has no meaning for these targets even of one who says them."""
    if targets and _are_alike(targets):
        truth = [Prediction(target, 1.0, 0.0) for target in targets]
        if not isfinite(task.scorer(truth, targets, schema)(None).get(task.headline, nan)):
            raise no_figure(task, targets, where)


def no_figure(task: Task, targets: Sequence[Json], where: str = "") -> DataError:
    """What to tell where the headline has no meaning: R2 of numbers that are all alike."""
    alike = f": all {len(targets):,} are alike" if _are_alike(targets) else ""
    told = f"{task.headline} has no meaning for these {len(targets):,} targets{alike}"
    return DataError(told, where=where, cure="judge by samples whose targets differ")


def _are_alike(targets: Sequence[Json]) -> bool:
    return all(target == targets[0] for target in targets)


def _enough(opened: Opened, stock: Stock, usable: Sequence[Sample]) -> None:
    """Refuse to train before there is enough: of every class, where a target is one class, saying how many are missing.

    Of several objects in a sample some class may be rare: that is for the check to name.
    """
    targets = [stock.targets[s.id] for s in usable]
    learnt = [stock.targets[s.id] for s in usable if s.id not in stock.for_test]
    counts, own = class_counts(opened.task, targets), class_counts(opened.task, learnt)
    is_drawn = len(learnt) < len(targets)  # people labelled some for the locked test set: nothing learns from those
    apart = f", {LEARNT} of them not for the locked test set" if is_drawn else ""
    more = f"label more with `snowroll label{' --k 30' if is_drawn else ''}`"
    if stock.schema["type"] != "choice":
        if not counts:
            raise DataError("no labelled samples", where=opened.data, cure="label samples with `snowroll label`")
        if _missing(len(targets), len(learnt)):
            told = f"{len(targets)} labelled samples, and {LEAST}{apart} are the least"
            raise DataError(told, where=opened.data, cure=f"add some, or {more}")
        return
    for name in stock.schema["classes"]:
        counts.setdefault(str(name), 0)
    if len(counts) < 2:
        told = f"only one class ('{next(iter(counts))}')" if targets else "no labelled samples"
        raise DataError(told, where=opened.data, cure="add a second class, or label samples with `snowroll label`")
    missing = {name: n for name, count in counts.items() if (n := _missing(count, own[name])) > 0}
    if missing:
        told = ", ".join(f"{count} more of '{name}'" for name, count in sorted(missing.items())[:8])
        none = "" if targets else "no labelled samples; "
        raise DataError(
            f"{none}each class needs {LEAST} labelled samples{apart}: {told}",
            where=opened.data,
            cure=f"add them, or {more}",
        )


def _missing(n: int, learnt: int) -> int:
    """Of n labelled samples, of which so many may be learnt from, how many are missing."""
    return max(LEAST - n, LEARNT - learnt, 0)
