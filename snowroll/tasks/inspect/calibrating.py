"""From which score on a part is faulty: so that of good parts no more than a stated share is told."""

from __future__ import annotations

import numpy as np

from snowroll.base.nouns import Json
from snowroll.evaluate.limits import upper_limit
from snowroll.tasks.inspect.model import Said, peak_and_mean
from snowroll.tasks.inspect.options import InspectOptions
from snowroll.tasks.inspect.training import Wanted

LEAST = 3  # good parts: fewer have no spread
MOST_SHARE = 10.0  # of the mean of all places beside that of the worst


def threshold_for(said: Said, wanted: Wanted, options: InspectOptions) -> Json:
    """What `model.Calibrated` takes, from good parts that taught nothing; None where there are too few."""
    good = ~wanted.faulty
    if int(good.sum()) < LEAST:
        return None
    peak, mean = (values.double().cpu().numpy() for values in peak_and_mean(said.unlike[good], options.worst))
    share = float(np.clip(_spread(peak) / max(_spread(mean), 1e-9), 0, MOST_SHARE))
    threshold, way = upper_limit(peak + share * mean, options.false_alarms)
    farthest, _ = upper_limit(peak, options.false_alarms)
    told = {"share": share, "threshold": threshold, "farthest": farthest}
    rounded = {name: float(f"{value:.6g}") for name, value in told.items()}
    return {**rounded, "worst": options.worst, "false_alarms": options.false_alarms, "way": way, "n": int(good.sum())}


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1))
