"""`eval`: the champion on its locked test set, or on an outside folder; every figure with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from time import monotonic
from time import time as utc_seconds

from snowroll.base.errors import DataError, UsageError, did_you_mean
from snowroll.base.nouns import Item, Sample, Split, Version, digest
from snowroll.evaluate.interval import few_in_words
from snowroll.prepare.index import index
from snowroll.prepare.read import Folder
from snowroll.prepare.view import count
from snowroll.project.data import Packed, pack_version
from snowroll.project.judging import judge, metrics, packed_of, short_lines
from snowroll.project.models import Trained, load_model
from snowroll.project.opened import Answer, Opened, Say
from snowroll.project.plans import read_told
from snowroll.project.reporting import Story, slices_of, write_report


def evaluate(opened: Opened, data: Path | None, run: int | None, say: Say) -> Answer:
    """See the command line. Nothing is trained, and no promotion test is spent."""
    began, own = monotonic(), dict[Split, int]()
    trained = load_model(opened, run, say)
    if data is None:
        reader, packed = opened, packed_of(opened, trained, say)
        folder, on = trained.folder / "eval", "the locked test set, which nothing was trained on"
    else:
        reader, packed = _outside(opened, trained, data, say)
        own = _own(opened, trained, reader.samples(item.sample for item in packed.version.items).values())
        folder, on = trained.folder / f"eval-{_short(data)}", f"{data}, {_in_words(own, len(packed.version.items))}"
    unread, added = _unread(packed), 0 if data else _added_since(opened, packed.version)
    asked = [*(["--run", str(run)] if run is not None else []), *(["--data", quote(str(data))] if data else [])]
    judged = judge(reader, trained, packed, "test")
    scores = metrics(opened.task, judged, trained.schema)
    slices = slices_of(reader, judged, packed)
    story = Story(
        run=trained.run,
        folder=folder,
        plan=trained.plan,
        told=read_told(trained.folder),
        seconds=monotonic() - began,
        written_at=utc_seconds(),
        measured_on=on,
        reproduce=" ".join(["snowroll eval", quote(opened.root.resolve().name), *asked]),
    )
    report = write_report(reader, story, packed, trained, judged, scores)
    headline = scores[opened.task.headline]
    worse = [part for part in slices if part.worse]
    lines = [f"eval      {name:<18} {metric}" for name, metric in scores.items()]
    lines += short_lines(opened.task, judged, trained)
    lines += few_in_words(judged.groups, headline.n)
    lines += unread
    if own:
        places = ", ".join(f"{n:,} in {split}" for split, n in own.items())
        lines.append(
            f"own       {sum(own.values()):,} of {len(packed.version.items):,} samples are the project's: {places}"
        )
    if own.get("train"):
        told = f"{own['train']:,} of these samples trained this model: the scores flatter it"
        lines.append(f"WARNING   {told}; without --data the locked test set is judged")
    if added:
        told = f"{count(added, 'sample')} that joined the locked test set since run {trained.run}"
        lines.append(f"left out  {told}: `snowroll train` judges on all of it")
    lines += [
        f"worse     {p.slice}: {p.value:.3f} [{p.low:.3f}, {p.high:.3f}] n={p.n}, elsewhere {p.rest:.3f}" for p in worse
    ]
    lines.append(f"report    {report}")
    answer = {
        "metric": opened.task.headline,
        "value": headline.value,
        "interval": [headline.low, headline.high],
        "n": headline.n,
        "metrics": {
            name: {"value": metric.value, "interval": [metric.low, metric.high], "n": metric.n}
            for name, metric in scores.items()
        },
        "slices": [asdict(part) for part in slices],
        "report": report,
        "added_since": added,
        **({} if data is None else {"own": dict(own)}),
    }
    return Answer(answer, lines, next=f"snowroll export {opened.root}")


def _short(data: Path) -> str:
    """A short name for a folder, by which its report is told from another's."""
    return digest(str(data.resolve()))[:8]


def _own(opened: Opened, trained: Trained, asked: Iterable[Sample]) -> dict[Split, int]:
    """How many of these samples the run's version has in each split. By content, for files are copied and moved."""
    version = opened.store.catalog.version(trained.version, opened.store.blobs)
    if version is None:
        return {}
    samples = opened.samples(item.sample for item in version.items)
    splits: dict[str, Split] = {samples[i.sample].content: i.split for i in version.items if i.sample in samples}
    counts = Counter(splits[sample.content] for sample in asked if sample.content in splits)
    order: tuple[Split, ...] = ("train", "val", "test")
    return {split: counts[split] for split in order if counts[split]}


def _in_words(own: dict[Split, int], n: int) -> str:
    """
    >>> _in_words({}, 3), _in_words({"test": 1}, 4)
    ('which the project does not hold', 'of whose 4 samples the project holds 1 (1 in test)')
    """
    if not own:
        return "which the project does not hold"
    warned = ", and learnt from those in train: the scores flatter it" if own.get("train") else ""
    places = ", ".join(f"{own[split]:,} in {split}" for split in own)
    return f"of whose {count(n, 'sample')} the project holds {sum(own.values()):,} ({places}){warned}"


def _unread(packed: Packed) -> list[str]:
    """What is not judged, in words. Raises DataError where nothing is left."""
    rows = [row for row, item in enumerate(packed.version.items) if item.split == "test"]
    why = [packed.pack.failed[row] for row in rows if row in packed.pack.failed]
    if not why:
        return []
    told = f"{len(why):,} of {count(len(rows), 'sample')} cannot be read: {why[0]}"
    if len(why) == len(rows):
        raise DataError(told, where="the test set", cure="put the files back, or train again")
    return [f"left out  {told}"]


def _added_since(opened: Opened, version: Version) -> int:
    """Samples of the locked test set as it is now that this version's had not: of the latest version, and those
    answered for it since. By content, for files move."""
    catalog = opened.store.catalog
    latest = catalog.version(catalog.pointer("version") or "", opened.store.blobs) or version
    placed = {item.sample for item in latest.items} | latest.left_out.keys()
    answered = {label.sample for label in catalog.labels().values() if label.for_test and label.target is not None}
    now = {item.sample for item in latest.of("test")} | (answered - placed)
    samples = opened.samples({*now, *(item.sample for item in version.of("test"))})
    judged = {samples[item.sample].content for item in version.of("test") if item.sample in samples}
    return len({samples[name].content for name in now if name in samples} - judged)


def _outside(opened: Opened, trained: Trained, data: Path, say: Say) -> tuple[Opened, Packed]:
    """The folder as a version of test items only; its classes are matched by name."""
    if not data.exists():
        raise UsageError("there is no such folder", where=data, cure="check the spelling")
    folder = Folder(data)
    column = str(trained.schema.get("target", ""))  # of a table: which of its columns the model was taught
    settings = opened.as_learnt(trained.plan.task, trained.schema).prepare.for_strangers()
    # a task that cuts its splits out of a text or a series makes all of it the test
    reading = opened.task.recognise(folder, replace(settings, label_column=column, test=1.0, val=0.0))
    if reading is None or not reading.found:
        told = f"nothing here that task '{opened.task.name}' can read"
        raise DataError(told, where=data, cure=opened.task.wants)
    every = index(folder, reading, opened.task.kind, stream=opened.over(data, folder, ()).stream)
    found = [sample for sample in every if sample.target is not None]
    _refuse_unknown(opened, trained, found, data)
    # what the folder itself calls test is judged; without such a split, all of it
    declared = [sample for sample in found if sample.split == "test"]
    items = [Item(s.id, s.target, "test", s.group) for s in declared or found]
    outside = opened.over(data, folder, found)
    return outside, pack_version(outside, Version.freeze(items, trained.schema), trained.plan.task, say)


def _refuse_unknown(opened: Opened, trained: Trained, found: list[Sample], data: Path) -> None:
    if not found:
        raise DataError("no labelled samples here", where=data, cure="eval needs labels; `snowroll predict` does not")
    problems = [(sample, said) for sample in found if (said := opened.task.problem(sample.target, trained.schema))]
    if not problems:
        return
    first, _ = problems[0]
    known = [str(name) for name in trained.schema.get("classes", ())]
    cure = did_you_mean(str(first.target), known) if known else "use the classes the model was trained on"
    kinds = dict.fromkeys(problem.partition(";")[0] for _, problem in problems)
    told = "; ".join([*list(kinds)[:5], *([f"and {len(kinds) - 5:,} more"] if len(kinds) > 5 else [])])
    raise DataError(told, where=f"{data}/{first.where}", cure=cure)
