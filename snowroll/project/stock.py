"""What there is to learn from now: the samples of the user's folder and of production, with their labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Sample, canonical
from snowroll.base.parts import own
from snowroll.base.task import Reading, Task
from snowroll.prepare.disk import OURS
from snowroll.prepare.index import index, stamp
from snowroll.prepare.manifest import TWO_ROWS, TWO_SPLITS
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.trees import oversized
from snowroll.prepare.wfdb import ABSENT
from snowroll.project.labels import said_now
from snowroll.project.opened import Opened, Say

MOST_NAMED = 1_000  # files passed over for one reason that are remembered by name
MOST_REASONS = 100  # that are told apart
_FAMILIES = (TWO_ROWS, TWO_SPLITS, ABSENT)  # reasons by how they begin: what follows differs from file to file


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Files that are no samples, for one reason: how many, and the first of them."""

    n: int
    some: tuple[str, ...]
    first: str = ""  # all that is said of the first of them, where it differs from file to file


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is to learn from now: the folder's samples and production's, with the labels people gave."""

    samples: tuple[Sample, ...]
    targets: Mapping[str, Json]  # sample id -> target; absent: not labelled
    for_test: frozenset[str]  # labelled for the locked test set
    layout: str
    skipped: Mapping[str, PassedOver]  # by why they are no samples
    schema: Mapping[str, Json]
    annotators: Mapping[str, str] = field(default_factory=dict)  # sample id -> who labelled it, where that is known


def take_stock(opened: Opened, say: Say) -> Stock:
    """Index what changed in the folder since the last time, and join the labels given since."""
    catalog = opened.store.catalog
    seen = stamp(opened.folder.root, opened.prepare)
    if catalog.pointer("folder") != seen:
        _index(opened, seen, say)
    samples = tuple(sorted(catalog.samples().values(), key=lambda sample: sample.where))
    said = said_now(opened, samples)
    labels = said.labels
    for old, name in said.renamed.items():
        say(f"people said '{old}' of some, which the folder calls '{name}' by now: they count as '{name}'")
    targets = {sample.id: sample.target for sample in samples if sample.target is not None}
    targets |= {label.sample: label.target for label in labels.values() if label.target is not None}
    for_test = frozenset(label.sample for label in labels.values() if label.for_test)
    named = [*opened.prepare.labels, *targets.values()]
    story = catalog.story("layout") or {}
    schema = {**story.get("schema", {}), **opened.task.schema(named)}
    told = story.get("passed_over")
    if told is None:  # indexed by an older Snowroll
        skipped = _by_reason(opened, story.get("skipped", {}))
    else:
        skipped = {why: PassedOver(one["n"], tuple(one["some"]), one.get("first", "")) for why, one in told.items()}
    # who answered on the label page was asked about doubtful ones: no match for a manifest's annotators
    named_there = {where: who for who, wheres in story.get("annotators", {}).items() for where in wheres}
    annotators = {s.id: named_there[s.where] for s in samples if s.where in named_there and s.id not in labels}
    annotators = annotators or {label.sample: label.by for label in labels.values() if label.target is not None}
    return Stock(samples, targets, for_test, catalog.pointer("layout") or "", skipped, schema, annotators)


def _index(opened: Opened, seen: str, say: Say) -> None:
    """Bring the catalog's samples to what lies in the folder now. seen: the folder's stamp, taken before."""
    catalog = opened.store.catalog
    reading = read(opened)
    _refuse_lost_labels(opened, reading)
    say(f"indexing {len(reading.found):,} samples ...")
    fresh = index(opened.folder, reading, opened.task.kind, stream=opened.stream)
    present = {sample.id for sample in fresh}
    gone = [s.id for s in catalog.samples().values() if s.origin == "collected" and s.id not in present]
    catalog.add_samples(fresh)
    if gone:
        catalog.retire_samples(gone, "the file was changed or removed")
    too_large = oversized(opened.folder, [found.where for found in reading.found])
    passed_over = {**reading.skipped, **too_large, **opened.folder.refused}
    told = {
        "evidence": list(reading.evidence),
        "passed_over": {why: asdict(one) for why, one in _by_reason(opened, passed_over).items()},
        "schema": dict(reading.schema),
    }
    if annotators := _by_annotator(reading):
        told["annotators"] = annotators
    catalog.set_pointer("layout", reading.layout, told)
    catalog.set_pointer("folder", seen, {"samples": len(fresh)})


def _by_reason(opened: Opened, skipped: Mapping[str, str]) -> dict[str, PassedOver]:
    """Every file is counted; of each reason the first are named. The project's own files are none of them."""
    ours = OURS if opened.data == opened.root.resolve() else ()
    counts: Counter[str] = Counter()
    some: dict[str, list[str]] = {}
    for where, why in skipped.items():
        if where in ours:
            continue
        reason = next((one for one in _FAMILIES if why.startswith(one)), re.sub(r" line \d+", "", why))
        if reason not in some and len(some) >= MOST_REASONS:
            reason = "for other reasons"
        counts[reason] += 1
        named = some.setdefault(reason, [])
        if len(named) < MOST_NAMED:
            named.append(where)

    def first(why: str) -> str:
        return skipped[some[why][0]] if why in _FAMILIES else ""

    return {why: PassedOver(counts[why], tuple(named), first(why)) for why, named in some.items()}


def _by_annotator(reading: Reading) -> dict[str, list[str]]:
    """Annotator -> where the samples lie that a manifest says are theirs."""
    found: dict[str, list[str]] = {}
    for one in reading.found:
        if one.annotator is not None:
            found.setdefault(one.annotator, []).append(one.where)
    return found


def read(opened: Opened) -> Reading:
    """How the project's task understands the folder. Raises DataError if it does not."""
    reading = opened.task.recognise(opened.folder, _as_before(opened))
    if reading is None:
        raise DataError(
            f"nothing here that task '{opened.task.name}' can read",
            where=opened.data,
            cure="put class folders, a manifest, an archive or an .npz there, or give --labels a,b,c",
        )
    return reading


def _refuse_lost_labels(opened: Opened, reading: Reading) -> None:
    """Refuse to go on where prepare.labels, meant to add a class, takes those away that the folder has taught."""
    catalog, labels = opened.store.catalog, opened.prepare.labels
    if not labels or catalog.pointer("version") is None:
        return
    collected = [sample for sample in catalog.samples().values() if sample.origin == "collected"]
    had = {sample.target for sample in collected if isinstance(sample.target, str)}
    left = {found.target for found in reading.found if isinstance(found.target, str)}
    if len(had) >= 2 > len(left):
        named = ", ".join(sorted(had)[:8])
        told = f"labels does not name {named}: the files of {len(had):,} classes would lose their labels"
        every = ", ".join(f'"{name}"' for name in sorted({*had, *labels}))
        raise DataError(told, where="prepare.labels", cure=f"name all classes, old and new: labels = [{every}]")


def _as_before(opened: Opened) -> PrepareSettings:
    """What the task reads folders by as it was found the first time: samples of a folder that grows stay what they are.

    Nothing of it once the user settles another.
    """
    story = opened.store.catalog.story("layout")
    known = story.get("schema", {}) if story else {}
    before = {name: known[name] for name in opened.task.reads if name in known}
    asked = opened.prepare.asked
    if any(canonical(before[name]) != canonical(value) for name, value in asked.items() if name in before):
        return opened.prepare
    return replace(opened.prepare, asked={**before, **asked})


def class_counts(task: Task, targets: Sequence[Json]) -> Counter[str]:
    """How often each class is seen: in a picture, or as objects where one holds several."""
    of_classes = own(task.of_classes) or task.strata
    return Counter(of_classes(targets))
