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
from snowroll.prepare.names import PIECE, is_table
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import split_of_folders, split_of_name
from snowroll.tasks.forecast.labels_beside import classes_beside, with_labels_beside
from snowroll.tasks.forecast.recordings import Recording, survey
from snowroll.tasks.forecast.season import filled
from snowroll.tasks.forecast.shape import MANY, Shape, origins, shape_of
from snowroll.tasks.forecast.telling import called, findings, of_files, of_shape
from snowroll.tasks.forecast.windows import name_of, name_of_judged

_ARRAYS = (".npy", ".npz")
_LINES = (".jsonl", ".ndjson", ".txt", ".dat")
_OTHERS = (".wav", ".flac", ".mp3", ".ogg", ".dcm", ".nii", ".nii.gz", ".edf", ".hea", ".atr", ".xml")
_ORDERED = 0.9  # share of the steps from row to row that do not go back, from which on rows are in order
_SMOOTH = 0.5  # likeness of a value to the one before it, from which on rows without a time are a series. A guess
_FEW = 30  # different whole numbers that may be classes, or subjects. A guess
_LEAST = 24  # values in the longest series
_JOIN = "join them in one CSV with a header, a column 'label' and one of subjects, if they are told, called 'subject'"
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
    if any(folder.holds_pictures(where) for where in could):
        return None
    if not could or 2 * len(could) < len([e for e in entries if "readme" not in e.where.lower()]):
        return None
    every, skipped = _surveyed(folder, could, settings)
    every, labels = with_labels_beside(folder, every)
    every, left = _series_alone(folder, every, settings)
    skipped |= left
    if not every:
        return None
    every, columns, left = _alike(every)
    skipped |= left
    targets = _targets(columns, every, settings)
    try:
        shape = shape_of([one for _, one in every], targets, settings.test, settings.val, settings.asked)
    except DataError as fault:  # another task may make more of it
        folder.refused.setdefault(every[0][0], fault.what)
        return None
    found: list[Found] = []
    for where, one in every:
        its = list(_windows(where, one, columns, targets, shape, settings))
        if not any(window.target is not None for window in its):
            skipped[called(where, one)] = f"{len(one.values):,} values: too few for one window"
        found += its
    if not any(window.target is not None for window in found):
        return None
    skipped |= {entry.where: "no series" for entry in entries if entry.where not in could} | folder.refused | labels
    evidence = [*of_files(every), *of_shape(every, columns, targets, shape)]
    schema = {
        "type": "forecast", "columns": list(columns), "targets": list(targets), "horizon": shape.horizon,
        "context": shape.context, "stride": shape.stride, "season": shape.season, "season_like": round(shape.like, 3),
        "step_s": every[0][1].step_s, "calendar": every[0][1].calendar, "dated": every[0][1].dated,
        "series": len(every), "why": {"horizon": shape.why_horizon, "context": shape.why_context},
        "files": [findings(where, one) for where, one in every[:200]],
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
    worth = ((where, raw) for where, raw in folder.stream(wheres) if _is_of_numbers(where, raw))
    for where, told in limited(call, worth, settings.workers, seconds_each=120.0):
        if isinstance(told, DataError):
            skipped[where] = told.what
        else:
            found[where] = [Recording.of(one) for one in told["recordings"]]
    return [(where, one) for where in sorted(found) for one in found[where]], skipped


def _is_of_numbers(where: str, raw: bytes) -> bool:
    """Whether a text is one of numbers, by its beginning: prose is not parsed as a table to find that it is none."""
    if not where.lower().endswith((".txt", ".dat")):
        return True
    start = raw[:4096]
    digits = sum(byte in b"0123456789" for byte in start)
    return 5 * digits >= len(start)


def _series_alone(
    folder: Folder, every: list[tuple[str, Recording]], settings: PrepareSettings
) -> tuple[list[tuple[str, Recording]], dict[str, str]]:
    """Without what is no series as far as can be told. Where nothing else is there and the user names a horizon or
    targets, it is meant to be one."""
    kept, skipped = [], {}
    classes = classes_beside(every)
    for where, one in every:
        joined = f"its rows have their classes line by line in {classes[where]}: {_JOIN}" if where in classes else ""
        why = joined or _why_no_series(where, one)
        if why:
            skipped[called(where, one)] = why
        else:
            kept.append((where, one))
    if settings.asked and not kept:
        return every, {}
    for where, one in every:
        why = skipped.get(called(where, one))
        if where in classes:
            folder.refused.setdefault(where, str(why))
        elif why and not classes:  # else what it holds is told with the rows
            folder.refused.setdefault(where, f"{why}; `--task forecast --task.horizon N` reads its rows in order")
    longest = max((len(one.values) for _, one in kept), default=0)
    enough = longest >= _LEAST or (len(kept) >= MANY and longest >= _LEAST // 3) or bool(settings.asked)
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
        return "a column of few whole numbers without a time: classes, it seems" if _are_classes(one.values) else ""
    return "" if _smooth(one.values) >= _SMOOTH and not one.told.get("words") else "no column of times"


def _are_classes(values: np.ndarray) -> bool:
    """As y_train.txt beside X_train.txt, or the subjects of its rows."""
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool((known == np.rint(known)).all()) and len(np.unique(known)) <= _FEW


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
            skipped[called(where, one)] = f"other columns than the rest: no '{gone}'"
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
    series = called(where, one)
    declared = split_of_name(where) or split_of_folders(where)
    windows = list(origins(len(values), shape, settings.test, settings.val))
    learnt = [origin for origin, split in windows if split in ("train", None)]
    whole = declared is not None or shape.by_series or not learnt
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


def holds_series(name: str) -> bool:
    """Whether a file of this name holds rows to be judged, one by one."""
    return name.lower().endswith((*_ARRAYS, ".jsonl", ".ndjson"))
