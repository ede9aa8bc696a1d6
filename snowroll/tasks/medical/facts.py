"""What the planning rules of both medical tasks want to know of a set of scans."""

from __future__ import annotations

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns


def scan_facts(columns: Columns) -> dict[str, Json]:
    """Medians of shapes, spacings and intensities. Spacings are zeros where half of the scans do not tell theirs."""
    middle = {name: float(np.median(columns[name])) for name in ("mm_deep", "mm_high", "mm_wide", "low", "high")}
    return {
        "depth": int(np.median(columns["depth"])),
        "height": int(np.median(columns["height"])),
        "width": int(np.median(columns["width"])),
        "channels": int(np.median(columns["channels"])),
        "grey": bool((columns["channels"] == 1).mean() > 0.95),
        "is_ct": bool(columns["is_ct"].mean() > 0.5),
        **middle,
    }
