"""From the user's folder to batches: index, check, freeze a version, pack it, gather rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite, nan
from typing import Any

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Item, Json, Plan, Prediction, Sample, Split, Version, canonical, digest
from snowroll.base.task import Columns, Reading, Task
from snowroll.prepare.index import index, stamp
from snowroll.prepare.pack import Pack, Ragged
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split import assign
from snowroll.project.code import code_beside
from snowroll.project.opened import Opened, Say
from snowroll.project.placements import placements

MOST_SKIPPED = 1_000  # files passed over that are remembered by name


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is to learn from now: the folder's samples and production's, with the labels people gave."""

    samples: tuple[Sample, ...]
    targets: Mapping[str, Json]  # sample id -> target; absent: not labelled
    for_test: frozenset[str]  # labelled for the locked test set
    layout: str
    skipped: Mapping[str, str]  # where -> why it is no sample
    schema: Mapping[str, Json]


def take_stock(opened: Opened, say: Say) -> Stock:
    """Index what changed in the folder since the last time, and join the labels given since."""
    catalog = opened.store.catalog
    seen = stamp(opened.folder.root, opened.prepare)
    if catalog.pointer("folder") != seen:
        reading = read(opened)
        say(f"indexing {len(reading.found):,} samples ...")
        fresh = index(opened.folder, reading, opened.task.kind, stream=opened.stream)
        _sync(opened, fresh)
        passed_over = {**reading.skipped, **opened.folder.refused}
        told = {
            "evidence": list(reading.evidence),
            "skipped": dict(list(passed_over.items())[:MOST_SKIPPED]),
            "schema": dict(reading.schema),
        }
        catalog.set_pointer("layout", reading.layout, told)
        catalog.set_pointer("folder", seen, {"samples": len(fresh)})
    samples = tuple(sorted(catalog.samples().values(), key=lambda sample: sample.where))
    labels = catalog.labels()
    targets = {sample.id: sample.target for sample in samples if sample.target is not None}
    targets |= {label.sample: label.target for label in labels.values() if label.target is not None}
    for_test = frozenset(label.sample for label in labels.values() if label.for_test)
    named = [*opened.prepare.labels, *targets.values()]
    story = catalog.story("layout") or {}
    schema = {**story.get("schema", {}), **opened.task.schema(named)}
    return Stock(samples, targets, for_test, catalog.pointer("layout") or "", story.get("skipped", {}), schema)


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


def _as_before(opened: Opened) -> PrepareSettings:
    """What the task reads folders by as it was found the first time: samples of a folder that grows stay what they are.

    Nothing of it once the user settles another.
    """
    story = opened.store.catalog.story("layout")
    known = story.get("schema", {}) if story else {}
    before = {name: known[name] for name in getattr(opened.task, "reads", ()) if name in known}
    asked = opened.prepare.asked
    if any(canonical(before[name]) != canonical(value) for name, value in asked.items() if name in before):
        return opened.prepare
    return replace(opened.prepare, asked={**before, **asked})


def _sync(opened: Opened, fresh: Sequence[Sample]) -> None:
    catalog = opened.store.catalog
    known = catalog.samples()
    present = {sample.id for sample in fresh}
    gone = [s.id for s in known.values() if s.origin == "collected" and s.id not in present]
    catalog.add_samples(fresh)
    if gone:
        catalog.retire_samples(gone, "the file was changed or removed")


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
    version = Version.freeze(items, stock.schema, parent.id if parent else None, kept_out)
    if parent and (parent.items, parent.schema, parent.left_out) == (version.items, version.schema, version.left_out):
        return parent, words
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


LEAST = 5  # labelled samples: one to judge by, one to choose by, three to learn from; fewer cannot be split three ways


def _enough(opened: Opened, stock: Stock, usable: Sequence[Sample]) -> None:
    """Refuse to train before there is enough: of every class, where a target is one class, saying how many are missing.

    Of several objects in a sample some class may be rare: that is for the check to name.
    """
    targets = [stock.targets[s.id] for s in usable]
    counts = class_counts(opened.task, targets)
    if not counts:
        cure = "label samples with `snowroll label`"
        raise DataError("no labelled samples", where=opened.data, cure=cure)
    if stock.schema["type"] != "choice":
        if len(targets) < LEAST:
            told = f"{len(targets)} labelled samples, and {LEAST} are the least"
            raise DataError(told, where=opened.data, cure="add some, or label more with `snowroll label`")
        return
    for name in stock.schema["classes"]:
        counts.setdefault(str(name), 0)
    if len(counts) < 2:
        cure = "add a second class, or label samples with `snowroll label`"
        raise DataError(f"only one class ('{next(iter(counts))}')", where=opened.data, cure=cure)
    missing = {name: LEAST - count for name, count in counts.items() if count < LEAST}
    if missing:
        told = ", ".join(f"{count} more of '{name}'" for name, count in sorted(missing.items())[:8])
        cure = "add them, or label more with `snowroll label`"
        raise DataError(f"each class needs {LEAST} labelled samples: {told}", where=opened.data, cure=cure)


def class_counts(task: Task, targets: Sequence[Json]) -> Counter[str]:
    """How often each class is seen: in a picture, or as objects where one holds several."""
    of_classes = getattr(task, "of_classes", None)
    return Counter(task.strata(targets) if of_classes is None else of_classes(targets))


@dataclass(frozen=True, slots=True)
class Packed:
    """A version decoded into columns: row i is item i."""

    version: Version
    pack: Pack
    targets: Columns  # encoded targets, row by row
    rows: Mapping[Split, np.ndarray]  # readable rows of each split; of train, those that teach
    schema: Mapping[str, Json]  # the version's, with what the task's options add to it
    options: Any  # the task's, as the pack was encoded with them
    teaches: np.ndarray  # [n] bool: what may be learnt from, if it is not locked

    def items(self, split: Split) -> list[Any]:
        return [self.version.items[row] for row in self.rows[split]]


def pack_version(opened: Opened, version: Version, options: Any, say: Say) -> Packed:
    """Decode the version once, in parallel, or open the pack made before."""
    task = opened.task
    samples = opened.samples([item.sample for item in version.items])
    pack = packed_samples(opened, [samples[item.sample] for item in version.items], options, say)
    readable = np.array([row not in pack.failed for row in range(len(version.items))], dtype=bool)
    if not readable.any():
        why = next(iter(pack.failed.values()), "it holds no samples")
        raise DataError(f"not one of the {len(readable):,} samples can be decoded: {why}", where=opened.data)
    complete = getattr(task, "completed_schema", None)
    schema = version.schema if complete is None else complete(version.schema, options)
    targets = task.encode_targets([item.target for item in version.items], schema, dict(pack.columns))
    splits = np.array([item.split for item in version.items])
    ask = getattr(task, "teaches", None)
    teaches = readable if ask is None else readable & ask([item.target for item in version.items], options)
    if (splits == "train").any() and not (teaches & (splits == "train")).any():
        cure = "put some into the training split"
        raise DataError("no sample of the training split is one to learn from", where=opened.data, cure=cure)
    rows: dict[Split, np.ndarray] = {
        "train": np.flatnonzero((splits == "train") & teaches),
        "val": np.flatnonzero((splits == "val") & readable),
        "test": np.flatnonzero((splits == "test") & readable),
    }
    return Packed(version, pack, targets, rows, schema, options, teaches)


def packed_samples(opened: Opened, samples: Sequence[Sample], options: Any, say: Say) -> Pack:
    """The samples as columns, from the cache if these contents were encoded this way, by this code, before."""
    task = opened.task
    limit = opened.prepare.megapixels
    how = [task.pack_key(options), limit, code_beside(type(task), Pack)]
    key = digest(task.name, canonical(how), *[sample.content for sample in samples])
    return Pack.cached(
        opened.store.packs / key,
        [(sample.where, sample.content) for sample in samples],
        stream=opened.stream,
        encode=(partial(task.encode, megapixels=limit), options),
        ragged=task.ragged,
        workers=opened.prepare.workers,
        say=say,
    )


MOST_AT_ONCE = 256  # rows, when nothing is trained


def rows_at_once(plan: Plan) -> int:
    """How many rows are answered together when nothing is trained: who learns in small batches has large samples.

    A batch of training's stays below its peak of memory; two went beyond it (ResNet-18 at 128 px). Where parts of
    samples are learnt from, whole ones weigh more.
    """
    return max(1, min(MOST_AT_ONCE, plan.batch // getattr(plan.task, "parts", 1) ** 2))


def gather(opened: Opened, packed: Packed, rows: np.ndarray, device: str) -> Batch:
    """The batch of these rows, not augmented."""
    import torch

    columns = packed.pack.gather(rows, device)
    columns |= {name: torch.from_numpy(column[rows]).to(device) for name, column in packed.targets.items()}
    return opened.task.batch(columns, torch.from_numpy(np.ascontiguousarray(rows)).to(device))


def batches_of(opened: Opened, packed: Packed, rows: np.ndarray, plan: Plan, device: str) -> Iterator[Batch]:
    """These rows in their order, as many at once as the plan's samples allow; not augmented."""
    size = rows_at_once(plan)
    for start in range(0, len(rows), size):
        yield gather(opened, packed, rows[start : start + size], device)


def stacked(rows: Sequence[Columns], ragged: frozenset[str]) -> Columns:
    """Encoded samples that are in no pack, as `Pack.gather` would give them."""
    import torch

    found: Columns = {}
    for name in rows[0]:
        values = [np.asarray(row[name]) for row in rows]
        if name in ragged:
            offsets = np.cumsum([0, *[len(value) for value in values]])
            found[name] = Ragged(torch.from_numpy(np.concatenate(values)), torch.from_numpy(offsets))
        else:
            found[name] = torch.from_numpy(np.stack(values))
    return found


def training_batches(
    opened: Opened, packed: Packed, rows: np.ndarray, plan: Plan, rank: int = 0, world: int = 1
) -> Callable[[int], Batch]:
    """`batches(step)`: order and augmentation as a pure function of (seed, epoch, sample)."""
    from snowroll.prepare.augment import CounterDraw
    from snowroll.train import order

    def batches(step: int) -> Batch:
        positions, epoch = order.rows(step, plan.batch, len(rows), plan.seed, world, rank)
        batch = gather(opened, packed, rows[positions], plan.device)
        return opened.task.augment(batch, CounterDraw(plan.seed, epoch, batch.ids), plan.task)

    return batches
