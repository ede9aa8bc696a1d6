"""An open project: its settings, its store, its task and the user's files, in one place; and what a verb answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from snowroll.base.errors import DataError, StoreError, UsageError
from snowroll.base.nouns import Json, Plan, Sample, canonical
from snowroll.base.parts import own
from snowroll.base.settings import FILE, Settings, read_settings
from snowroll.base.task import Task, find_task
from snowroll.deploy.settings import ServeSettings
from snowroll.evaluate.settings import PromotionSettings
from snowroll.prepare import wire
from snowroll.prepare.decode import Guarded, limited
from snowroll.prepare.names import whole_of
from snowroll.prepare.pieces import cutter, read_piece, stream_pieces
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.project.settings import LabelSettings
from snowroll.store.project import Project

SECTIONS = ("prepare", "task", "train", "promotion", "serve", "label")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb answers: one JSON object for machines, lines for people, and the next command to type."""

    json: dict[str, Json]
    lines: list[str]
    next: str = ""
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """A project that a verb works on."""

    root: Path
    settings: Settings
    store: Project
    task: Task
    prepare: PrepareSettings
    data: Path
    guests: Mapping[str, Sample] = field(default_factory=dict)  # of an outside folder, by id
    _folder: list[Folder] = field(default_factory=list)
    _doors: dict[str, Guarded] = field(default_factory=dict)

    @property
    def folder(self) -> Folder:
        """The user's files, opened when they are first asked for."""
        if not self._folder:
            if not self.data.exists():
                raise DataError("the data folder is gone", where=self.data, cure="put it back or set --prepare.data")
            self._folder.append(Folder(self.data))
        return self._folder[0]

    def reread(self) -> Opened:
        """The same project after snowroll.toml was changed; flags stay laid over it."""
        flags = {key: value for key, value in self.settings.values.items() if self.settings.origins[key] == "flag"}
        settings = read_settings(self.root / FILE).over(flags)
        prepare = _refuse_unfit(settings, self.task)
        return Opened(self.root, settings, self.store, self.task, prepare, (self.root / prepare.data).resolve())

    def read(self, where: str) -> bytes:
        """The bytes of one sample, from the user's files or from the store."""
        kind, _, sha = where.partition(":")
        if kind == "blob":
            return self.store.blobs.get(sha)
        cut, clean = own(self.task.pieces), own(self.task.cleaned)
        raw = self.folder.read(where) if cut is None else read_piece(self.folder, where, self._guarded(cutter(cut)))
        return raw if clean is None or whole_of(where)[1] else self._guarded(clean)(raw)

    def _guarded(self, fn: Callable[[bytes], Any]) -> Guarded:
        """Warm: a page and a report ask for one sample after the other."""
        name = canonical(wire.spell_call(fn))
        if name not in self._doors:
            self._doors[name] = Guarded(fn)
        return self._doors[name]

    def stream(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of many samples, each archive opened once; in an order of the storage's choosing."""
        own = list(wheres)
        for where in own:
            if where.startswith("blob:"):
                yield where, self.read(where)
        yield from self._own([where for where in own if not where.startswith("blob:")])

    def _own(self, wheres: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """From the user's files, without what the task says must never be kept; a piece it has made itself."""
        clean = own(self.task.cleaned)
        foreign = [] if clean is None else [where for where in wheres if not whole_of(where)[1]]
        kept = set(foreign)
        yield from stream_of(self.task, self.folder, [w for w in wheres if w not in kept], self.prepare.workers)
        if clean is None or not foreign:
            return
        for where, raw in limited(clean, self.folder.stream(foreign), self.prepare.workers):
            if isinstance(raw, DataError):
                self.folder.refused[where] = raw.what
            else:
                yield where, raw

    def over(self, data: Path, folder: Folder, samples: Iterable[Sample]) -> Opened:
        """The same project looking at other data: what `eval --data` judges. Nothing of it enters the catalog."""
        guests = {sample.id: sample for sample in samples}
        return Opened(self.root, self.settings, self.store, self.task, self.prepare, data, guests, [folder])

    def samples(self, ids: Iterable[str]) -> dict[str, Sample]:
        """Samples by id: the project's, or the guests'."""
        if self.guests:
            return {name: self.guests[name] for name in ids}
        return self.store.catalog.samples(ids)

    def as_learnt(self, options: Any, schema: Mapping[str, Json]) -> Opened:
        """The same project, reading other data as a model with these options and this schema was taught to."""
        known = {**schema, **{option.name: getattr(options, option.name) for option in fields(options)}}
        told = {name: known[name] for name in self.task.reads if name in known}
        return replace(self, prepare=replace(self.prepare, asked=told))

    def section(self, name: str, kind: type[Any], **options: Any) -> Any:
        """A settings section that belongs to no run: [promotion], [serve], [label]."""
        return self.settings.section(name, kind, **options)[0]


def stream_of(task: Task, folder: Folder, wheres: Iterable[str], workers: int) -> Iterator[tuple[str, bytes]]:
    """A folder's samples as the task cuts them out of its files; where it cuts none, the files as they are."""
    cut = own(task.pieces)
    return folder.stream(wheres) if cut is None else stream_pieces(folder, wheres, cut, workers)


def open_project(root: Path, flags: dict[str, Json], *, write: bool = True) -> Opened:
    """The project at `root`. Raises UsageError where there is none, or where a setting does not exist."""
    config = root / FILE
    if not root.is_dir():
        raise UsageError("there is no such folder", where=root, cure="give the project's folder")
    if not config.is_file():
        raise UsageError(f"no {FILE} here", where=root, cure=f"run `snowroll init {root}` first")
    settings = read_settings(config).over(flags)
    settings.refuse_unknown_sections(SECTIONS)  # before the task's name: "[taks]" is what is wrong then
    name = settings.values.get("task.name")
    if not isinstance(name, str):
        raise UsageError("[task] names no task", where=config, cure='write name = "classify_images" under [task]')
    task = find_task(name)
    prepare = _refuse_unfit(settings, task)
    data = (root / prepare.data).resolve()
    store = Project.open(root, read_only=not write)
    return Opened(root, settings, store, task, prepare, data)


def _refuse_unfit(settings: Settings, task: Task) -> PrepareSettings:
    """Every section is read once, so that a wrong key or number is told before any work. Returns [prepare]."""
    every_section(settings, task)
    return prepare_of(settings, task)


def prepare_of(settings: Settings, task: Task) -> PrepareSettings:
    """The section [prepare], and of [task] what the user settled and the task reads folders by."""
    names = {f"task.{name}": name for name in task.reads}
    given = {key: value for key, value in settings.values.items() if key in names}
    options, _ = Settings(given, settings.origins).section("task", task.Options)
    asked = {names[key]: getattr(options, names[key]) for key in given}
    return settings.section("prepare", PrepareSettings, made={"asked": asked})[0]


def every_section(settings: Settings, task: Task) -> dict[str, dict[str, tuple[Json, str]]]:
    """Of each section all settings, with value and origin. Raises UsageError for one that is wrong."""
    settings.refuse_unknown_sections(SECTIONS)
    options, told = settings.section("task", task.Options, beside=("name",))
    plan, train = settings.section("train", Plan, made={"task": options})
    if plan.folds and own(task.ensemble) is None:
        told = f"task '{task.name}' does not say how several models are joined into one"
        raise UsageError(told, where="train.folds", cure="set it to 0, or give the task a method `ensemble(models)`")
    kinds = {"prepare": PrepareSettings, "promotion": PromotionSettings, "serve": ServeSettings, "label": LabelSettings}
    made = {"prepare": {"asked": {}}}
    rest = {name: settings.section(name, kind, made=made.get(name))[1] for name, kind in kinds.items()}
    return {"task": told, "train": train, **rest}


def champion_run(opened: Opened) -> int:
    """The run whose model `serve`, `predict` and `export` use."""
    value = opened.store.catalog.pointer("champion")
    if value is None:
        raise StoreError("no champion yet", where=opened.root, cure=f"run `snowroll train {opened.root}` first")
    return int(value)
