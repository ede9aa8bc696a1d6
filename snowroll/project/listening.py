"""Samples of a signal that is still coming, answered as soon as they are sure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice

import numpy as np

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Json
from snowroll.base.parts import own
from snowroll.base.task import Columns
from snowroll.project.alarms import NEVER, Rule, Watch
from snowroll.project.answering import answers, row_of
from snowroll.project.models import Trained, load_model
from snowroll.project.opened import Opened


def live(opened: Opened, lines: Iterable[str], rate_hz: float, run: int | None, alarm: Rule = NEVER) -> Iterator[str]:
    """A signal as it comes, a line of numbers each moment; a JSON line for each of its samples, as soon as it is sure.

    {"at_s", "prediction", "probability", "doubt"}, or {"at_s", "error", "where", "cure"} for one that cannot be
    answered; at_s from the first line on. With a rule, "alarm" too. A first line that is no numbers names the
    channels. Raises UsageError where the task knows no live signals, DataError for a line that cannot be read.
    """
    if own(opened.task.live) is None:
        told = f"task '{opened.task.name}' knows no live signals"
        raise UsageError(told, where="--live", cure="give files instead")
    lines = iter(lines)
    trained = load_model(opened, run)
    watch = Watch(alarm.checked(trained.schema))
    names, first = _channels(lines)
    source = opened.task.live(rate_hz, names, trained.plan.task)
    at_once = max(1, round(rate_hz / 8))  # an eighth of a second
    rows = _rows(chain(first, lines), len(names), 2 if not first else 1)
    while some := list(islice(rows, at_once)):
        yield from _heard(opened, trained, source.feed(np.array(some, np.float32)), rate_hz, watch)
    yield from _heard(opened, trained, source.close(), rate_hz, watch)


def _channels(lines: Iterator[str]) -> tuple[list[str], list[str]]:
    """(names of the channels, the line that was read for it and holds numbers)."""
    head = next(lines, "")
    cells = [cell.strip() for cell in head.split(",")]
    if not all(_is_number(cell) for cell in cells):
        return cells, []
    return [""] * len(cells), [head]


def _rows(lines: Iterable[str], channels: int, number: int) -> Iterator[list[float]]:
    for line in lines:
        cells = line.strip().split(",")
        if len(cells) != channels or not all(_is_number(cell) for cell in cells):
            told = f"'{line.strip()[:40]}' is no line of {channels} numbers"
            raise DataError(told, where=f"line {number}", cure="send a number for each channel, or nan")
        yield [float(cell) for cell in cells]
        number += 1


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _heard(
    opened: Opened, trained: Trained, found: list[tuple[int, bytes]], rate_hz: float, watch: Watch
) -> Iterator[str]:
    """A line for each sample; one that cannot be answered ends nothing: what follows may be whole again."""
    encoded = [_encoded(opened, trained, raw) for _, raw in found]
    good = [columns for columns in encoded if not isinstance(columns, DataError)]
    said = iter(answers(opened, trained, good) if good else [])
    for (moment, raw), columns in zip(found, encoded, strict=True):
        if isinstance(columns, DataError):
            told: dict[str, Json] = dict(columns.as_json())
        else:
            row = row_of("live", sha256(raw).hexdigest(), next(said))
            told = {key: row[key] for key in ("prediction", "probability", "doubt")}
            told |= watch.told("live", row["prediction"])
        yield json.dumps({"at_s": round(moment / rate_hz, 4), **told}, ensure_ascii=False, allow_nan=False)


def _encoded(opened: Opened, trained: Trained, raw: bytes) -> Columns | DataError:
    try:
        return opened.task.encode(raw, trained.plan.task, opened.prepare.megapixels)
    except DataError as fault:
        return fault
