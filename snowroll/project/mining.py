"""Which cases are worth a person's time: production's records and unlabelled files, chosen, queued, asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.nouns import Record, Sample, digest
from snowroll.prepare.features import colours, components
from snowroll.prepare.mine import choose
from snowroll.prepare.view import count
from snowroll.project.labels import said_now
from snowroll.project.looks import look_at
from snowroll.project.opened import Opened, Say
from snowroll.project.settings import LabelSettings
from snowroll.project.stock import Stock, class_counts, take_stock
from snowroll.store.rows import FOR_TEST, Queued

NEVER_MINED = 0.2  # share of all samples, by their ids, that only the locked test set takes from; a guess
WIDTH = 32  # principal components in which alike samples lie close


@dataclass(frozen=True, slots=True)
class Mined:
    """What was put into the queue, and what of."""

    learn: int
    test: int
    pool: int
    kept: int  # of the pool: never mined


def mine(opened: Opened, k: int, say: Say, records: Sequence[Record] | None = None, seed: int = 0) -> Mined:
    """Queue the `k` most worthwhile of what is not labelled yet, and a uniform share for the locked test set.

    A fifth of all samples, by the hash of their ids, is never mined (NEVER_MINED), and neither is what waits to be
    answered for the test. The test takes from that fifth, the smallest hashes first, whenever it is asked for: so it
    is a uniform draw over all of production, and doubt never decides what the models are judged on.
    """
    settings = opened.section("label", LabelSettings)
    stock = take_stock(opened, say)
    pool = _pool(opened, stock, opened.store.catalog.records() if records is None else records)
    if stock.targets:
        test = [s for s in pool if s.origin == "production" and place_of_draw(s.id) < settings.test]
    else:  # nothing is labelled yet: what models will be judged on comes first, before any is chosen for its worth
        test = _drawn(opened, stock, pool, settings.first_test)
    held = {sample.id for sample in test}
    kept = {sample.id for sample in pool if place_of_draw(sample.id) < max(NEVER_MINED, settings.test)}
    rest = [sample for sample in pool if sample.id not in held | kept]
    picks = _choose(opened, stock, rest, _doubts(opened), k or settings.k, settings.uniform, seed, say)
    asked = [Queued(sample.id, FOR_TEST, float(place)) for place, sample in enumerate(test)]
    asked += [Queued(sample.id, why, float(len(test) + place)) for place, (sample, why) in enumerate(picks)]
    waited = opened.store.catalog.waiting()
    opened.store.catalog.fill_queue(asked, about=[*test, *[sample for sample, _ in picks]])
    if gone := waited - opened.store.catalog.waiting():
        say(f"withdrawn for what is most worthwhile now: {count(len(gone), 'unanswered question')} that waited")
    return Mined(len(picks), len(test), len(pool), len(kept))


def ask_test(opened: Opened, n: int, say: Say) -> int:
    """Let `n` unlabelled samples wait for the locked test set, drawn as `mine` draws them. Returns how many wait."""
    catalog = opened.store.catalog
    stock = take_stock(opened, say)
    drawn = _drawn(opened, stock, _pool(opened, stock, catalog.records()), n)
    asked = [Queued(sample.id, FOR_TEST, place_of_draw(sample.id)) for sample in drawn]
    catalog.ask_for_test(asked, about=drawn)
    waiting = len(catalog.asked_for_test())
    if waiting < n:
        say(
            f"{waiting} of the {n} test questions asked for: they are drawn from the {NEVER_MINED:.0%} of all inputs "
            "that are never mined, so that the draw is uniform; more come with more inputs"
        )
    return waiting


def place_of_draw(sample: str) -> float:
    """In [0, 1), uniform, and of the sample alone: the smallest are drawn for the locked test set first."""
    return int(digest("test", sample), 16) / 2**64


def _drawn(opened: Opened, stock: Stock, pool: Sequence[Sample], n: int) -> list[Sample]:
    """What is missing for `n` to wait for the locked test set: from what is never mined, or from all while no label
    has been given, since nothing can have been chosen for its worth yet.
    """
    missing = max(0, n - len(opened.store.catalog.asked_for_test()))
    free = [sample for sample in pool if not stock.targets or place_of_draw(sample.id) < NEVER_MINED]
    return sorted(free, key=lambda sample: place_of_draw(sample.id))[:missing]


def _pool(opened: Opened, stock: Stock, records: Sequence[Record]) -> list[Sample]:
    """Unlabelled files and production inputs that do not wait for the locked test set, each content once, by id."""
    answered = said_now(opened, stock.samples).labels.keys() | opened.store.catalog.asked_for_test()
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
    return counts | class_counts(opened.task, [stock.targets[sample.id] for sample in labelled])
