"""The facts that planning rules look at, measured once a version."""

from __future__ import annotations

import json

from snowroll.base import atomic
from snowroll.base.nouns import Json, Version
from snowroll.project.looks import columns, look_at
from snowroll.project.opened import Opened, Say


def known_facts(opened: Opened, version: Version) -> dict[str, Json] | None:
    """Facts measured before, or None. A cache: safe to delete."""
    path = opened.store.packs / "facts" / f"{version.id}.json"
    return json.loads(path.read_text()) if path.exists() else None


def measure_facts(opened: Opened, version: Version, say: Say) -> dict[str, Json]:
    """Look at the version's training items (never at the locked test set: a plan must not depend on it)."""
    items = {item.sample: item for item in version.of("train")}
    samples = opened.samples(list(items))
    looks = look_at(opened, list(samples.values()), say)
    readable = [sample for sample, seen in looks.items() if not seen.reason]
    targets = [items[sample].target for sample in readable]
    facts = opened.task.facts(columns([looks[sample] for sample in readable]), targets, version.schema)
    free = [item.group for item in version.items if item.split != "test"]
    facts["groups"] = len(set(free)) if all(free) else 0  # to learn from and to choose by; 0: not all are told
    if not opened.store.read_only:
        atomic.write_json(opened.store.packs / "facts" / f"{version.id}.json", facts)
    return facts
