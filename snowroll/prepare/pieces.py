"""Samples that are parts of a larger file: the beats of a record, cut from it in one pass.

    mitdb/101//.hea//.dat//.atr///370      the piece that the task calls 370, of a record in three files

The task says how a file is cut (`pieces` in base/task.py). It is foreign, so that happens in limited children.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from snowroll.base.errors import DataError
from snowroll.prepare.decode import limited
from snowroll.prepare.names import PIECE, whole_of
from snowroll.prepare.read import Folder

Cut = Callable[[bytes, Sequence[str]], Mapping[str, bytes]]  # (a file, names) -> the pieces of these names
AT_ONCE = 256  # pieces of one file that are held together: the file is sent to a child anew for every so many
MOST_TIMES = 64  # that it is sent: of a million lines more are held


def stream_pieces(folder: Folder, wheres: Iterable[str], cut: Cut, workers: int) -> Iterator[tuple[str, bytes]]:
    """(where, bytes) of samples of which some are pieces. What cannot be read does not come: see `folder.refused`."""
    plain: list[str] = []
    inside: dict[str, list[str]] = {}
    for where in wheres:
        whole, name = whole_of(where)
        if name:
            inside.setdefault(whole, []).append(name)
        else:
            plain.append(where)
    yield from folder.stream(plain)
    for (whole, names), found in limited(partial(_cut, cut=cut), _jobs(folder, inside), workers):
        if isinstance(found, DataError):
            folder.refused.update({f"{whole}{PIECE}{name}": found.what for name in names})
            continue
        for name in names:
            if name in found:
                yield f"{whole}{PIECE}{name}", found[name]
            else:
                folder.refused[f"{whole}{PIECE}{name}"] = "the file has no such piece any more"


def read_piece(folder: Folder, where: str, cut: Callable[[bytes], Any]) -> bytes:
    """One sample, a piece or a file. cut: `cutter(task.pieces)`, in a guarded child. Raises DataError."""
    whole, name = whole_of(where)
    raw = folder.read(whole)
    if not name:
        return raw
    found = cut(_job([name], raw))
    if name not in found:
        raise DataError("the file has no such piece any more", where=where, cure="index the folder again")
    return found[name]


def cutter(cut: Cut) -> Callable[[bytes], dict[str, bytes]]:
    return partial(_cut, cut=cut)


def _jobs(folder: Folder, inside: Mapping[str, Sequence[str]]) -> Iterator[tuple[tuple[str, Sequence[str]], bytes]]:
    for whole, raw in folder.stream(inside):
        names = inside[whole]
        at_once = max(AT_ONCE, -(-len(names) // MOST_TIMES))
        for start in range(0, len(names), at_once):
            some = names[start : start + at_once]
            yield (whole, some), _job(some, raw)
    gone = [whole for whole in inside if whole in folder.refused]
    folder.refused.update({f"{whole}{PIECE}{name}": folder.refused[whole] for whole in gone for name in inside[whole]})


def _job(names: Sequence[str], raw: bytes) -> bytes:
    """What a child is sent: 8 bytes length, the names as JSON, the file."""
    told = json.dumps(list(names)).encode()
    return len(told).to_bytes(8, "big") + told + raw


def _cut(job: bytes, cut: Cut) -> dict[str, bytes]:
    end = 8 + int.from_bytes(job[:8], "big")
    return dict(cut(job[end:], json.loads(job[8:end])))
