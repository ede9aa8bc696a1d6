"""Folders of series: which column is the time, which are told, how the series are cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from snowroll.base.errors import DataError, UsageError, did_you_mean
from snowroll.base.nouns import Json, Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.decode import limited
from snowroll.prepare.manifest import split_of_folders, split_of_name
from snowroll.prepare.names import PIECE, is_table
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.forecast.clocks import spelled, step_in_words
from snowroll.tasks.forecast.recordings import Recording, survey
from snowroll.tasks.forecast.season import filled
from snowroll.tasks.forecast.shape import MANY, Shape, origins, shape_of
from snowroll.tasks.forecast.windows import name_of, name_of_judged

_ARRAYS = (".npy", ".npz")
_LINES = (".jsonl", ".ndjson", ".txt", ".dat")
_OTHERS = (".wav", ".flac", ".mp3", ".ogg", ".dcm", ".nii", ".nii.gz", ".edf", ".hea", ".atr", ".xml")
_ORDERED = 0.9  # share of the steps from row to row that do not go back, from which on rows are in order
_SMOOTH = 0.5  # likeness of a value to the one before it, from which on rows without a time are a series. A guess
_LEAST = 24  # values in the longest series
_KNOWN = 0.3  # share of a window's values that must be measured


def read_series(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """Every series of a folder in windows; None where it holds none, or other data.

    Raises UsageError where a setting names a column that there is not, or steps that there are too few of.
    """
    entries = folder.entries()
    others = [entry.where.lower() for entry in entries if not _may_hold_series(entry.where)]
    if any(format_of_name(where) or where.endswith(_OTHERS) for where in others):
        return None
    could = [entry.where for entry in entries if _may_hold_series(entry.where)]
    if not could or 2 * len(could) < len([e for e in entries if "readme" not in e.where.lower()]):
        return None
    every, skipped = _surveyed(folder, could, settings)
    every, left = _series_alone(folder, every, settings)
    skipped |= left
    if not every:
        return None
    every, columns, left = _alike(every)
    skipped |= left
    targets = _targets(columns, every, settings)
    shape = shape_of([one for _, one in every], targets, settings.test, settings.val, settings.asked)
    found: list[Found] = []
    for where, one in every:
        its = list(_windows(where, one, columns, targets, shape, settings))
        if not any(window.target is not None for window in its):
            skipped[_called(where, one)] = f"{len(one.values):,} values: too few for one window"
        found += its
    if not any(window.target is not None for window in found):
        return None
    skipped |= {entry.where: "no series" for entry in entries if entry.where not in could} | folder.refused
    evidence = [*_of_files(every), *_of_shape(every, columns, targets, shape, found)]
    schema = {
        "type": "forecast", "columns": list(columns), "targets": list(targets), "horizon": shape.horizon,
        "context": shape.context, "stride": shape.stride, "season": shape.season, "season_like": round(shape.like, 3),
        "step_s": every[0][1].step_s, "calendar": every[0][1].calendar, "dated": every[0][1].dated,
        "series": len(every), "why": {"horizon": shape.why_horizon, "context": shape.why_context},
        "files": [_findings(where, one) for where, one in every[:200]],
    }  # fmt: skip
    many = f"{len(every):,} series" if len(every) > 1 else "one series" if len(targets) == 1 else "series side by side"
    return Reading(f"windows of {many}", tuple(evidence), tuple(found), skipped, schema)


def samples_in(folder: Folder, settings: PrepareSettings) -> list[str]:
    """Of each series every row that can be judged, and what follows its end; the files that hold none come, too."""
    context, every_ = int(settings.asked.get("context", 96)), int(settings.asked.get("every", 1))
    wheres = [entry.where for entry in folder.entries()]
    told, skipped = _surveyed(folder, wheres, settings)
    found = []
    for where, one in told:
        first = -(-min(context, max(8, len(one.values) // 2)) // every_) * every_
        for row in range(first, len(one.values)):
            rows = min(row + 1, context + row % every_ + 1)
            found.append(f"{where}{PIECE}{name_of_judged(one.name, row, rows)}")
        rows = min(context, len(one.values))
        found.append(f"{where}{PIECE}{name_of(one.name, len(one.values), rows, 0)}")
    return [*found, *skipped]


def _may_hold_series(where: str) -> bool:
    name = where.lower()
    plain = name.rpartition("/")[2]
    beside = ("readme", "license", "licence", "requirements", "changelog")
    return not plain.startswith(beside) and (is_table(name) or name.endswith((*_ARRAYS, *_LINES)))


def _surveyed(
    folder: Folder, wheres: Sequence[str], settings: PrepareSettings
) -> tuple[list[tuple[str, Recording]], dict[str, str]]:
    """(where, series) in the order of the names; where -> why it holds none."""
    found: dict[str, list[Recording]] = {}
    skipped: dict[str, str] = {}
    call = partial(survey, most_values=settings.megapixels * 1e6)
    for where, told in limited(call, folder.stream(wheres), settings.workers, seconds_each=120.0):
        if isinstance(told, DataError):
            skipped[where] = told.what
        else:
            found[where] = [Recording.of(one) for one in told["recordings"]]
    return [(where, one) for where in sorted(found) for one in found[where]], skipped


def _series_alone(
    folder: Folder, every: list[tuple[str, Recording]], settings: PrepareSettings
) -> tuple[list[tuple[str, Recording]], dict[str, str]]:
    """Without what is no series as far as can be told; with everything where the user names a horizon or targets."""
    if settings.asked:
        return every, {}
    kept, skipped = [], {}
    for where, one in every:
        why = _why_no_series(where, one)
        if why:
            skipped[_called(where, one)] = why
            folder.refused.setdefault(where, f"{why}; `--task forecast --task.horizon N` reads its rows in order")
        else:
            kept.append((where, one))
    longest = max((len(one.values) for _, one in kept), default=0)
    enough = longest >= _LEAST or (len(kept) >= MANY and longest >= _LEAST // 3)
    return (kept, skipped) if enough else ([], skipped)


def _why_no_series(where: str, one: Recording) -> str:
    if one.told.get("time"):
        behind = int(one.told.get("unordered", 0))  # type: ignore[call-overload]
        doubled = int(one.told.get("doubled", 0))  # type: ignore[call-overload]
        rows = len(one.values) + doubled
        if doubled > 0.3 * rows:
            return f"column '{one.told['time']}' holds each time several times, and no column tells the series apart"
        falls = behind > (1 - _ORDERED) * rows and behind < _ORDERED * rows  # newest first is an order, too
        return f"the rows are not in the order of '{one.told['time']}'" if falls else ""
    if where.lower().endswith(_ARRAYS):
        length, wide = one.values.shape
        return "" if wide <= 64 and length >= max(64, 4 * wide) else "an array that does not look like a series"
    if one.values.shape[1] == 1 and not one.told.get("words"):
        return ""
    return "" if _smooth(one.values) >= _SMOOTH and not one.told.get("words") else "no column of times"


def _smooth(values: np.ndarray) -> float:
    """Median over columns of the autocorrelation from row to row."""
    x = filled(values[:5_000]).astype(np.float64)
    x = x - x.mean(axis=0)
    size = (x * x).sum(axis=0)
    told = (x[1:] * x[:-1]).sum(axis=0)[size > 1e-12] / size[size > 1e-12]
    return float(np.median(told)) if len(told) else 0.0


def _alike(every: list[tuple[str, Recording]]) -> tuple[list[tuple[str, Recording]], tuple[str, ...], dict[str, str]]:
    """(series of the same columns, these, series of others -> why they are left out)."""
    if all(len(one.columns) == 1 for _, one in every):
        names = {one.columns[0] for _, one in every}
        name = names.pop() if len(names) == 1 else "value"
        return [(where, replace(one, columns=(name,))) for where, one in every], (name,), {}
    main = max((one for _, one in every), key=lambda one: one.values.size).columns
    kept, skipped = [], {}
    for where, one in every:
        if set(main) <= set(one.columns):
            order = [one.columns.index(name) for name in main]
            kept.append((where, replace(one, columns=main, values=one.values[:, order])))
        else:
            gone = next(name for name in main if name not in one.columns)
            skipped[_called(where, one)] = f"other columns than the rest: no '{gone}'"
    return kept, main, skipped


def _targets(
    columns: tuple[str, ...], every: Sequence[tuple[str, Recording]], settings: PrepareSettings
) -> tuple[str, ...]:
    """Those that the user names, else every column that changes at all."""
    asked = tuple(settings.asked.get("targets", ()))
    for name in asked:
        if name not in columns:
            raise UsageError(
                f"there is no column '{name}'", where="task.targets", cure=did_you_mean(name, list(columns))
            )
    if asked:
        return asked
    moving = [
        name
        for place, name in enumerate(columns)
        if any(np.nanmax(v) > np.nanmin(v) for _, one in every if np.isfinite(v := one.values[:, place]).any())
    ]
    return tuple(moving) or columns


def _windows(
    where: str, one: Recording, columns: Sequence[str], targets: Sequence[str], shape: Shape, settings: PrepareSettings
) -> list[Found]:
    places = [list(columns).index(name) for name in targets]
    values = one.values[:, places]
    series = _called(where, one)
    declared = split_of_name(where) or split_of_folders(where)
    windows = list(origins(len(values), shape, settings.test, settings.val))
    learnt = [origin for origin, split in windows if split in ("train", None)]
    whole = declared is not None or shape.by_series
    scale = scale_of(values if whole else values[: max(learnt, default=0) + shape.horizon], shape.season)
    rows = shape.context + shape.stride - 1
    found = []
    for origin, split in windows:
        known = np.isfinite(one.values[max(0, origin - shape.context) : origin]).mean()
        target = target_of(values, origin, shape, scale, series)
        if known < _KNOWN or target is None:
            continue
        if one.marks is not None:
            target["odd"] = [int(mark) for mark in one.marks[origin : origin + shape.horizon]]
        name = f"{where}{PIECE}{name_of(one.name, origin, rows, shape.horizon)}"
        its: Split | None = declared or split
        block = series if shape.by_series else f"{series} {its} {origin // shape.horizon}"
        found.append(Found(name, target, block, its))
    if found and np.isfinite(one.values[-shape.context :]).any():
        found.append(Found(f"{where}{PIECE}{name_of(one.name, len(values), rows, shape.horizon)}", None, None, None))
    return found


def scale_of(values: np.ndarray, season: int) -> np.ndarray:
    """[C] mean error of the seasonal naive forecast on these rows (Hyndman & Koehler 2006, eq. for MASE): its unit."""
    lag = min(season, max(1, len(values) // 2))
    gaps = np.abs(values[lag:] - values[:-lag])
    with np.errstate(all="ignore"):
        known = np.isfinite(gaps)
        mean = np.where(known.any(axis=0), np.where(known, gaps, 0).sum(axis=0) / known.sum(axis=0).clip(min=1), 0.0)
        spread = np.nan_to_num(np.nanstd(values, axis=0) if np.isfinite(values).any() else np.zeros(values.shape[1]))
    # a series that repeats itself exactly has no naive error: a thousandth of its spread then
    size = np.nan_to_num(np.nanmax(np.abs(values), axis=0, initial=0))
    return np.maximum(np.maximum(mean, 1e-3 * spread), 1e-9 + 1e-9 * size)


def target_of(values: np.ndarray, origin: int, shape: Shape, scale: np.ndarray, series: str) -> dict[str, Json] | None:
    """What followed, and what the seasonal naive would have lost there, in units of `scale`; None: nothing known.

    values: [T, targets]. The JSON that is a sample's target: {"follows": [[...]], "usual", "scale", "series"}.
    """
    follows = values[origin : origin + shape.horizon]
    if not np.isfinite(follows).any():
        return None
    naive = seasonal(filled(values[max(0, origin - shape.context - shape.season) : origin]), shape)
    usual = np.abs(follows - naive) / scale
    return {
        "follows": rounded(follows),
        "usual": float(f"{np.nanmean(usual):.6g}"),
        "scale": [float(f"{value:.6g}") for value in scale],
        "series": series,
    }


def seasonal(past: np.ndarray, shape: Shape) -> np.ndarray:
    """[H, C]: what stood there a season before; of a past shorter than a season its last value."""
    season = shape.season if len(past) >= shape.season else 1
    steps = np.arange(shape.horizon) % season
    return past[len(past) - season + steps]


def rounded(values: np.ndarray) -> list[list[float | None]]:
    """Six digits, None where nothing is known."""
    return [[float(f"{v:.6g}") if np.isfinite(v) else None for v in row] for row in values.tolist()]


def _called(where: str, one: Recording) -> str:
    last = where.replace("!", "/").rpartition("/")[2]
    stem = last.partition(".")[0] or last
    return f"{stem}: {one.name}" if one.name else stem


# what is said of it ------------------------------------------------------------------------------------------------


def _findings(where: str, one: Recording) -> dict[str, Json]:
    """What checks want to know of a series: numbers that no window shows."""
    kept = ("time", "unordered", "doubled", "gaps", "missing_steps", "longest_gap", "jitter", "zones", "refused",
            "unread_times", "zone", "marks", "words")  # fmt: skip
    told = {name: one.told[name] for name in kept if name in one.told}
    return {"where": where, "series": _called(where, one), "rows": len(one.values), "start": one.start,
            "step_s": one.step_s, "calendar": one.calendar, "dated": one.dated, **told, **look_at(one)}  # fmt: skip


def look_at(one: Recording) -> dict[str, Json]:
    """Stretches that do not move, shifts of level by a factor, values far off, copies: see faults.py."""
    from snowroll.tasks.forecast.oddities import oddities

    return oddities(one)


def _of_files(every: Sequence[tuple[str, Recording]]) -> list[str]:
    lines = []
    for where, one in every[:3]:
        ends = ""
        if one.dated and one.step_s:
            ends = f", {spelled(one.at(0) or 0.0)} to {spelled(one.at(len(one.values) - 1) or 0.0)}"
            ends += " UTC" if one.told.get("zone") == "UTC" else " (no zone told)"
        step = step_in_words(one.step_s, one.calendar)
        step = f"each {step}" if one.step_s and not one.calendar else step
        lines.append(f"{_called(where, one)}: {len(one.values):,} steps, {step}{ends}")
    if len(every) > 3:
        lengths = sorted(len(one.values) for _, one in every)
        lines.append(f"and {len(every) - 3:,} more; {lengths[0]:,} to {lengths[-1]:,} steps long")
    first = every[0][1].told
    if first.get("ids"):
        lines.append(f"a series for each {' and '.join(map(str, first['ids']))}")  # type: ignore[call-overload]
    if first.get("words"):
        lines.append(f"not read: {', '.join(map(str, first['words']))} (words)")  # type: ignore[call-overload]
    if first.get("marks"):
        lines.append(f"anomalies are labelled in '{first['marks']}': not learnt from, and judged by")
    gaps = sum(int(one.told.get("missing_steps", 0)) for _, one in every)  # type: ignore[call-overload]
    if gaps:
        lines.append(f"{gaps:,} steps are missing: `check` says where")
    return lines


def _of_shape(
    every: Sequence[tuple[str, Recording]],
    columns: Sequence[str],
    targets: Sequence[str],
    shape: Shape,
    found: Sequence[Found],
) -> list[str]:
    season = (
        f"a season of {shape.season:,} steps (autocorrelation {shape.like:.2f})"
        if shape.season > 1
        else "no season was found"
    )
    others = [name for name in columns if name not in targets]
    named = ", ".join(targets[:8]) + (f" and {len(targets) - 8} more" if len(targets) > 8 else "")
    by = (
        f"splits are whole series: {len(every):,} of them, too short to be cut in time"
        if shape.by_series
        else f"splits are stretches of time, training first and the test last, {shape.horizon} steps between them"
    )
    if not shape.by_series and len(every) >= MANY:
        by += ", in each series"
    return [
        season,
        f"told ahead: {shape.horizon} steps ({shape.why_horizon}; --task.horizon), looking back on {shape.context} "
        f"({shape.why_context}; --task.context)",
        f"targets: {named}" + (f"; of the past alone: {', '.join(others[:8])}" if others else ""),
        f"a window every {shape.stride} steps; training begins them anywhere between"
        if shape.stride > 1
        else "a window at every step",
        by,
    ]


def holds_series(name: str) -> bool:
    """Whether a file of this name holds rows to be judged, one by one."""
    return name.lower().endswith((*_ARRAYS, ".jsonl", ".ndjson"))
