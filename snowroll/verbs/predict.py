"""`predict`: files or folders in, one line a sample out; what cannot be read gets a line of its own."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial, reduce
from hashlib import sha256
from itertools import count, islice, takewhile
from pathlib import Path

from snowroll.base import atomic
from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Json
from snowroll.base.parts import own
from snowroll.base.task import Columns
from snowroll.prepare.decode import limited
from snowroll.prepare.names import bundle_of, whole_of
from snowroll.project.alarms import NEVER, Rule, Watch
from snowroll.project.answering import answers, row_of
from snowroll.project.data import rows_at_once
from snowroll.project.inputs import inputs, is_part
from snowroll.project.models import Trained, load_model
from snowroll.project.opened import Opened

BATCH = 64
Write = Callable[[str, Json, bytes], dict[str, Json]]  # (name of the input, answer, its bytes) -> paths of the files
Named = tuple[int, str, str]  # number, name and SHA-256 of an input
FIELDS = ["id", "path", "prediction", "probability", "doubt", "error"]


def predict(
    opened: Opened, paths: list[Path], run: int | None, format: str, out: Path | None = None, alarm: Rule = NEVER
) -> Generator[str, None, bool]:
    """JSON lines {"id", "path", "prediction", "probability", "doubt"}, or {"path", "error", "where", "cure"}.

    Where a number is predicted there is an "interval" [low, high] beside it; in CSV it has two columns. At its end the
    generator returns whether anything could be read and all that was named is there. With a rule of alarms, "alarm" is
    in the line: whether it is one.

    out: a folder for answers as files, each named after its input, with a number where another file has that name;
    "file" is then in the line, and "things" where the data told things of one class apart. Raises UsageError where the
    task's answers are no files.
    """
    if format not in ("jsonl", "csv"):
        raise UsageError(f"format '{format}' is not known", where="--format", cure="use jsonl or csv")
    lost = {str(path): "there is no such file or folder" for path in paths if not (path.exists() or is_part(path))}
    if paths and len(lost) == len({*map(str, paths)}):
        raise UsageError(lost[str(paths[0])], where=paths[0], cure="check the spelling")
    trained = load_model(opened, run)
    opened = opened.as_learnt(trained.plan.task, trained.schema)
    write = None if out is None else _writer(opened, out, trained.schema)
    there = [path for path in paths if str(path) not in lost]
    return _lines(opened, trained, there, lost, format, write, alarm.checked(trained.schema))


def _writer(opened: Opened, out: Path, schema: Mapping[str, Json]) -> Write:
    as_file = own(opened.task.as_file)
    if as_file is None:
        told = f"answers of task '{opened.task.name}' are no files"
        raise UsageError(told, where="--out", cure="leave it out: each line holds its answer")
    out.mkdir(parents=True, exist_ok=True)
    taken: set[Path] = set()

    def write(name: str, value: Json, raw: bytes) -> dict[str, Json]:
        things = opened.task.things_file(value, schema)
        beside = {} if things is None else {"things": put(name, *things)}
        return {"file": put(name, *as_file(value, raw)), **beside}

    def put(name: str, ending: str, content: bytes) -> str:
        places = (out / f"{plain_stem(name)}{number or ''}{ending}" for number in count())
        path = next(place for place in places if place not in taken and _is_free(place, content))
        taken.add(path)
        atomic.write(path, content)
        return str(path)

    return write


def _is_free(place: Path, content: bytes) -> bool:
    """Whether nothing is lost by writing there: it may be somebody's own file, even the one that was answered."""
    return not place.exists() or (place.is_file() and place.read_bytes() == content)


def plain_stem(name: str) -> str:
    """What a file made from another is called.

    >>> plain_stem("a/scan_01.nii.gz"), plain_stem("ct/p1//IM0001"), plain_stem("x.tar!b/1.png")
    ('scan_01', 'p1', '1')
    >>> plain_stem("mri/p1_t//1.nii//2.nii"), plain_stem("p//1/ct.nii//1/pet.nii")
    ('p1_t', 'p1')
    """
    if several := bundle_of(name):
        files = [file.rpartition("/")[2] for file in several.files]
        shared = "" if several.is_whole else reduce(_shared, files).rstrip("_-. ")
        name = shared or several.home.rstrip("/!")
    last = name.replace("!", "/").rpartition("/")[2]
    return re.sub(r"(\.nii)?\.[A-Za-z0-9]{1,5}$", "", last) or "answer"


def _shared(one: str, other: str) -> str:
    """What both begin with."""
    return "".join(a for a, _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))


def _lines(
    opened: Opened,
    trained: Trained,
    paths: list[Path],
    lost: dict[str, str],
    format: str,
    write: Write | None,
    alarm: Rule,
) -> Generator[str, None, bool]:
    """Decoded in limited children, answered in batches, told in the order given; what could not be read comes last.

    lost: path -> what to say of it, of those that are not there.
    """
    unread = {**lost}
    held: dict[int, bytes] = {}  # of inputs on the way, where answers become files

    def jobs() -> Iterator[tuple[Named, bytes]]:
        for number, (name, raw) in enumerate(inputs(opened, paths, unread)):
            if write:
                held[number] = raw
            yield (number, name, sha256(raw).hexdigest()), raw

    encode = partial(opened.task.encode, options=trained.plan.task, megapixels=opened.prepare.megapixels)
    encoded = limited(encode, jobs(), opened.prepare.workers)
    names = [*FIELDS, *(("low", "high") if trained.schema["type"] == "number" else ())]
    names += ["alarm"] if alarm.classes else []
    watch = Watch(alarm)
    if format == "csv":
        yield ",".join(names)
    answered, is_any_read = _answered(opened, trained, encoded), False
    for row in _in_order(answered if write is None else _written(answered, write, held)):
        is_any_read = is_any_read or "error" not in row
        if "error" not in row:
            row |= watch.told(whole_of(row["path"])[0], row["prediction"])
        yield _spelled(row, format, names)
    for name, why in unread.items():
        cure = "check the spelling" if name in lost else "see to it that it can be read, or leave it out"
        fault = DataError(why, where=name, cure=cure)
        yield _spelled({"path": name, **fault.as_json()}, format, names)
    return is_any_read and not lost


def _written(
    rows: Iterator[tuple[int, dict[str, Json]]], write: Write, held: dict[int, bytes]
) -> Iterator[tuple[int, dict[str, Json]]]:
    for number, row in rows:
        raw = held.pop(number)
        yield number, row if "error" in row else {**row, **write(row["path"], row["prediction"], raw)}


def _answered(
    opened: Opened, trained: Trained, encoded: Iterator[tuple[Named, Columns | DataError]]
) -> Iterator[tuple[int, dict[str, Json]]]:
    """(number, row) of every input, in the order in which they were decoded."""
    while some := list(islice(encoded, min(BATCH, rows_at_once(trained.plan)))):
        good = [columns for _, columns in some if not isinstance(columns, DataError)]
        said = iter(answers(opened, trained, good) if good else [])
        for (number, name, content), columns in some:
            if isinstance(columns, DataError):
                yield number, {"path": name, **columns.as_json()}
            else:
                yield number, row_of(name, content, next(said))


def _in_order(rows: Iterator[tuple[int, dict[str, Json]]]) -> Iterator[dict[str, Json]]:
    """The rows by number. Only finished ones wait for an earlier one, so that a slow file keeps no pixels in memory."""
    waiting: dict[int, dict[str, Json]] = {}
    following = 0
    for number, row in rows:
        waiting[number] = row
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def _spelled(row: dict[str, Json], format: str, names: list[str]) -> str:
    return _csv(row, names) if format == "csv" else json.dumps(row, ensure_ascii=False, allow_nan=False)


def _csv(row: dict[str, Json], names: list[str]) -> str:
    out = io.StringIO()
    row |= dict(zip(("low", "high"), row.get("interval", ()), strict=False))
    csv.writer(out, lineterminator="").writerow([_safe(_cell(row.get(field, ""))) for field in names])
    return out.getvalue()


def _cell(value: Json) -> Json:
    """What holds several values as JSON, as the other format spells it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False) if isinstance(value, dict | list | tuple) else value


def _safe(value: Json) -> Json:
    # a cell that begins so is run as a formula by spreadsheet programs
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
