"""What the checks found that does not depend on splits, kept: packs/faults/<key>.npz. A cache, safe to delete."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from snowroll.base import atomic
from snowroll.base.nouns import Fault
from snowroll.prepare.check import SplitFree
from snowroll.prepare.groups_check import Hint
from snowroll.prepare.likeness import Pairs

_PAIRS = ("a", "b", "detail", "copy")


def keep_split_free(path: Path, found: SplitFree) -> None:
    """In place of what was found of any other stock."""
    told = {
        "hint": found.hint and asdict(found.hint),
        "seen": [asdict(fault) for fault in found.seen],
        "told": [asdict(fault) for fault in found.told],
        "measured": list(found.measured),
    }
    arrays = {f"pairs {name}": getattr(found.pairs, name) for name in _PAIRS}
    arrays |= {f"measured {number}": values for number, values in enumerate(found.measured.values())}
    out = io.BytesIO()
    np.savez(out, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
    for other in path.parent.glob("*.npz"):
        other.unlink(missing_ok=True)
    atomic.write(path, out.getvalue())


def read_split_free(path: Path) -> SplitFree | None:
    """None where nothing is kept, or not whole."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            told = json.loads(kept["told"].tobytes())
            return SplitFree(
                Pairs(*(kept[f"pairs {name}"] for name in _PAIRS)),
                told["hint"] and Hint(**told["hint"]),
                tuple(map(Fault.read, told["seen"])),
                tuple(map(Fault.read, told["told"])),
                {name: kept[f"measured {number}"] for number, name in enumerate(told["measured"])},
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
