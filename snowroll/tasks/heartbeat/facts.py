"""What the planning rules want to know of a set of recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.tasks.heartbeat.looking import leads_of
from snowroll.tasks.heartbeat.options import KNOWN_LEADS


def series_facts(columns: Columns, targets: Sequence[Json]) -> dict[str, Json]:
    """Medians of rates, lengths and leads; what part of the samples is about a beat, and knows its rhythm; the share
    of the rarest class."""
    n = len(columns["width"])
    about = columns["about_beat"] > 0
    rates = columns["rate_hz"][columns["rate_hz"] > 0]
    return {
        "rate_hz": float(np.median(rates)) if len(rates) * 2 > n else 0.0,
        "seconds": float(np.median(columns["seconds"])),
        "length": float(np.median(columns["width"])),
        "channels": int(np.median(columns["height"])),
        "about_beats": float(about.mean()),
        "with_rhythm": float((columns["past_beats"][about] > 0).mean()) if about.any() else 0.0,
        "common_lead": _common_lead(columns["leads"]),
        "rarest": min(Counter(map(str, targets)).values(), default=0) / max(1, len(targets)),
    }


def _common_lead(masks: np.ndarray) -> str:
    """The first known name that most recordings have; "" where there is none, or one lead only."""
    n: Counter[str] = Counter()
    for mask, times in Counter(masks.tolist()).items():
        n.update(dict.fromkeys(leads_of(mask), times))
    most = max(n.values(), default=0)
    return next((name for name in KNOWN_LEADS if n[name] == most and most * 2 > len(masks)), "")
