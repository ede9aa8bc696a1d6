"""What must be true of a project at any moment, whatever was killed when. `doctor` prints what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from snowroll.base import atomic
from snowroll.base.errors import StoreError
from snowroll.store import erase, journal, replay, tables
from snowroll.store.catalog import read_manifest
from snowroll.store.engine import damage

if TYPE_CHECKING:
    from snowroll.store.project import Project


def broken(project: Project, deep: bool) -> list[str]:
    """A sentence for each invariant that does not hold. `deep` also hashes every blob."""
    found = damage(project.catalog.path, project.frozen)
    if found:
        return [f"the catalog file is damaged: {sentence}" for sentence in found]
    found += project.catalog.read(lambda conn: [*_history(conn), *_names(project, conn), *_blobs(project, conn, deep)])
    return found + [f"{path}: a temporary file nobody is writing" for path in _orphans(project)]


def _history(conn: Connection) -> Iterator[str]:
    first = journal.verify(conn)
    if first is not None:
        yield f"the journal was changed at row {first}"
        return
    yield from replay.disagreements(replay.told_by_journal(journal.entries(conn)), replay.told_by_tables(conn))


def _names(project: Project, conn: Connection) -> Iterator[str]:
    """Whatever names something names something that is there."""
    if erase.is_pending(conn):
        yield "an erasure is unfinished: stop `serve` and `label`, then open the project again"
    runs = {row.number: row for row in conn.execute(select(tables.runs))}
    versions = set(conn.execute(select(tables.versions.c.id)).scalars())
    for run in runs.values():
        if not (project.runs / run.folder).is_dir():
            yield f"run {run.number}: its folder runs/{run.folder} is gone"
    for row in conn.execute(select(tables.artifacts)):
        if row.run not in {str(number) for number in runs} | {run.folder for run in runs.values()}:
            yield f"artifact {row.id}: there is no run {row.run}"
    known = {"champion": {str(number) for number in runs}, "version": versions}
    for row in conn.execute(select(tables.pointers)):
        if row.name in known and row.value not in known[row.name]:
            yield f"pointer {row.name}: there is no {row.value}"


def _blobs(project: Project, conn: Connection, deep: bool) -> Iterator[str]:
    """Blobs are there and sound; manifests are what was frozen, of samples that exist."""
    for sha in sorted(erase.named_blobs(conn)):
        if not project.blobs.has(sha):
            yield f"{project.blobs.path(sha)}: this blob is missing"
        elif deep and not project.blobs.is_sound(sha):
            yield f"{project.blobs.path(sha)}: this blob no longer holds what its name says"
    samples = set(conn.execute(select(tables.samples.c.id)).scalars())
    for row in conn.execute(select(tables.versions)).mappings().all():
        try:
            version = read_manifest(project.blobs, row)
        except StoreError as fault:
            yield f"version {row['id']}: {fault}"
            continue
        lost = sum(item.sample not in samples for item in version.items)
        if lost:
            yield f"version {row['id']}: {lost} of its samples are unknown"


def _orphans(project: Project) -> Iterator[Path]:
    for folder in (project.dot, project.runs):
        yield from atomic.orphans(folder)
