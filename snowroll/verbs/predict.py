"""`predict`: files or folders in, one line a sample out; what cannot be read gets a line of its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Json, Prediction, Sample
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.project.data import stacked
from snowroll.project.models import Trained, load_model
from snowroll.project.opened import Opened

BATCH = 64
FIELDS = ["id", "path", "prediction", "probability", "doubt", "error"]


def predict(opened: Opened, paths: list[Path], run: int | None, format: str) -> Iterator[str]:
    """JSON lines {"id", "path", "prediction", "probability", "doubt"}, or {"path", "error", "where", "cure"}."""
    if format not in ("jsonl", "csv"):
        raise UsageError(f"format '{format}' is not known", where="--format", cure="use jsonl or csv")
    for path in paths:
        if not path.exists():
            raise UsageError("there is no such file or folder", where=path, cure="check the spelling")
    trained = load_model(opened, run)
    return _lines(opened, trained, paths, format)


def _lines(opened: Opened, trained: Trained, paths: list[Path], format: str) -> Iterator[str]:
    if format == "csv":
        yield ",".join(FIELDS)
    waiting: list[tuple[str, bytes]] = []
    for name, raw in _inputs(paths):
        waiting.append((name, raw))
        if len(waiting) == BATCH:
            yield from _answered(opened, trained, waiting, format)
            waiting = []
    yield from _answered(opened, trained, waiting, format)


def _inputs(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every file given, and of every picture in the folders and archives given."""
    for path in paths:
        if path.is_file() and (format_of_name(path.name) or not _is_archive(path)):
            yield str(path), path.read_bytes()
        else:
            folder = Folder(path)
            wheres = [entry.where for entry in folder.entries() if format_of_name(entry.where) or "#" in entry.where]
            for where, raw in folder.stream(wheres):
                yield str(path / where) if path.is_dir() else f"{path}!{where}", raw


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".npz"))


def _answered(opened: Opened, trained: Trained, inputs: list[tuple[str, bytes]], format: str) -> Iterator[str]:
    import hashlib

    said = predict_raw(opened, trained, [raw for _, raw in inputs])
    for (name, raw), answer in zip(inputs, said, strict=True):
        if isinstance(answer, DataError):
            row: dict[str, Json] = {"path": name, **answer.as_json()}
        else:
            row = {
                "id": Sample.name(name, hashlib.sha256(raw).hexdigest()),
                "path": name,
                "prediction": answer.value,
                "probability": None if answer.probability is None else round(answer.probability, 6),
                "doubt": round(answer.doubt, 6),
            }
        yield _csv(row) if format == "csv" else json.dumps(row, ensure_ascii=False, allow_nan=False)


def predict_raw(opened: Opened, trained: Trained, raws: list[bytes]) -> list[Prediction | DataError]:
    """Bytes to predictions, in order; a DataError in the place of what cannot be read."""
    import torch

    task, options = opened.task, trained.plan.task
    encoded: list[dict | DataError] = []
    for raw in raws:
        try:
            encoded.append(task.encode(raw, options, opened.prepare.megapixels))
        except DataError as fault:
            encoded.append(fault)
    good = [columns for columns in encoded if not isinstance(columns, DataError)]
    said: list[Prediction] = []
    if good:
        ids = torch.arange(len(good))
        batch = task.batch(stacked(good, task.ragged), ids)
        with torch.inference_mode():
            outputs = task.postprocess(trained.model(batch.inputs), options)
        arrays = {name: value.cpu().numpy() for name, value in outputs.items()}
        said = task.decode(arrays, trained.schema, options)
    answers = iter(said)
    return [columns if isinstance(columns, DataError) else next(answers) for columns in encoded]


def _csv(row: dict[str, Json]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([_safe(row.get(field, "")) for field in FIELDS])
    return out.getvalue()


def _safe(value: Json) -> Json:
    # a cell that begins so is run as a formula by spreadsheet programs
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
