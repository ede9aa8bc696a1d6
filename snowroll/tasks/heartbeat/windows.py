"""Folders of labelled windows of series: NumPy arrays in pairs, texts of UCR and UEA, tables with a label a row.

They are told by their content: values that go on from one to the next, and classes that are as many.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.listing import few, in_order
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.decode import limited
from snowroll.prepare.image_arrays import class_names_in
from snowroll.prepare.names import PIECE, home_of
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.signals import MOST_CHANNELS
from snowroll.prepare.split_words import SPLITS, splits_of_files
from snowroll.tasks.heartbeat.window_files import (
    LABEL,
    Header,
    Rows,
    RowsBrief,
    TextBrief,
    array_of,
    header_of,
    names_in,
    rows_brief,
    text_brief,
)

FLAGS = "runs of rows with a flag"  # that a forecast is judged by, too
_X = frozenset({"x", "data", "windows", "signals", "signal", "samples", "series", "inputs"})
_Y = frozenset({"y", "label", "labels", "target", "targets", "class", "classes"})
_WHOSE = frozenset({"subject", "subjects", "group", "groups", "patient", "patients", "user", "users"})
_TEXTS = (".ts", ".tsv", ".txt", ".csv")  # in the order in which one of several forms of a set is taken
_TABLES = (".csv", ".tsv")
_SMOOTH = 0.3  # likeness of a value to the one before it, below which values are columns of a table. A guess
_SHORTEST = 8  # values of a window, and rows of the usual run. A guess
_LONGEST = 256  # rows of a window of a run. A guess
_FILES = 10  # recordings, from which on each is a group: of fewer a draw may leave a split none. A guess


def read_windows(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """Labelled windows, or None where the folder holds none. Raises nothing: what stands against it is `refused`."""
    return _of_arrays(folder, settings) or _of_texts(folder, settings) or _of_rows(folder, settings)


def windows_in(folder: Folder, settings: PrepareSettings) -> list[str]:
    """What of the files that one learnt windows of holds windows to be answered, with labels beside them or not."""
    asked = settings.asked.get("windows", {})
    wheres = [entry.where for entry in folder.entries()]
    endings = {"arrays": (".npy",), "texts": _TEXTS, "rows": _TABLES}.get(str(asked.get("kind")), ())
    could = [where for where in wheres if where.lower().endswith(endings)] if endings else []
    beside = {w for w in could if asked["kind"] == "arrays" and len(wheres) > 1 and _role(w)[0] in ("labels", "whose")}
    call = partial(names_in, kind=asked.get("kind"), length=asked.get("length"), axes=asked.get("axes"))
    held: dict[str, list[str]] = {}
    for where, names in limited(call, folder.stream([w for w in could if w not in beside]), settings.workers):
        held[where] = [] if isinstance(names, DataError) else list(names)  # what is wrong is told where it is opened
    pieces = [f"{where}{PIECE}{name}" for where in could for name in held.get(where, ())]
    return [*pieces, *(where for where in wheres if where not in beside and not held.get(where))]


# pairs of arrays -----------------------------------------------------------------------------------------------------


def _of_arrays(folder: Folder, settings: PrepareSettings) -> Reading | None:
    wheres = [entry.where for entry in folder.entries() if entry.where.lower().endswith(".npy")]
    roles = {where: _role(where) for where in wheres}
    if {"windows", "labels"} - {role for role, _ in roles.values()}:
        return None
    headers: dict[str, Header] = {}
    for where, told in limited(header_of, folder.stream([w for w in wheres if roles[w][0]]), settings.workers):
        if isinstance(told, Header):
            headers[where] = told
    found: list[Found] = []
    evidence: list[str] = []
    skipped: dict[str, str] = {}
    used: set[str] = set()
    shapes: Counter[tuple[int, ...]] = Counter()
    splits = splits_of_files([where for where in headers if roles[where][0] == "windows"])
    for where, header in sorted(headers.items()):
        role, rest = roles[where]
        if role != "windows":
            continue
        beside = {roles[other][0]: other for other in headers if other != where and roles[other][1] == rest}
        if "labels" not in beside:
            skipped[where] = "windows without an array of labels that is called after it: y_train.npy for X_train.npy"
            continue
        if why := _why_no_windows(header, headers[beside["labels"]]):
            skipped[where] = why
            continue
        try:
            targets = class_names_in(array_of(folder.read(beside["labels"])))
            whose = array_of(folder.read(beside["whose"])).reshape(-1) if "whose" in beside else None
        except DataError as fault:
            skipped[beside["labels"]] = fault.what
            continue
        its = [str(one) for one in whose.tolist()] if whose is not None and len(whose) == len(targets) else None
        for row, target in enumerate(targets):
            if target not in settings.ignore:
                group = its[row] if its else None
                found.append(Found(f"{where}{PIECE}r{row}", target, group, splits[where]))
        used |= {where, *beside.values()}
        shapes[tuple(header.shape[1:])] += len(targets)
        by = beside["labels"]
        evidence.append(f"{where}: {header.dtype} {list(header.shape)} labelled by {by}: {_counted(targets)}")
        evidence += [f"{beside['whose']} tells whose each is"] if its else []
    if not found:
        folder.refused = {**skipped, **folder.refused}
        return None
    shape = shapes.most_common(1)[0][0]
    length = max(shape)
    axes = "[n, time]" if len(shape) == 1 else "[n, channels, time]" if shape[1] >= shape[0] else "[n, time, channels]"
    evidence.append(f"the arrays are {axes}: values go on from one to the next along the time")
    left = {entry.where: "not a recording" for entry in folder.entries() if entry.where not in used}
    schema = {"windows": {"kind": "arrays", "length": length, "axes": len(shape) + 1}}
    return Reading("arrays of windows", tuple(evidence), tuple(found), {**left, **folder.refused, **skipped}, schema)


def _role(where: str) -> tuple[str, tuple[str, ...]]:
    """("windows", "labels", "whose" or "", what else the name and its folder say).

    >>> _role("a/X_train.npy"), _role("a/train_labels.npy")
    (('windows', ('a/', 'train')), ('labels', ('a/', 'train')))
    """
    words = re.findall(r"[^\W_]+", where[len(home_of(where)) :].rpartition(".")[0].lower())
    words = [part for word in words for part in _taken_apart(word)]
    kinds = [("labels", _Y), ("whose", _WHOSE), ("windows", _X)]
    role = next((role for role, names in kinds if names & set(words)), "")
    return role, (home_of(where), *sorted(set(words) - _X - _Y - _WHOSE))


def _taken_apart(word: str) -> list[str]:
    """Keras' xtrain is x and train."""
    return [word[0], word[1:]] if word[:1] in "xy" and word[1:] in SPLITS else [word]


def _why_no_windows(header: Header, labels: Header) -> str:
    shape = header.shape
    if len(shape) not in (2, 3) or min(shape) < 1 or max(shape[1:]) < _SHORTEST:
        return f"an array of shape {list(shape)}: windows are [n, channels, time] or [n, time]"
    if shape[0] != labels.shape[0]:
        return f"{shape[0]:,} windows, and {labels.shape[0]:,} labels"
    narrow = min(shape[1:]) if len(shape) == 3 else 1
    if narrow > MOST_CHANNELS or (narrow >= 16 and max(shape[1:]) < 2 * narrow) or header.dtype == "uint8":
        return f"{header.dtype} {list(shape)} looks like pictures: save them with their labels in one .npz"
    if header.smooth < _SMOOTH:
        return "its values do not go on from one to the next: rows of a table are read from CSV"
    return ""


# the text files of UCR and UEA ---------------------------------------------------------------------------------------


def _of_texts(folder: Folder, settings: PrepareSettings) -> Reading | None:
    could = [entry.where for entry in folder.entries() if entry.where.lower().endswith(_TEXTS)]
    sets: dict[str, list[str]] = {}  # what it is called, without its split -> files
    for where in could:
        plain = where[len(home_of(where)) :].lower()
        if plain.endswith(".ts") or re.search(r"[_-](train|test)\.\w+$", plain):
            sets.setdefault(re.sub(r"[_-](train|test)\.\w+$|\.ts$", "", plain), []).append(where)
    told: dict[str, TextBrief] = {}
    skipped: dict[str, str] = {}
    every = [where for wheres in sets.values() for where in wheres]
    for where, brief in limited(text_brief, folder.stream(every), settings.workers):
        if isinstance(brief, TextBrief) and _is_set(where, brief):
            told[where] = brief
        elif isinstance(brief, DataError) and where.lower().endswith(".ts"):
            skipped[where] = brief.what
    sets = {name: [where for where in wheres if where in told] for name, wheres in sets.items()}
    sets = {name: wheres for name, wheres in sets.items() if wheres}
    if len(sets) > 1:
        why = f"several sets lie side by side ({few(sorted(sets))}), each with classes of its own"
        cure = "give --data on one of them"
        folder.refused = {**{min(wheres): f"{why}: {cure}" for wheres in sets.values()}, **folder.refused}
        return None
    if not sets:
        folder.refused = {**skipped, **folder.refused}
        return None
    ((name, wheres),) = sets.items()
    ending = next(ending for ending in _TEXTS if any(where.lower().endswith(ending) for where in wheres))
    used = sorted(where for where in wheres if where.lower().endswith(ending))
    splits = splits_of_files(used)
    found: list[Found] = []
    evidence: list[str] = []
    for where in used:
        brief = told[where]
        for row, label in enumerate(brief.labels):
            if label not in settings.ignore:
                found.append(Found(f"{where}{PIECE}l{row}", label, None, splits[where]))
        low, high = brief.lengths
        span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        channels = "" if brief.channels == 1 else f" in {brief.channels} channels"
        evidence.append(f"{where}: {len(brief.labels):,} series of {span} values{channels}: {_counted(brief.labels)}")
    where_class = "after the last ':'" if ending == ".ts" else "the first value"
    evidence.append(f"the class of a series is {where_class}; values go on from one to the next")
    other = "another form of the same set" if name else ""
    left = {entry.where: "not a recording" for entry in folder.entries() if entry.where not in used}
    left |= {where: other for where in wheres if where not in used}
    length = max(brief.lengths[1] for where, brief in told.items() if where in used)
    schema = {"windows": {"kind": "texts", "length": length}}
    layout = "text files of series as UCR and UEA have them"
    return Reading(layout, tuple(evidence), tuple(found), {**left, **folder.refused, **skipped}, schema)


def _is_set(where: str, brief: TextBrief) -> bool:
    kinds = len(set(brief.labels))
    if where.lower().endswith(".ts"):
        return True
    few_classes = 2 <= kinds <= max(2, len(brief.labels) // 2) or (kinds == 1 and len(brief.labels) > 1)
    return few_classes and brief.lengths[1] >= _SHORTEST and brief.smooth >= _SMOOTH and not brief.like_pixels


# tables with a label a row -------------------------------------------------------------------------------------------


def _of_rows(folder: Folder, settings: PrepareSettings) -> Reading | None:
    could = [entry.where for entry in folder.entries() if entry.where.lower().endswith(_TABLES)]
    heads = {where: _head(raw, settings.label_column) for where, raw in folder.stream(could)}
    worth = [where for where, is_one in heads.items() if is_one]
    told: dict[str, RowsBrief] = {}
    skipped: dict[str, str] = {}
    call = partial(rows_brief, label=settings.label_column)
    for where, brief in limited(call, folder.stream(worth), settings.workers, seconds_each=120.0):
        if isinstance(brief, RowsBrief):
            told[where] = brief
        else:
            skipped[where] = brief.what
    if not told or 2 * len(told) < len(could):
        return None
    lengths = [stop - start for brief in told.values() for start, stop in zip(brief.starts, brief.stops, strict=True)]
    kinds = {label for brief in told.values() for label in brief.labels if label}
    usual = float(np.median(lengths))
    smooth = float(np.median([brief.smooth for brief in told.values()]))
    if usual < _SHORTEST or len(kinds) < 2 or len(lengths) < 2 * len(kinds) or smooth < _SMOOTH:
        return None  # rows that stand for themselves, or that somebody sorted by their class
    length = int(min(_LONGEST, max(_SHORTEST, np.quantile(lengths, 0.25))))
    splits = splits_of_files(sorted(told))
    by_file = len(told) >= _FILES
    subjects = any(group for brief in told.values() for group in brief.groups)
    found: list[Found] = []
    for where, brief in sorted(told.items()):
        found += _cut(where, brief, length, splits[where], by_file and not subjects, settings)
        short = sum(stop - start < length // 2 for start, stop in zip(brief.starts, brief.stops, strict=True))
        if short:
            skipped[where] = f"{short:,} runs of fewer than {length // 2} rows are no windows; its others are read"
    n = sum(len(brief.starts) for brief in told.values())
    runs_alone = f"each run is a group, for {len(told)} tables are too few to draw from"
    whose = "each subject is a group" if subjects else "each table is a group" if by_file else runs_alone
    one = next(iter(told.values()))
    runs = f"{n:,} runs of rows with one '{one.label}' in {len(told):,} tables, {usual:g} rows in the median"
    rate = f"; {one.rate_hz:g} rows a second" if one.rate_hz else ""
    evidence = (
        f"{runs}: {_few_labels(told)}",
        f"windows of {length} rows, none across two runs, over {few(one.channels)}",
        f"values go on from row to row{rate}",
        f"{whose}: no split takes one apart",
    )
    left = {entry.where: "not a recording" for entry in folder.entries() if entry.where not in told}
    schema = {"windows": {"kind": "rows", "length": length}}
    layout = FLAGS if all(map(_is_flag, kinds)) else "runs of rows with a label"
    return Reading(layout, evidence, tuple(found), {**left, **folder.refused, **skipped}, schema)


def _is_flag(label: str) -> bool:
    """
    >>> _is_flag("1.000"), _is_flag("False"), _is_flag("2")
    (True, True, False)
    """
    if label.strip().lower() in ("true", "false"):
        return True
    try:
        return float(label) in (0.0, 1.0)
    except ValueError:
        return False


def _head(raw: bytes, label: str) -> bool:
    """Whether the first line names a column of labels."""
    try:
        names = Rows.of(raw[: 1 << 16].rpartition(b"\n")[0]).names  # no character is cut through
    except DataError:
        return False
    return any(name == label if label else LABEL.fullmatch(name) for name in names)


def _cut(
    where: str, brief: RowsBrief, length: int, split: Split | None, by_file: bool, settings: PrepareSettings
) -> list[Found]:
    """The windows of each run, one behind the other; a run that is shorter is one itself, if by half at the most."""
    out = "".join(f".{place}" for place in brief.left_out)
    found: list[Found] = []
    for number, (start, stop) in enumerate(zip(brief.starts, brief.stops, strict=True)):
        label = brief.labels[number]
        if label in settings.ignore or stop - start < max(2, length // 2):
            continue
        group = brief.groups[number] or (where if by_file else f"{where} {number}")
        firsts = range(start, max(start + 1, stop - length + 1), length)
        for first in firsts:
            name = f"{first}-{min(stop, first + length)}{out}"
            found.append(Found(f"{where}{PIECE}{name}", label or None, group, split))
    return found


def _counted(targets: Sequence[str]) -> str:
    counts = Counter(targets)
    return ", ".join(f"{name} {counts[name]:,}" for name in in_order(sorted(counts))[:12])


def _few_labels(told: Mapping[str, RowsBrief]) -> str:
    return _counted([label for brief in told.values() for label in brief.labels if label])
