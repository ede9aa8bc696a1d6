"""What the report tells of forecasts beside the figures: how errors grow with the steps, and which series are hard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.evaluate.background import Curve, Evidence, Passage
from snowroll.tasks.forecast.scoring import Errors, errors, scaled

_MOST = 12  # rows of a table
_SCALED = (
    "Errors are in units of the seasonal naive forecast's error in training (MASE): below 1 is better than it was."
)


def explained(evidence: Evidence) -> Iterator[Passage]:
    found = errors(evidence.predictions, evidence.targets)
    yield _by_step(found)
    targets = list(evidence.schema["targets"])
    if len(targets) > 1:
        yield _by_target(found, targets)
    series = [str(target.get("series", "")) for target in evidence.targets]
    if len(set(series)) > 1:
        yield _by_series(found, series)
    yield _alarms(found, evidence)


def _by_step(found: Errors) -> Passage:
    """Bands that hold as often far ahead as near are what calibration is for."""
    with np.errstate(all="ignore"):
        each = np.nanmean(np.abs(found.far) / found.scale[:, None], axis=(0, 2))
        covered = np.nanmean(found.inside, axis=(0, 2))
        wide = np.nanmean(found.wide, axis=(0, 2))
    horizon = len(each)
    steps = sorted({round(value) for value in np.linspace(1, horizon, min(horizon, 8))})
    rows = [
        (f"{step:,}", float(each[step - 1]), f"{covered[step - 1]:.0%}", float(wide[step - 1])) for step in steps
    ]  # fmt: skip
    curves = (
        Curve("error by step", {"error": _points(each)}, "MASE", over="steps ahead"),
        Curve(
            "in the band by step",
            {"truth in the band": _points(covered), "meant": _points(np.full(horizon, 0.8))},
            over="steps ahead",
        ),
    )
    return Passage(
        "How far ahead", _SCALED, ("steps ahead", "error", "in the band", "width of the band"), rows,
        curves=curves if horizon > 2 else (),
    )  # fmt: skip


def _points(values: np.ndarray) -> list[tuple[float, float]]:
    return [(step, float(value)) for step, value in enumerate(values.tolist(), 1) if np.isfinite(value)]


def _by_target(found: Errors, targets: list[str]) -> Passage:
    with np.errstate(all="ignore"):
        each = np.nanmean(np.abs(found.far) / found.scale[:, None], axis=(0, 1))
        own = np.nanmean(np.abs(found.far), axis=(0, 1))
        covered = np.nanmean(found.inside, axis=(0, 1))
    order = np.argsort(-np.nan_to_num(each))[:_MOST]
    rows = [(targets[k], float(each[k]), f"{own[k]:,.4g}", f"{covered[k]:.0%}") for k in order.tolist()]
    more = f" The {_MOST} worst of {len(targets)}." if len(targets) > _MOST else ""
    return Passage("By target", _SCALED + more, ("target", "error", "in its units", "in the band"), rows)


def _by_series(found: Errors, series: Sequence[str]) -> Passage:
    mase = scaled(found)
    places: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(series):
        places[name].append(row)
    told = []
    for name, rows in places.items():
        usual = found.usual[rows]
        with np.errstate(all="ignore"):
            naive, covered = float(np.nanmean(usual)), float(np.nanmean(found.inside[rows]))
        own = float(mase[rows].mean())
        skill = f"{1 - own / naive:.3f}" if naive > 0 else ""
        told.append((name, own, skill, f"{covered:.0%}", f"{len(rows):,}"))
    told.sort(key=lambda row: -row[1])
    more = f" The {_MOST} worst of {len(told):,}." if len(told) > _MOST else ""
    return Passage("By series", _SCALED + more, ("series", "error", "skill", "in the band", "windows"), told[:_MOST])


def _alarms(found: Errors, evidence: Evidence) -> Passage:
    options = evidence.options
    known = np.isfinite(found.beyond[:, : options.every])
    plain = known & (found.odd[:, : options.every] != 1)
    out = np.nan_to_num(found.beyond[:, : options.every]) > 1
    n, false = int(plain.sum()), int((out & plain).sum())
    if not n:
        words = "Too few windows were left to validate on, so no fences were set: no value raises an alarm."
        return Passage("Alarms", words)
    words = (
        f"A value outside the fences is an alarm. They were set on validation for {options.alarm_rate:.2%} of the "
        f"steps without anything odd; of the test's {n:,} steps, up to {options.every} ahead, {false:,} "
        f"({false / n:.2%}) lie outside."
    )
    if (found.odd == 1).any():
        words += " Anomalies that are labelled are counted beside them, in the table of figures."
    else:
        words += " Nobody labelled anomalies here, so some of these may be true ones: they stand among the worst."
    return Passage("Alarms", words)


def sliced(looks: Sequence[object], schema: Mapping[str, Json]) -> dict[str, list[object]]:
    """Values to look for weak slices by: the hour of the day, where the data is finer than days."""
    if not schema.get("dated") or not 0 < float(schema.get("step_s") or 0) < 43_200:
        return {}
    hours = [getattr(look, "own", {}).get("hour", 0.0) if look is not None else 0.0 for look in looks]
    return {"hour": [f"{int(hour) // 6 * 6:02}:00 to {int(hour) // 6 * 6 + 6:02}:00" for hour in hours]}
