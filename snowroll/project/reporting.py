"""What a run found, written down: report.html, report.json, the model card, and a line of results.tsv."""

from __future__ import annotations

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from snowroll.base import atomic
from snowroll.base.listing import in_order
from snowroll.base.nouns import Fault, Gate, Item, Json, Metric, Plan, Report
from snowroll.base.parts import own
from snowroll.base.settings import as_flag
from snowroll.evaluate.background import Background, Curve, Evidence, Ledger, Passage, details_in_order
from snowroll.evaluate.card import COLUMNS, card, results_row
from snowroll.evaluate.compared import Compared
from snowroll.evaluate.interval import interval_in_words
from snowroll.evaluate.opening import label
from snowroll.evaluate.report import render
from snowroll.evaluate.slices import Slice, find_slices
from snowroll.prepare.look import Look
from snowroll.project.data import Packed, gather
from snowroll.project.judging import Judged, in_short
from snowroll.project.looks import look_at
from snowroll.project.models import Trained
from snowroll.project.opened import Opened
from snowroll.project.plans import Told, briefly
from snowroll.project.promotion import Decision
from snowroll.project.shots import doubted, typical, worst

MOST_OF_A_FLAG = 500  # characters of a setting's value, in the command that trains once more


@dataclass(frozen=True, slots=True)
class Story:
    """What the report tells beside the scores."""

    run: int
    folder: Path
    plan: Plan
    told: Told
    seconds: float
    written_at: float  # UTC seconds
    gates: Sequence[Gate] = ()
    faults: Sequence[Fault] = ()
    words: Sequence[str] = ()  # how the data was split
    curve: Sequence[Mapping[str, float]] = ()
    decision: Decision | None = None
    compared: Compared = field(default_factory=Compared)
    measured_on: str = "the locked test set, which nothing was trained or chosen on"
    reproduce: str = ""  # the command that measured it; else that which trained it


def write_report(
    opened: Opened, story: Story, packed: Packed, trained: Trained, judged: Judged, scores: Mapping[str, Metric]
) -> str:
    """Returns the path of report.html."""
    slices = slices_of(opened, judged, packed)
    passages = _passages(opened, packed, trained, judged)
    background = replace(_background(opened, story, packed, trained, judged), passages=passages)
    intervals = {"recall": background.recall, **background.likewise} if background.per_class else {}
    told = {
        "passages": [asdict(one) for one in passages],
        "per_class": list(background.per_class),
        "class_intervals": {
            column: {name: [one.low, one.high] for name, one in metrics.items()}
            for column, metrics in intervals.items()
        },
    }
    report = Report(
        run=str(story.run),
        version=packed.version.id,
        headline=opened.task.headline,
        metrics=scores,
        slices=tuple(asdict(part) for part in slices),
        gates=tuple(story.gates),
        faults=tuple(story.faults),
        costs=_costs(trained, story.seconds),
        extras={**story.compared.as_json(), **{key: rows for key, rows in told.items() if rows}},
    )
    path = story.folder / "report.html"
    pictures = getattr(trained.plan.task, "pictures", True)
    atomic.write_text(path, render(report, background, pictures=pictures))
    atomic.write_json(story.folder / "report.json", asdict(report))
    if (story.folder / "model").is_dir():
        atomic.write_text(story.folder / "model" / "README.md", _card(opened, report, background, trained))
        _add_result(opened, story, report)
    return str(path)


def _card(opened: Opened, report: Report, background: Background, trained: Trained) -> str:
    """The model card that travels with the weights."""
    deployable = opened.task.deployable(trained.model, trained.plan.task, trained.schema)
    name = opened.root.resolve().name
    return card(
        report,
        background,
        name=name,
        pipeline=opened.task.pipeline or opened.task.name.replace("_", "-"),
        inputs=". ".join(str(value) for key, value in deployable.contract.items() if _is_told(key, value)) + ".",
        usage=[f"snowroll predict {name} FILES --json"],
        cautions=opened.task.cautions(trained.schema, trained.plan.task),
    )


def _is_told(key: str, value: Json) -> bool:
    """Whether a part of the contract is for people: tables of thousands of tokens are not."""
    return key != "classes" and len(str(value)) < 2_000


def _add_result(opened: Opened, story: Story, report: Report) -> None:
    """One line a run, written anew in its place where there is more to tell; the first line names the columns."""
    path = opened.root / "results.tsv"
    lines = path.read_bytes().splitlines() if path.exists() else ["\t".join(COLUMNS).encode()]
    before = [place for place, line in enumerate(lines) if line.startswith(f"{report.run}\t".encode())]
    at = datetime.fromtimestamp(story.written_at, UTC).isoformat(timespec="seconds")
    verdict = story.decision.outcome if story.decision else ""
    told = {line.partition(b"\t")[0].decode(errors="replace") for line in lines}
    row = results_row(report, at=at, verdict=verdict, changed=_changed(opened, story, told)).encode()
    lines[slice(before[0], before[0] + 1) if before else slice(len(lines), None)] = [row]
    atomic.write(path, b"\n".join(lines) + b"\n")


def _changed(opened: Opened, story: Story, told: Set[str]) -> str:
    """What this run's plan has otherwise than the newest run before that has a row, too: one change a row is an
    ablation table. told: the numbers of those that have one.
    """
    before = [run for run in opened.store.catalog.runs() if run.number < story.run and str(run.number) in told]
    if not before:
        return "first run"
    old, new = _flat(before[-1].plan or {}), _flat(asdict(story.plan))
    other = [f"{key} {old.get(key)} -> {value}" for key, value in new.items() if old.get(key) != value]
    return "; ".join(other) or "data only"


def _once_more(opened: Opened, story: Story) -> str:
    """The run's plan as flags, but for defaults: neither the clock nor another machine's rules choose anew then.

    What rules read from the data by the thousand is left to them.
    """
    plan, settings = asdict(story.plan), opened.settings
    values = {f"train.{key}": value for key, value in plan.items()}
    values |= {f"task.{key}": value for key, value in plan["task"].items()}
    chosen = {
        key: as_flag(values[key])
        for key, (told, origin) in story.told.items()
        if key in values and key != "train.time_s" and (origin != "default" or as_flag(values[key]) != as_flag(told))
    }
    flags = {key: as_flag(value) for key, value in settings.values.items() if settings.origins[key] == "flag"}
    flags = {key: value for key, value in flags.items() if key.startswith("prepare.")}
    flags |= {key: value for key, value in chosen.items() if len(value) < MOST_OF_A_FLAG}
    spelled = [f"--{key} {shlex.quote(told)}" for key, told in flags.items()]
    return " ".join([f"snowroll train {shlex.quote(opened.root.resolve().name)} --fresh", *spelled])


def _flat(plan: Mapping[str, Json]) -> dict[str, Json]:
    task = {f"task.{key}": briefly(value) for key, value in plan["task"].items()}
    return {f"train.{key}": value for key, value in plan.items() if key != "task"} | task


def _background(opened: Opened, story: Story, packed: Packed, trained: Trained, judged: Judged) -> Background:
    task = opened.task
    details = details_in_order(task.details(judged.predictions, judged.targets, trained.schema, judged.groups))
    return Background(
        title=f"{opened.root.resolve().name}, run {story.run:04d}",
        measured_on=f"{len(judged.targets):,} {task.kind}s of {story.measured_on}",
        made=_made(story, packed),
        in_short=". ".join(in_short(task, judged, trained)),
        credit=task.credited,
        **_floor(opened, packed, judged),
        intervals=interval_in_words(len(set(judged.groups)), len(judged.targets)),
        verdict=story.decision.verdict if story.decision else None,
        crossed=story.compared.crossed,
        beside=story.compared.beside,
        learning=story.compared.learning,
        sweep=story.compared.sweep,
        ledger=_ledger(opened, packed),
        drawn=story.words,
        curves=_curves(task.headline, story, "nats" if trained.schema["type"] == "choice" else ""),
        legend=task.legend,
        large=task.in_pixels,
        shots=worst(opened, judged, trained.schema),
        typical=typical(opened, judged, trained.schema) if details.get("pictured") else (),
        doubted=doubted(opened, story.folder, packed, trained),
        plan=[(key, briefly(value), origin) for key, (value, origin) in story.told.items()],
        reproduce=[story.reproduce or _once_more(opened, story)],
        **details,
    )


def _made(story: Story, packed: Packed) -> dict[str, str]:
    environment: dict[str, Any] = {}
    if (story.folder / "env.json").exists():
        environment = json.loads((story.folder / "env.json").read_text())
    when = datetime.fromtimestamp(story.written_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts = {"date": when, "data version": packed.version.id, "seconds": f"{story.seconds:,.0f}"}
    return facts | {key: str(value) for key, value in environment.items()}


def _floor(opened: Opened, packed: Packed, judged: Judged) -> dict[str, Any]:
    """What must be beaten: the task's own floor, else always answering training's commonest class.

    Nothing where the headline is no accuracy, or there is nothing to learn a floor from.
    """
    floor = own(opened.task.floor)
    if floor is not None:
        if not len(packed.rows["train"]) or not len(packed.rows["test"]):
            return {}
        value, what = floor(dict(packed.pack.columns), packed.targets, packed.rows, packed.schema)
        return {"floor": value, "floor_of": what}
    strata = opened.task.strata([item.target for item in packed.items("train")])
    if not strata or opened.task.headline != "accuracy":
        return {}
    commonest = Counter(strata).most_common(1)[0][0]
    return {"floor": float(np.mean([stratum == commonest for stratum in judged.strata]))}


def _ledger(opened: Opened, packed: Packed) -> Ledger:
    items = packed.version.items
    strata, of_classes = opened.task.strata([item.target for item in items]), own(opened.task.of_classes)
    kept = _by_split(items, [[stratum] for stratum in strata])
    shown: dict[str, dict[str, int]] = {}
    if of_classes is not None and packed.schema.get("classes"):
        classes = [sorted(set(of_classes([item.target]))) or ["nothing"] for item in items]
        shown = _by_split(items, classes) if any(len(names) > 1 for names in classes) else {}
    left_out = Counter(packed.version.left_out.values())
    if packed.pack.failed:
        left_out["could not be decoded"] += len(packed.pack.failed)
    read = len(items) + len(packed.version.left_out)
    return Ledger(read, kept, left_out, opened.task.kind, shown)


def _by_split(items: Sequence[Item], names: Sequence[Sequence[str]]) -> dict[str, dict[str, int]]:
    """name -> split -> how many of the items; names: [n] of each."""
    counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for item, own_names in zip(items, names, strict=True):
        for name in own_names:
            counted[name][item.split] += 1
    return {name: dict(counted[name]) for name in in_order(sorted(counted))}


def _curves(headline: str, story: Story, unit: str) -> list[Curve]:
    log, curve = story.folder / "metrics.jsonl", story.curve
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    train = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    losses = {"training": train, "validation": [(row["step"], row["val_loss"]) for row in curve if "val_loss" in row]}
    name = f"val_{headline}"
    found = [Curve("loss", {key: points for key, points in losses.items() if points}, unit)]
    if points := [(row["step"], row[name]) for row in curve if name in row]:
        found.append(Curve(f"validation {label(headline)}", {label(headline): points}))
    rates = [(row["step"], row["lr"]) for row in rows if "lr" in row]
    return found + ([Curve("learning rate", {"rate": rates})] if rates else [])


def _passages(opened: Opened, packed: Packed, trained: Trained, judged: Judged) -> Sequence[Passage]:
    """What the task has to tell of this model, by the rows it was judged on."""
    explained = own(opened.task.explained)
    if explained is None:
        return ()
    row_of = {item.sample: row for row, item in enumerate(packed.version.items)}
    rows = np.array([row_of[name] for name in judged.ids], np.int64)
    evidence = Evidence(
        model=trained.model.to("cpu"),
        gather=lambda places: gather(opened, packed, rows[np.asarray(places, np.int64)], "cpu"),
        looks=_looks(opened, judged),
        predictions=judged.predictions,
        targets=judged.targets,
        schema=trained.schema,
        options=trained.plan.task,
    )
    return tuple(explained(evidence))


def _looks(opened: Opened, judged: Judged) -> list[Look]:
    samples = opened.samples(judged.ids)
    looks = look_at(opened, [samples[name] for name in judged.ids], lambda text: None)
    return [looks[name] for name in judged.ids]


def slices_of(opened: Opened, judged: Judged, packed: Packed) -> list[Slice]:
    """Where the model is significantly worse: by size, light, source, group, class, and what the task knows besides."""
    samples = opened.samples(judged.ids)
    ordered = [samples[name] for name in judged.ids]
    seen = _looks(opened, judged)
    columns: dict[str, Sequence[object]] = {
        "class": judged.strata,
        "brightness": [look.brightness for look in seen],
        "contrast": [look.contrast for look in seen],
        "sharpness": [look.sharpness for look in seen],
        "pixels": [look.width * look.height for look in seen],
        "shape": [look.width / max(1, look.height) for look in seen],
        "origin": [sample.origin for sample in ordered],
        "folder": [sample.where.rpartition("/")[0] or "." for sample in ordered],
        "group": [sample.group for sample in ordered],
        "format": [look.format or None for look in seen],
        "made by": [look.made_by or None for look in seen],
    }
    columns |= opened.task.sliced(seen, packed.schema)
    return find_slices(columns, judged.credit, judged.groups)


def _costs(trained: Trained, seconds: float) -> dict[str, float]:
    import resource

    parameters = sum(p.numel() for p in trained.model.parameters())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(seconds, 1), "peak_mb": round(peak_mb, 1), "parameters": float(parameters)}
