"""What was seen of each sample, once: the looks that checks, facts and drift share. A cache, safe to delete."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snowroll.base import atomic
from snowroll.base.errors import DataError
from snowroll.base.nouns import Sample, digest
from snowroll.prepare.decode import limited
from snowroll.prepare.features import TEXTURE
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.project.opened import Opened, Say

_ARRAYS = {"thumbnail": (THUMBNAIL_PX, THUMBNAIL_PX, 3), "texture": (TEXTURE,)}  # a file each
_PLAIN = [f.name for f in fields(Look) if f.name not in _ARRAYS]


def look_at(opened: Opened, samples: Sequence[Sample], say: Say) -> dict[str, Look]:
    """Sample id -> Look, as the task looks. Only contents never seen before are decoded, in limited children."""
    path = opened.store.packs / "looks" / f"{opened.prepare.megapixels:g}"  # a raised limit shows more
    seen = _load(path)
    seen = {sha: look for sha, look in seen.items() if not look.cure.startswith("pip install")}  # it may be by now
    missing = {sample.content: sample.where for sample in samples if sample.content not in seen}
    if missing:
        say(f"looking at {len(missing):,} {opened.task.kind}s ...")
        seen |= _decode(opened, missing)
        if not opened.store.read_only:
            kept = opened.store.catalog.contents() | {sample.content for sample in samples}
            _save(path, {sha: look for sha, look in seen.items() if sha in kept})  # what was evicted leaves no picture
    return {sample.id: seen[sample.content] for sample in samples if sample.content in seen}


def columns(looks: Sequence[Look]) -> dict[str, np.ndarray]:
    """Looks of readable samples as the columns that `Task.facts` takes."""
    names = dict.fromkeys(name for seen in looks for name in seen.own)
    return {
        "width": np.array([seen.upright[0] for seen in looks]),
        "height": np.array([seen.upright[1] for seen in looks]),
        "grey": np.array([_is_grey(seen.thumbnail) for seen in looks]),
        "brightness": np.array([seen.brightness for seen in looks]),
        "thumbnail": np.stack([seen.thumbnail for seen in looks]) if looks else np.zeros((0, 32, 32, 3), np.uint8),
        **{name: np.array([seen.own.get(name, np.nan) for seen in looks]) for name in names},
    }


def _is_grey(thumbnail: np.ndarray) -> bool:
    spread = thumbnail.max(axis=2).astype(int) - thumbnail.min(axis=2)
    return bool((spread <= 2).mean() > 0.98)  # JPEG may tint a grey picture by a level or two


def _decode(opened: Opened, missing: dict[str, str]) -> dict[str, Look]:
    content = {where: sha for sha, where in missing.items()}
    jobs = ((content[where], raw) for where, raw in opened.stream(content))
    found: dict[str, Look] = {}
    look = partial(opened.task.look, megapixels=opened.prepare.megapixels)
    for sha, result in limited(look, jobs, opened.prepare.workers):
        # a sample that killed its child is unreadable too, and says why
        found[sha] = Look(0, reason=result.what) if isinstance(result, DataError) else result
    return found


def _save(folder: Path, seen: dict[str, Look]) -> None:
    """The arrays first, under names that the table then tells: whoever is killed between them leaves the old ones."""
    order = sorted(seen)
    of = digest(*order)
    for name in _ARRAYS:
        buffer = io.BytesIO()
        np.save(buffer, np.stack([getattr(seen[sha], name) for sha in order]))
        atomic.write(folder / f"{name}s-{of}.npy", buffer.getvalue())
    rows = [[sha, *[getattr(seen[sha], name) for name in _PLAIN]] for sha in order]
    atomic.write_json(folder / "looks.json", {"fields": _PLAIN, "arrays": of, "rows": rows}, indent=None)
    for path in folder.glob("*.npy"):
        if not path.stem.endswith(f"-{of}"):
            path.unlink(missing_ok=True)


def _load(folder: Path) -> dict[str, Look]:
    """The cache, or nothing where it is absent or of another make."""
    try:
        told: dict[str, Any] = json.loads((folder / "looks.json").read_text())
        paths = {name: folder / f"{name}s-{told['arrays']}.npy" for name in _ARRAYS}
        arrays = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()}
    except (OSError, ValueError, KeyError):
        return {}
    sound = all(arrays[name].shape == (len(told["rows"]), *shape) for name, shape in _ARRAYS.items())
    if told.get("fields") != _PLAIN or not sound:
        return {}
    return {
        row[0]: Look(**dict(zip(_PLAIN, row[1:], strict=True)), **{name: array[i] for name, array in arrays.items()})
        for i, row in enumerate(told["rows"])
    }
