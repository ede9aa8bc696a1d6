"""Which cases are worth a person's time: production's records and unlabelled files, chosen, queued, asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.nouns import Record, Sample, digest
from snowroll.prepare.features import colours, components
from snowroll.prepare.mine import choose
from snowroll.project.data import Stock, take_stock
from snowroll.project.looks import look_at
from snowroll.project.opened import Opened, Say
from snowroll.project.settings import LabelSettings
from snowroll.store.rows import FOR_TEST, Queued

WIDTH = 32  # principal components in which alike samples lie close


@dataclass(frozen=True, slots=True)
class Mined:
    """What was put into the queue."""

    learn: int
    test: int
    pool: int


def mine(opened: Opened, k: int, say: Say, records: Sequence[Record] | None = None, seed: int = 0) -> Mined:
    """Queue the `k` most worthwhile of what is not labelled yet, and a uniform share for the locked test set.

    The test share is drawn by the hash of each input's id before anything is mined, so that doubt never decides what
    the models are judged on.
    """
    settings = opened.section("label", LabelSettings)
    stock = take_stock(opened, say)
    pool = _pool(opened, stock, opened.store.catalog.records() if records is None else records)
    if stock.targets:
        from_production = [sample for sample in pool if sample.origin == "production"]
        test = [sample for sample in from_production if is_for_test(sample.id, settings.test)]
    else:  # nothing is labelled yet: what models will be judged on comes first, before any is chosen for its worth
        test = [pool[row] for row in np.random.default_rng(seed).permutation(len(pool))[: settings.first_test]]
    held = {sample.id for sample in test}
    rest = [sample for sample in pool if sample.id not in held]
    picks = _choose(opened, stock, rest, _doubts(opened), k or settings.k, settings.uniform, seed, say)
    asked = [Queued(sample.id, FOR_TEST, float(place)) for place, sample in enumerate(test)]
    asked += [Queued(sample.id, why, float(len(test) + place)) for place, (sample, why) in enumerate(picks)]
    opened.store.catalog.fill_queue(asked, about=[*test, *[sample for sample, _ in picks]])
    return Mined(len(picks), len(test), len(pool))


def ask_test(opened: Opened, n: int, say: Say, seed: int = 0) -> int:
    """Queue `n` unlabelled samples, uniform at random, for the locked test set. Returns how many there were."""
    stock = take_stock(opened, say)
    pool = _pool(opened, stock, opened.store.catalog.records())
    drawn = np.random.default_rng(seed).permutation(len(pool))[:n]
    asked = [Queued(pool[row].id, FOR_TEST, float(place)) for place, row in enumerate(drawn)]
    opened.store.catalog.fill_queue(asked, about=[pool[row] for row in drawn])
    return len(drawn)


def is_for_test(sample: str, share: float) -> bool:
    """A uniform draw that depends on the sample alone: asked again, the same answer."""
    return int(digest("test", sample), 16) / 2**64 < share


def _pool(opened: Opened, stock: Stock, records: Sequence[Record]) -> list[Sample]:
    """Unlabelled files and production inputs, each content once, by id."""
    answered = set(opened.store.catalog.labels())
    known = {sample.content for sample in stock.samples if sample.id in stock.targets or sample.id in answered}
    pool = {s.content: s for s in stock.samples if s.id not in stock.targets and s.id not in answered}
    for sample in samples_of(opened, records):
        pool.setdefault(sample.content, sample)
    return sorted((s for content, s in pool.items() if content not in known), key=lambda sample: sample.id)


def samples_of(opened: Opened, records: Sequence[Record]) -> list[Sample]:
    """Production's inputs as samples, in the order of the records."""
    kind = opened.task.kind
    return [
        Sample(Sample.name(r.id, r.content), f"blob:{r.content}", r.content, kind, origin="production") for r in records
    ]


def _doubts(opened: Opened) -> dict[str, float]:
    """Content -> how unsure the model that answered was."""
    return {record.content: record.doubt for record in opened.store.catalog.records()}


def _choose(
    opened: Opened,
    stock: Stock,
    pool: Sequence[Sample],
    doubts: Mapping[str, float],
    k: int,
    uniform: float,
    seed: int,
    say: Say,
) -> list[tuple[Sample, str]]:
    labelled = [sample for sample in stock.samples if sample.id in stock.targets]
    looks = look_at(opened, [*pool, *labelled], say)
    pool = [sample for sample in pool if not looks[sample.id].reason]
    labelled = [sample for sample in labelled if not looks[sample.id].reason]
    if not pool:
        return []
    thumbnails = np.stack([looks[sample.id].thumbnail for sample in [*pool, *labelled]])
    flat = colours(thumbnails)
    features = components(flat, WIDTH, seed).apply(flat)
    doubt = np.array([doubts.get(sample.content, np.nan) for sample in pool])
    known = ~np.isnan(doubt)
    per_class = list(_counts(opened, stock, labelled).values())
    picks = choose(
        k,
        np.where(known, doubt, 1.0) if known.any() else None,  # what no model has seen yet is as doubtful as can be
        features[: len(pool)],
        features[len(pool) :],
        per_class,
        seed=seed,
        random_share=uniform,
    )
    return [(pool[pick.index], pick.why) for pick in picks]


def _counts(opened: Opened, stock: Stock, labelled: Sequence[Sample]) -> dict[str, int]:
    counts = dict.fromkeys(map(str, stock.schema.get("classes", ())), 0)
    for stratum in opened.task.strata([stock.targets[sample.id] for sample in labelled]):
        counts[stratum] = counts.get(stratum, 0) + 1
    return counts
