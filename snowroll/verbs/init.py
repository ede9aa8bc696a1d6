"""`init`: look at the folder, say what was found and why, write the config, index."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from snowroll.base.errors import DataError, UsageError, did_you_mean
from snowroll.base.listing import in_order, shortened
from snowroll.base.nouns import Json
from snowroll.base.settings import FILE, Settings, as_toml
from snowroll.base.task import Reading, find_preset, find_task, task_names
from snowroll.prepare.class_folders import name_classes
from snowroll.prepare.disk import TRIFLES
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import oversized
from snowroll.project.opened import Answer, Say, every_section, open_project, prepare_of
from snowroll.project.stock import class_counts, take_stock
from snowroll.store.project import Project

SHOWN = 15  # sentences of evidence that a person is told


def init(
    root: Path,
    data: Path | None,
    labels: tuple[str, ...],
    task: str,
    flags: dict[str, Json],
    say: Say,
    preset: str = "",
) -> Answer:
    """Make `root` a project. Repeating it is harmless: the config is kept, the index is brought up to date."""
    others: dict[str, str] = {}
    if not (root / FILE).exists():
        others = _create(root, data, labels, task, flags, preset)
    elif data or labels or task or preset:
        raise UsageError("this is a project already", where=root / FILE, cure="edit the file, or use flags")
    elif os.access(root, os.W_OK):
        Project.furnish(root)
    opened = open_project(root, flags)
    stock = take_stock(opened, say)
    seen = class_counts(opened.task, list(stock.targets.values()))
    counts = Counter({name: seen[name] for name in in_order(sorted(seen))})
    splits = Counter(sample.split or "undeclared" for sample in stock.samples)
    unlabelled = len(stock.samples) - len(stock.targets)
    story = opened.store.catalog.story("layout")
    evidence = list(story.get("evidence", ())) if story else []
    # where targets are no classes all samples may count as one
    has_classes = len(counts) != 1 or stock.schema["type"] == "choice"
    classes = f"{len(counts)} class{'es' * (len(counts) != 1)}, " if has_classes else ""
    lines = [
        f"found     {len(stock.samples):,} {opened.task.kind}s, {classes}{stock.layout}",
        *[f"          {shortened(sentence)}" for sentence in evidence[:SHOWN]],
        *([f"          ... and {len(evidence) - SHOWN:,} more: --json has all"] if len(evidence) > SHOWN else []),
        *([f"          {shortened(_few(counts))}"] if classes else []),
        *([f"          {unlabelled:,} without a label"] if unlabelled else []),
        *[f"or        {layout}: --task {name}" for name, layout in others.items()],
        f"wrote     {root / FILE}",
    ]
    answer = {
        "project": str(root),
        "task": opened.task.name,
        "layout": stock.layout,
        "evidence": evidence,
        "samples": len(stock.samples),
        "labelled": len(stock.targets),
        "classes": dict(counts),
        "splits": dict(sorted(splits.items())),
        "other_tasks": list(others),
    }
    verb = "label" if unlabelled and not stock.targets else "check"
    return Answer(answer, lines, next=f"snowroll {verb} {root}")


def _create(
    root: Path, data: Path | None, labels: tuple[str, ...], task: str, flags: dict[str, Json], preset: str
) -> dict[str, str]:
    """Returns which other tasks could have begun with these data, and as what they read them."""
    source = data if data is not None else (root / "data" if (root / "data").is_dir() else root)
    if not source.exists():
        raise UsageError("there is no such folder", where=source, cure="give the folder that holds your data")
    if data is None and not root.is_dir():
        raise UsageError("not a folder", where=root, cure="name a folder for the project and give --data PATH")
    wanted = find_preset(preset) if preset else None
    given = {"prepare.labels": list(labels)} if labels else {}
    name, others = _recognise(source, Settings().over({**given, **flags}), task or (wanted.task if wanted else ""))
    if wanted:  # of a preset's settings those that the task has: a folder may hold masks where classes were expected
        given = {**wanted.fitting(find_task(name)), **given}
    written: dict[str, dict[str, Json]] = {"task": {"name": name}, "prepare": {"data": _relative(source, root)}}
    for section, settings in every_section(Settings().over({**given, **flags}), find_task(name)).items():
        asked = {key: value for key, (value, origin) in settings.items() if origin == "flag"}
        if asked:
            written[section] = {**written.get(section, {}), **asked}
    Project.create(root, source, HEADER + as_toml(written)).close()
    return others


def _recognise(source: Path, settings: Settings, wanted: str) -> tuple[str, dict[str, str]]:
    """(the task that the folder is meant for, others that read other labels in it -> what they read it as)."""
    if wanted and wanted not in task_names():
        raise UsageError(f"there is no task '{wanted}'", where="--task", cure=did_you_mean(wanted, task_names()))
    folder = Folder(source)
    readings: list[tuple[bool, int, str, Reading]] = []
    for name in _family(wanted) if wanted else task_names():
        task = find_task(name)
        prepare = prepare_of(settings, task)
        reading = task.recognise(folder, prepare)
        if reading is not None and reading.found:
            is_labelled = any(found.target is not None for found in reading.found)
            readings.append((is_labelled, task.particularity(reading, prepare), name, reading))
    if readings:
        # of several tasks that could begin without labels, the least particular
        # and of a family the one that was named, where it finds labels of its own kind
        _, _, name, meant = max(readings, key=lambda one: (one[0], one[2] == wanted, one[1] if one[0] else -one[1]))
        layouts = {one.layout: other for is_labelled, _, other, one in reversed(readings) if is_labelled}
        # any folders can be taken for classes: news only where they name kinds, and not cases or parts
        are_kinds = name_classes([found.where for found in meant.found], prepare_of(settings, find_task(name)))
        return name, {
            other: layout
            for layout, other in layouts.items()
            if layout != meant.layout and ("class folders" not in layout or are_kinds)
        }
    cure = "put class folders, a manifest, an archive or an .npz there"
    cure += "" if settings.values.get("prepare.labels") else ", or give --labels a,b,c for unlabelled files"
    if wanted:
        cure = find_task(wanted).wants
    reasons = {where: why for where, why in folder.refused.items() if why not in TRIFLES} | oversized(folder, ())
    usual = max(reasons.values(), key=Counter(reasons.values()).__getitem__, default="")  # of most files
    unread = next((f"; {where} was not read: {why}" for where, why in reasons.items() if why == usual), "")
    who = f"task '{wanted}'" if wanted else "any task"
    raise DataError(f"no data that {who} recognises{_kinds(folder)}{unread}", where=source, cure=cure)


def _kinds(folder: Folder) -> str:
    """What there is, by the endings of names: " among 16 .mat files and 2 without an ending"."""
    names = [entry.where.replace("!", "/").rpartition("/")[2].lower() for entry in folder.entries()]
    often = Counter(f".{name.rpartition('.')[2]}" if "." in name[1:] else "" for name in names).most_common(3)
    told = [f"{n:,} {ending} file{'s' * (n > 1)}" if ending else f"{n:,} without an ending" for ending, n in often]
    return f" among {', '.join(told)}" if told else ""


def _family(wanted: str) -> list[str]:
    """The task called so, and those whose names go on from it: what a scan is to be told decides between them."""
    return [name for name in task_names() if name == wanted or name.startswith(f"{wanted}_")]


def _relative(source: Path, root: Path) -> str:
    source, root = source.resolve(), root.resolve()
    return str(source.relative_to(root)) if source.is_relative_to(root) else str(source)


def _few(counts: Counter[str], most: int = 8) -> str:
    told = [f"{name} {n:,}" for name, n in counts.most_common(most)]
    return ", ".join(told) + (f", ... ({len(counts) - most} more)" if len(counts) > most else "")


HEADER = """# Snowroll's one config file. `snowroll explain` prints every setting, its value and where it came from.
# Any of them can be written here or given as a flag: --train.lr 0.05

"""
