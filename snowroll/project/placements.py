"""What the splits remember: where every sample stands that was ever in a version, though the latest is without it,
and though its file was moved, renamed or saved anew.

.snowroll/packs/placements/<version>.json    what all versions up to this one say; safe to delete, made again
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from snowroll.base import atomic
from snowroll.base.errors import StoreError
from snowroll.base.nouns import Sample, Split, Version
from snowroll.prepare.check import LEAVES_TRAINING
from snowroll.prepare.names import PIECE, stretch_of, take_apart
from snowroll.prepare.split import SAFEST
from snowroll.project.opened import Opened


def placements(opened: Opened) -> dict[str, Split]:
    """Sample id -> split, over the latest version and all it descends from; the later word counts.

    A copy that had to leave training counts as training's still: else it would come back at the next look, or, once
    its twin is deleted, come back anywhere. A file that was moved, renamed or saved anew is another sample, and stands
    where the old one stood. Only versions that are new since the last call are read.
    """
    found = _by_versions(opened)
    return found | _moved(opened, found)


def _moved(opened: Opened, found: Mapping[str, Split]) -> dict[str, Split]:
    """Where the samples stand that no version has, by retired ones: of the same content, else of the same file."""
    stood: dict[str, Split] = {}
    for sample in opened.store.catalog.retired().values():
        for mark in _marks(sample) if sample.id in found else ():
            places: list[Split] = [found[sample.id], stood.get(mark, found[sample.id])]
            stood[mark] = min(places, key=SAFEST.index)
    fresh = [s for s in opened.store.catalog.samples().values() if s.id not in found] if stood else []
    kept: dict[str, Split] = {}
    for sample in fresh:
        for mark in _marks(sample):
            if mark in stood:
                kept.setdefault(sample.id, stood[mark])
    return kept


def _marks(sample: Sample) -> tuple[str, ...]:
    """What a sample is known by when its file was moved, or saved anew: rows and parts of files have no fixed place."""
    is_whole = PIECE not in sample.where and stretch_of(sample.where) is None and take_apart(sample.where).row is None
    return (f"content {sample.content}", f"file {sample.where}") if is_whole else (f"content {sample.content}",)


def _by_versions(opened: Opened) -> dict[str, Split]:
    latest = opened.store.catalog.pointer("version")
    ahead: list[Version] = []
    found: dict[str, Split] = {}
    name = latest
    while name is not None:
        if (known := _load(_path(opened, name))) is not None:
            found = known
            break
        version = _version(opened, name)
        ahead.append(version)
        name = version.parent
    for version in reversed(ahead):
        found |= _placed(version)
    if latest is not None and ahead and not opened.store.read_only:
        atomic.write_json(_path(opened, latest), found, indent=None)
    return found


def _placed(version: Version) -> dict[str, Split]:
    splits: dict[str, Split] = {item.sample: item.split for item in version.items}
    splits.update((sample, "train") for sample, code in version.left_out.items() if code in LEAVES_TRAINING)
    return splits


def _version(opened: Opened, name: str) -> Version:
    version = opened.store.catalog.version(name, opened.store.blobs)
    if version is None:  # without it a test sample could wander into training
        cure = f"see `snowroll doctor {opened.root}`"
        raise StoreError(f"version {name} is gone, and with it where its samples stand", where=opened.root, cure=cure)
    return version


def _path(opened: Opened, version: str) -> Path:
    return opened.store.packs / "placements" / f"{version}.json"


def _load(path: Path) -> dict[str, Split] | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
