"""The samples a report shows: the worst mistakes, some from the best to the worst, and those that training doubts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.base.parts import own
from snowroll.evaluate.background import Shot
from snowroll.evaluate.report import thumbnail
from snowroll.project.data import Packed
from snowroll.project.judging import Judged, predict_rows
from snowroll.project.lost import most_lost
from snowroll.project.models import Trained
from snowroll.project.opened import Opened

SHOTS = 24  # worst mistakes shown
MOST_OF_A_TEXT = 1_000  # characters that are shown of one
TYPICAL = 6  # samples shown from the best to the worst, where a task asks for them
SMALL_PX, LARGE_PX = 160, 480  # longer side of a picture in the report; large where places in it matter


def worst(opened: Opened, judged: Judged, schema: Mapping[str, Json]) -> list[Shot]:
    """The worst mistakes, one of each group before a second: least credit first, the surest before the others."""
    order = sorted(range(len(judged.ids)), key=lambda row: (judged.credit[row], judged.predictions[row].doubt))
    rows = _of_each_group([row for row in order if judged.credit[row] < 1], judged.groups)[:SHOTS]
    told = [(judged.ids[row], judged.targets[row], judged.predictions[row]) for row in rows]
    return _drawn(opened, told, schema)


def typical(opened: Opened, judged: Judged, schema: Mapping[str, Json]) -> list[Shot]:
    """A few samples, evenly from the most credit to the least."""
    order = np.argsort(-judged.credit, kind="stable")
    rows = [int(order[k]) for k in np.unique(np.linspace(0, len(order) - 1, TYPICAL).round().astype(int))]
    told = [(judged.ids[row], judged.targets[row], judged.predictions[row]) for row in rows]
    return _drawn(opened, told, schema)


def doubted(opened: Opened, folder: Path, packed: Packed, trained: Trained) -> list[Shot]:
    """The training samples that lost most over the run, most lost first."""
    every = packed.version.items
    found = {row: every[row].group or every[row].sample for row, _ in most_lost(folder, 20 * SHOTS)}
    if not found:
        return []
    groups = [found.get(row, "") for row in range(len(every))]
    rows = np.array(_of_each_group(list(found), groups)[:SHOTS], np.int64)
    items = [every[row] for row in rows]
    said = predict_rows(opened, trained, packed, rows)
    told = [(item.sample, item.target, one) for item, one in zip(items, said, strict=True)]
    return _drawn(opened, told, trained.schema)


def _of_each_group(rows: Sequence[int], groups: Sequence[str]) -> list[int]:
    """The rows in their order, but a second of one group after the first of all: neighbours tell the same."""
    first = list({groups[row]: row for row in reversed(rows)}.values())
    kept = set(first)
    return [row for row in rows if row in kept] + [row for row in rows if row not in kept]


def _drawn(opened: Opened, told: Sequence[tuple[str, Json, Prediction]], schema: Mapping[str, Json]) -> list[Shot]:
    """Samples with their targets and what the model said, as pictures; without those whose file is gone by now."""
    samples = opened.samples([name for name, _, _ in told])
    raw = dict(opened.stream([sample.where for sample in samples.values()]))
    words, read = opened.task.words, own(opened.task.text)
    longest = LARGE_PX if opened.task.in_pixels else SMALL_PX
    shots = []
    for name, target, said in told:
        where = samples[name].where
        if where in raw:
            text = read(raw[where])[:MOST_OF_A_TEXT] if read else ""
            image = b"" if text else thumbnail(opened.task.draw(raw[where], target, said.value, schema), longest)
            cell = (str(target), str(said.value)) if schema["type"] == "choice" else ("", "")
            shots.append(Shot(image, name, words(target), words(said.value), said.probability, where, text, cell))
    return shots
