"""What of the files, folders and archives that somebody gives is a sample to be answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowroll.base.errors import DataError
from snowroll.prepare.labels_beside import labels_of_pictures
from snowroll.prepare.names import (
    BUNDLE,
    holds_rows,
    is_archive,
    is_idx,
    is_shard,
    packed_of,
    stretch_of,
    take_apart,
    whole_of,
)
from snowroll.prepare.read import Folder
from snowroll.project.opened import Opened, stream_of


def inputs(opened: Opened, paths: list[Path], unread: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every file given and of all in the folders and archives given; else name -> why in `unread`."""
    for path in paths:
        if path.is_dir() or is_archive(path.name) or holds_rows(path.name) or _holds_samples(opened, path):
            yield from _inside(opened, path, unread)
            continue
        try:
            raw = Folder(_whole(path)).read(path.name) if is_part(path) else path.read_bytes()
        except OSError as fault:
            unread[str(path)] = (fault.strerror or str(fault)).lower()
        except DataError as fault:
            unread[str(path)] = fault.what
        else:
            yield str(path), raw


def _holds_samples(opened: Opened, path: Path) -> bool:
    """Whether the task cuts a file of this name into samples: lines of sentences."""
    return path.is_file() and opened.task.holds_samples(path.name)


def is_part(path: Path) -> bool:
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
    """A path would fold the marks of a piece, and those of several files."""
    return f"{base}/{where}" if whole_of(where)[1] or BUNDLE in where else str(base / where)


def _wheres(opened: Opened, folder: Folder) -> list[str]:
    """Every file, for the task says what is a sample when it encodes it; for arrays, the rows that it makes samples; of
    tables of pictures all, labelled or not."""
    files = opened.task.samples_in(folder, opened.prepare)
    if opened.task.kind == "image":
        labels = labels_of_pictures(files)
        files = [where for where in files if where not in labels]
    if not any(holds_rows(where) for where in files):
        return files
    reading = opened.task.recognise(folder, opened.prepare.for_strangers())
    places = {found.where: take_apart(found.where) for found in reading.found} if reading else {}
    rows = [where for where, place in places.items() if place.row is not None]
    inside = {one.of if (one := packed_of(where)) else places[where].file for where in rows}
    # the labels of the images, the names of classes
    beside = {where for where in files if rows and (is_idx(where) or is_shard(where))}
    for where in files:
        if where not in inside and folder.holds_pictures(where):
            inside.add(where)
            folder.refused.pop(where, None)  # it was, for want of a class
            rows += folder.parquet(where).every(where)
    return [where for where in files if where not in inside | beside] + rows
