"""The data checks on a project's stock; the answer is kept as long as nothing changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from snowroll.base import atomic
from snowroll.base.nouns import Fault, Json, Sample, canonical, digest
from snowroll.base.parts import own
from snowroll.prepare.archives import BOMB, CLIMBS, DAMAGED
from snowroll.prepare.check import SplitFree, check, left_out, split_free
from snowroll.prepare.disk import EMPTY, FORBIDDEN
from snowroll.prepare.duplicates import Group, copy_groups, scene_groups
from snowroll.prepare.look import Look
from snowroll.prepare.manifest import SEVERAL, TOO_LARGE, TWO_ROWS, TWO_SPLITS
from snowroll.prepare.texts import BROKEN
from snowroll.prepare.view import View, count
from snowroll.prepare.wfdb import ABSENT
from snowroll.prepare.yolo import UNKNOWN_CLASS
from snowroll.project.code import code_beside
from snowroll.project.fixing import left_out_by_rule, rules_of, settled
from snowroll.project.looks import look_at
from snowroll.project.opened import Opened, Say
from snowroll.project.opinions import known_opinions, opinions_on, said_of
from snowroll.project.placements import placements
from snowroll.project.split_free import keep_split_free, read_split_free
from snowroll.project.stock import PassedOver, Stock


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the checks found, and what follows from it for the next version."""

    faults: list[Fault]
    left_out: Mapping[str, str]  # sample id -> code of the fault that keeps it out
    alike: Mapping[str, str]  # sample id -> name of its group of near-copies: they share a split


def inspect(opened: Opened, stock: Stock, say: Say) -> Inspected:
    """Check every sample, labelled or not, where versions placed it; else where the folder declares it. Cached."""
    return Inspection(opened, stock, say).found()


class Inspection:
    """A stock under inspection, once or in several splits: what does not depend on splits is found once."""

    def __init__(self, opened: Opened, stock: Stock, say: Say) -> None:
        self.opened, self.stock, self.say = opened, stock, say
        self.samples = [replace(sample, target=stock.targets.get(sample.id)) for sample in stock.samples]
        self.said = known_opinions(opened)

    def found(self) -> Inspected:
        """The findings in the splits as they are now."""
        opened, stock = self.opened, self.stock
        splits, rules = placements(opened), rules_of(opened)
        lie = [splits.get(sample.id, sample.split) for sample in self.samples]  # often as the folder has them
        options, _ = opened.settings.section("task", opened.task.Options, beside=("name",))
        skipped = {why: asdict(over) for why, over in stock.skipped.items()}
        seen = [self._seen, skipped, lie, asdict(options), opened.prepare.scenes, rules]
        path = opened.store.packs / "faults" / f"{digest(canonical(seen))}.json"
        if (kept := _load(path)) is not None:
            return replace(kept, faults=settled(kept.faults, rules, opened.root))
        free = self._split_free
        view = self._view(splits=splits, options=options, said=said_of(self.said, self.samples, stock.schema))
        faults = [*check(view, free), *_by_task(opened, view), *_skipped(stock)]
        if opened.prepare.scenes:  # they are groups now
            faults = [fault for fault in faults if fault.code != "undeclared_groups"]
        aside = left_out_by_rule(faults, rules) | left_out(faults, view)
        of_one_picture = scene_groups if opened.prepare.scenes else copy_groups
        found = Inspected(faults, aside, _named(self.samples, of_one_picture(view, free.pairs)))
        if not opened.store.read_only:
            atomic.write_json(path, asdict(found), indent=None)
        return replace(found, faults=settled(faults, rules, opened.root))

    @cached_property
    def _seen(self) -> str:
        """One name for all that is seen whatever the splits are, and for who looks."""
        each = [[getattr(sample, name) for name in _OF_SAMPLE] for sample in self.samples]
        said = self.said and self.said.id
        seen = [each, self.stock.schema, self.opened.prepare.megapixels, said, self.stock.annotators]
        return digest(canonical(seen), code_beside(check, type(self.opened.task)))

    @cached_property
    def _looks(self) -> dict[str, Look]:
        return look_at(self.opened, self.samples, self.say)

    @cached_property
    def _written(self) -> dict[str, float]:
        """Seconds since 1970 by where a file lies."""
        return {entry.where: entry.mtime_ns / 1e9 for entry in self.opened.folder.disk.files()}

    @cached_property
    def _split_free(self) -> SplitFree:
        opened = self.opened
        path = opened.store.packs / "faults" / f"{self._seen}.npz"
        if (kept := read_split_free(path)) is not None:
            return kept
        view = self._view(opinions=opinions_on(self.said, self.samples, self.stock.schema))
        self.say("looking for copies, leaks and suspected labels ...")
        found = split_free(view)
        if not opened.store.read_only:
            keep_split_free(path, found)
        return found

    def _view(self, **more: Any) -> View:
        task = self.opened.task
        known = {"annotators": self.stock.annotators, "gist": own(task.gist), "clash": own(task.clash)}
        return View.of(self.samples, self._looks, self.stock.schema, written=self._written, **known, **more)


_OF_SAMPLE = [f.name for f in fields(Sample)]


def _by_task(opened: Opened, view: View) -> list[Fault]:
    """What only the task can find wrong with its targets, where it knows of any."""
    doubted = own(opened.task.doubted) if view.said is not None else None
    return [*opened.task.faults(view), *(doubted(view) if doubted else ())]


def _skipped(stock: Stock) -> list[Fault]:
    """Files in the folder that are no samples, by reason: nothing is passed over in silence."""
    return [_passed_over(why, over) for why, over in stock.skipped.items()]


def _passed_over(why: str, over: PassedOver) -> Fault:
    n, paths = over.n, over.some
    details = over.first.partition(": ")[2]
    named = f"{paths[0]} ({details})" if details else ", ".join(paths[:3])
    if why.startswith("named in "):
        cure = "put the files there, or take their rows out of the manifest"
        return Fault("absent_files", "warn", paths, f"{n:,} rows without a sample: {why}", cure)
    if why == TWO_ROWS:
        told = f"{count(n, 'file')} left out, named in two rows with different labels"
        return Fault("conflicting_rows", "warn", paths, f"{told}: {named}", "keep the right row of each")
    if why == TWO_SPLITS:
        told = f"{count(n, 'file')} left out, named in two rows with different splits: {named}"
        return Fault("rows_in_two_splits", "warn", paths, told, "keep the row of the split that each belongs to")
    if why == SEVERAL:
        told = f"{count(n, 'file')} left out, each with several labels: {', '.join(paths[:3])}"
        cure = "nothing, if those of one label are meant; else name the column of one class: --prepare.label_column"
        return Fault("several_labels", "warn", paths, told, cure)
    if why.startswith(TOO_LARGE):
        told = f"{paths[0]} is {why}: if it says labels, splits or groups, they are not known"
        return Fault("oversized_manifest", "warn", paths, told, "divide it into several files")
    if why == BROKEN:
        told = f"{count(n, 'sample')} left out for {why}: {', '.join(paths[:3])}"
        return Fault("broken_lines", "warn", paths, told, "correct them, or save the file as UTF-8 again")
    if "archive" in why and any(word in why for word in (CLIMBS, DAMAGED, BOMB)):
        told = f"{count(n, 'archive or member', 'archives and members')} left out: {why}"
        cure = "pack it again from files that you trust; whatever else can be read is used"
        return Fault("bad_archive", "warn", paths, told, cure)
    if why == FORBIDDEN:
        told = f"{count(n, 'file or folder', 'files and folders')} that you may not read: {', '.join(paths[:3])}"
        cure = f"ask their owner, or give yourself the right: chmod -R u+rX {shlex.quote(paths[0])} in the data folder"
        return Fault("no_permission", "warn", paths, told, cure)
    if why.startswith(UNKNOWN_CLASS):
        told = f"{count(n, 'picture')} left out for {why}: {', '.join(paths[:3])}"
        cure = "correct the number, or add the class to the names"
        return Fault("unknown_class", "warn", paths, told, cure)
    if why == ABSENT:
        told = f"{count(n, 'record')} left out, whose header names a file that is not there: {', '.join(paths[:3])}"
        cure = "put the files of their signals beside them, or remove the headers"
        return Fault("absent_files", "warn", paths, told, cure)
    if why == EMPTY:
        told = f"{count(n, 'folder')} without a file: {', '.join(paths[:3])}"
        return Fault("empty_folder", "warn", paths, told, "put its pictures back, or remove it")
    cure = "nothing, if that is right; else name what it is: `snowroll explain prepare` lists the settings"
    return Fault("skipped_files", "note", paths, f"{n:,} not read as samples: {why}", cure)


def _named(samples: list[Sample], groups: list[Group]) -> dict[str, str]:
    """Each group named by its first member."""
    return {samples[row].id: f"alike:{samples[group[0]].id}" for group in groups for row in group}


def _load(path: Path) -> Inspected | None:
    try:
        told: dict[str, Json] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return Inspected([Fault.read(row) for row in told["faults"]], told["left_out"], told["alike"])
