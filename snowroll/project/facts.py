"""The facts that planning rules look at, measured once a version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from snowroll.base import atomic
from snowroll.base.nouns import Json, Sample, Version, canonical, digest
from snowroll.base.parts import own
from snowroll.project.looks import columns, look_at
from snowroll.project.opened import Opened, Say

MOST_READ = 64 << 20  # bytes that a task's `read_facts` is given; of more, as many samples as hold them


def known_facts(opened: Opened, version: Version) -> dict[str, Json] | None:
    """Facts measured before, or None. A cache: safe to delete."""
    path = _path(opened, version)
    return json.loads(path.read_text()) if path.exists() else None


def measure_facts(opened: Opened, version: Version, say: Say) -> dict[str, Json]:
    """Look at the version's training items (never at the locked test set: a plan must not depend on it)."""
    items = {item.sample: item for item in version.of("train")}
    samples = opened.samples(list(items))
    looks = look_at(opened, list(samples.values()), say)
    readable = [sample for sample, seen in looks.items() if not seen.reason]
    targets = [items[sample].target for sample in readable]
    facts = opened.task.facts(columns([looks[sample] for sample in readable]), targets, version.schema)
    read = own(opened.task.read_facts)
    if read is not None:
        facts |= read(_raws(opened, [samples[sample] for sample in readable], looks), _settled(opened))
    free = [item.group for item in version.items if item.split != "test"]
    facts["groups"] = len(set(free)) if all(free) else 0  # to learn from and to choose by; 0: not all are told
    if not opened.store.read_only:
        atomic.write_json(_path(opened, version), facts)
    return facts


def _raws(opened: Opened, samples: Sequence[Sample], looks: Any) -> Iterator[bytes]:
    """The bytes of the samples. Ids are hashes, so the first of them are a draw from all."""
    wheres, size = [], 0
    for sample in sorted(samples, key=lambda sample: sample.id):
        wheres.append(sample.where)
        if (size := size + looks[sample.id].bytes) >= MOST_READ:
            break
    return (raw for _, raw in opened.stream(wheres))


def _settled(opened: Opened) -> Any:
    """The task's options as the user wrote them, before any rule."""
    return opened.settings.section("task", opened.task.Options, beside=("name",))[0]


def _path(opened: Opened, version: Version) -> Path:
    """Where a task reads its samples for facts, they hang on what the user settled, too."""
    is_read = own(opened.task.read_facts) is not None
    name = f"{version.id}-{digest(canonical(_settled(opened)))}" if is_read else version.id
    return opened.store.packs / "facts" / f"{name}.json"
