"""From a version to batches: packed once, then gathered row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from snowroll.base.errors import DataError, GateError
from snowroll.base.listing import few
from snowroll.base.nouns import Batch, Json, Plan, Sample, Split, Version, canonical, digest
from snowroll.base.parts import own
from snowroll.base.task import Columns
from snowroll.prepare.pack import Pack, Ragged
from snowroll.project.code import code_beside
from snowroll.project.opened import Opened, Say

MOST_AT_ONCE = 256  # rows, when nothing is trained


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
    lies = _where_now(opened, [samples[item.sample] for item in version.items])
    pack = packed_samples(opened, lies, options, say)
    readable = np.array([row not in pack.failed for row in range(len(version.items))], dtype=bool)
    if not readable.any():
        why = next(iter(pack.failed.values()), "it holds no samples")
        raise DataError(f"not one of the {len(readable):,} samples can be decoded: {why}", where=opened.data)
    schema = task.completed_schema(version.schema, options)
    targets = task.encode_targets([item.target for item in version.items], schema, dict(pack.columns))
    splits = np.array([item.split for item in version.items])
    ask = own(task.teaches)
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


def _where_now(opened: Opened, samples: Sequence[Sample]) -> list[Sample]:
    """The samples of a version, those whose file was moved since as they lie now: one of the same content for each."""
    retired = opened.store.catalog.retired().keys() & {sample.id for sample in samples}
    if opened.guests or not retired:
        return list(samples)
    own = {sample.id for sample in samples}
    free: dict[str, list[str]] = defaultdict(list)
    for sample in opened.store.catalog.samples().values():
        if sample.id not in own:
            free[sample.content].append(sample.where)
    return [replace(s, where=free[s.content].pop()) if s.id in retired and free[s.content] else s for s in samples]


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


def plain_batches(opened: Opened, packed: Packed, rows: np.ndarray, plan: Plan) -> Callable[[int], Batch]:
    """The same rows as they are: not augmented, whole where parts are learnt from."""
    from snowroll.train import order

    def plain(step: int) -> Batch:
        positions, _ = order.rows(step, plan.batch, len(rows), plan.seed)
        return opened.task.thinned(gather(opened, packed, rows[positions], plan.device), plan.task)

    return plain


@contextmanager
def naming(opened: Opened, packed: Packed) -> Iterator[None]:
    """An error that knows whose rows are at fault leaves with their files."""
    try:
        yield
    except GateError as fault:
        fault.where = fault.where or files_of(opened, packed, fault.rows)
        raise


def files_of(opened: Opened, packed: Packed, rows: Sequence[int]) -> str:
    """The first few, as a person finds them."""
    samples = opened.store.catalog.samples()
    return few([samples[packed.version.items[row].sample].where for row in rows], 3)
