"""`predict`: files or folders in, one line a sample out; what cannot be read gets a line of its own."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import sha256
from itertools import chain, count, islice
from pathlib import Path

import numpy as np

from snowroll.base import atomic
from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Json, Prediction, Sample
from snowroll.base.task import Columns
from snowroll.prepare.decode import limited
from snowroll.prepare.names import bundle_of, holds_rows, is_archive, stretch_of, take_apart, whole_of
from snowroll.prepare.read import Folder
from snowroll.project.data import rows_at_once, stacked
from snowroll.project.models import Trained, load_model
from snowroll.project.opened import Opened, stream_of

BATCH = 64
Write = Callable[[str, Json, bytes], str]  # (name of the input, answer, bytes of the input) -> path of the file
Named = tuple[int, str, str]  # number, name and SHA-256 of an input
FIELDS = ["id", "path", "prediction", "probability", "doubt", "error"]


def predict(opened: Opened, paths: list[Path], run: int | None, format: str, out: Path | None = None) -> Iterator[str]:
    """JSON lines {"id", "path", "prediction", "probability", "doubt"}, or {"path", "error", "where", "cure"}.

    out: a folder for answers as files, each named after its input; "file" is then in the line. Raises UsageError where
    the task's answers are no files.
    """
    if format not in ("jsonl", "csv"):
        raise UsageError(f"format '{format}' is not known", where="--format", cure="use jsonl or csv")
    for path in paths:
        if not (path.exists() or _is_part(path)):
            raise UsageError("there is no such file or folder", where=path, cure="check the spelling")
    trained = load_model(opened, run)
    write = None if out is None else _writer(opened, out)
    return _lines(opened, trained, paths, format, write)


def live(opened: Opened, lines: Iterable[str], rate_hz: float, run: int | None) -> Iterator[str]:
    """A signal as it comes, a line of numbers each moment; a JSON line for each of its samples, as soon as it is sure.

    {"at_s", "prediction", "probability", "doubt"}; at_s from the first line on. A first line that is no numbers names
    the channels. Raises UsageError where the task knows no live signals, DataError for a line that cannot be read.
    """
    begin = getattr(opened.task, "live", None)
    if begin is None:
        told = f"task '{opened.task.name}' knows no live signals"
        raise UsageError(told, where="--live", cure="give files instead")
    lines = iter(lines)
    trained = load_model(opened, run)
    names, first = _channels(lines)
    source = begin(rate_hz, names)
    at_once = max(1, round(rate_hz / 8))  # an eighth of a second
    rows = _rows(chain(first, lines), len(names), 2 if not first else 1)
    while some := list(islice(rows, at_once)):
        yield from _heard(opened, trained, source.feed(np.array(some, np.float32)), rate_hz)
    yield from _heard(opened, trained, source.close(), rate_hz)


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


def _heard(opened: Opened, trained: Trained, found: list[tuple[int, bytes]], rate_hz: float) -> Iterator[str]:
    if not found:
        return
    options, limit = trained.plan.task, opened.prepare.megapixels
    encoded = [opened.task.encode(raw, options, limit) for _, raw in found]
    for (moment, raw), answer in zip(found, _predictions(opened, trained, encoded), strict=True):
        told = _told("live", sha256(raw).hexdigest(), answer)
        row = {"at_s": round(moment / rate_hz, 4), **{key: told[key] for key in FIELDS[2:5]}}
        yield json.dumps(row, ensure_ascii=False, allow_nan=False)


def _writer(opened: Opened, out: Path) -> Write:
    as_file = getattr(opened.task, "as_file", None)
    if as_file is None:
        told = f"answers of task '{opened.task.name}' are no files"
        raise UsageError(told, where="--out", cure="leave it out: each line holds its answer")
    out.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()

    def write(name: str, value: Json, raw: bytes) -> str:
        ending, content = as_file(value, raw)
        stem = plain_stem(name)
        number = next(number for number in count() if f"{stem}{number or ''}" not in taken)
        taken.add(f"{stem}{number or ''}")
        path = out / f"{stem}{number or ''}{ending}"
        atomic.write(path, content)
        return str(path)

    return write


def plain_stem(name: str) -> str:
    """What a file made from another is called.

    >>> plain_stem("a/scan_01.nii.gz"), plain_stem("ct/p1//IM0001"), plain_stem("x.tar!b/1.png")
    ('scan_01', 'p1', '1')
    """
    several = bundle_of(name)
    if several is not None and several.is_whole:
        name = several.home.rstrip("/!")
    last = name.replace("!", "/").rpartition("/")[2]
    return re.sub(r"(\.nii)?\.[A-Za-z0-9]{1,5}$", "", last) or "answer"


def _lines(opened: Opened, trained: Trained, paths: list[Path], format: str, write: Write | None) -> Iterator[str]:
    """Decoded in limited children, answered in batches, told in the order given; what could not be read comes last."""
    unread: dict[str, str] = {}
    held: dict[int, bytes] = {}  # of inputs on the way, where answers become files

    def jobs() -> Iterator[tuple[Named, bytes]]:
        for number, (name, raw) in enumerate(_inputs(opened, paths, unread)):
            if write:
                held[number] = raw
            yield (number, name, sha256(raw).hexdigest()), raw

    encode = partial(opened.task.encode, options=trained.plan.task, megapixels=opened.prepare.megapixels)
    encoded = limited(encode, jobs(), opened.prepare.workers)
    if format == "csv":
        yield ",".join(FIELDS)
    answered = _answered(opened, trained, encoded)
    for row in _in_order(answered if write is None else _written(answered, write, held)):
        yield _spelled(row, format)
    for name, why in unread.items():
        fault = DataError(why, where=name, cure="see to it that it can be read, or leave it out")
        yield _spelled({"path": name, **fault.as_json()}, format)


def _inputs(opened: Opened, paths: list[Path], unread: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every file given and of all in the folders and archives given; else name -> why in `unread`."""
    for path in paths:
        if path.is_dir() or is_archive(path.name) or holds_rows(path.name) or _holds_samples(opened, path):
            yield from _inside(opened, path, unread)
            continue
        try:
            raw = Folder(_whole(path)).read(path.name) if _is_part(path) else path.read_bytes()
        except OSError as fault:
            unread[str(path)] = (fault.strerror or str(fault)).lower()
        except DataError as fault:
            unread[str(path)] = fault.what
        else:
            yield str(path), raw


def _holds_samples(opened: Opened, path: Path) -> bool:
    """Whether the task cuts a file of this name into samples: lines of sentences."""
    ask = getattr(opened.task, "holds_samples", None)
    return ask is not None and path.is_file() and ask(path.name)


def _is_part(path: Path) -> bool:
    """Whether it names a part of a file that is there, as samples are named: poems.txt#1024-2048."""
    return not path.exists() and stretch_of(path.name) is not None and _whole(path).exists()


def _whole(path: Path) -> Path:
    part = stretch_of(path.name)
    return path.with_name(part.of) if part else path


def _inside(opened: Opened, path: Path, unread: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    base = path if path.is_dir() else path.parent
    try:
        folder = Folder(path)
        wheres = _wheres(opened, folder)
    except DataError as fault:
        unread[str(path)] = fault.what
        return
    for where, raw in stream_of(opened.task, folder, wheres, opened.prepare.workers):
        yield _named(base, where), raw
    unread.update({_named(base, where): why for where, why in folder.refused.items()})
    if not wheres and not folder.refused:
        unread[str(path)] = "there is nothing in it"


def _named(base: Path, where: str) -> str:
    """A path would fold the marks of a piece."""
    return f"{base}/{where}" if whole_of(where)[1] else str(base / where)


def _wheres(opened: Opened, folder: Folder) -> list[str]:
    """Every file, for the task says what is a sample when it encodes it; for arrays, the rows that it makes samples."""
    samples_in = getattr(opened.task, "samples_in", None)
    files = samples_in(folder, opened.prepare) if samples_in else [entry.where for entry in folder.entries()]
    if not any(holds_rows(where) for where in files):
        return files
    reading = opened.task.recognise(folder, opened.prepare.for_strangers())
    places = {found.where: take_apart(found.where) for found in reading.found} if reading else {}
    rows = [where for where, place in places.items() if place.row is not None]
    inside = {places[where].file for where in rows}
    return [where for where in files if where not in inside] + rows


def _written(
    rows: Iterator[tuple[int, dict[str, Json]]], write: Write, held: dict[int, bytes]
) -> Iterator[tuple[int, dict[str, Json]]]:
    for number, row in rows:
        raw = held.pop(number)
        yield number, row if "error" in row else {**row, "file": write(row["path"], row["prediction"], raw)}


def _answered(
    opened: Opened, trained: Trained, encoded: Iterator[tuple[Named, Columns | DataError]]
) -> Iterator[tuple[int, dict[str, Json]]]:
    """(number, row) of every input, in the order in which they were decoded."""
    while some := list(islice(encoded, min(BATCH, rows_at_once(trained.plan)))):
        good = [columns for _, columns in some if not isinstance(columns, DataError)]
        said = iter(_predictions(opened, trained, good) if good else [])
        for (number, name, content), columns in some:
            if isinstance(columns, DataError):
                yield number, {"path": name, **columns.as_json()}
            else:
                yield number, _told(name, content, next(said))


def _predictions(opened: Opened, trained: Trained, encoded: list[Columns]) -> list[Prediction]:
    import torch

    task, options = opened.task, trained.plan.task
    batch = task.batch(stacked(encoded, task.ragged), torch.arange(len(encoded)))
    with torch.inference_mode():
        outputs = task.postprocess(trained.model(batch.inputs), options)
    said = task.decode({name: value.cpu().numpy() for name, value in outputs.items()}, trained.schema, options)
    at_length = getattr(task, "at_length", None)
    return said if at_length is None else at_length(trained.model, batch, said, trained.schema, options)


def _told(name: str, content: str, answer: Prediction) -> dict[str, Json]:
    return {
        "id": Sample.name(name, content),
        "path": name,
        "prediction": answer.value,
        "probability": None if answer.probability is None else round(answer.probability, 6),
        "doubt": round(answer.doubt, 6),
    }


def _in_order(rows: Iterator[tuple[int, dict[str, Json]]]) -> Iterator[dict[str, Json]]:
    """The rows by number. Only finished ones wait for an earlier one, so that a slow file keeps no pixels in memory."""
    waiting: dict[int, dict[str, Json]] = {}
    following = 0
    for number, row in rows:
        waiting[number] = row
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def _spelled(row: dict[str, Json], format: str) -> str:
    return _csv(row) if format == "csv" else json.dumps(row, ensure_ascii=False, allow_nan=False)


def _csv(row: dict[str, Json]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([_safe(row.get(field, "")) for field in FIELDS])
    return out.getvalue()


def _safe(value: Json) -> Json:
    # a cell that begins so is run as a formula by spreadsheet programs
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
