"""`status`: where the project stands and what to do next."""

from __future__ import annotations

from collections import Counter

from snowroll.base.nouns import Json
from snowroll.project.labels import said_now
from snowroll.project.opened import Answer, Opened

_SPELLED = {"stopped": "left unfinished"}  # another run came after it, of other settings or data


def status(opened: Opened) -> Answer:
    catalog, root = opened.store.catalog, opened.root
    samples = catalog.samples()
    said = {name for name, label in said_now(opened, samples.values()).labels.items() if label.target is not None}
    labelled = sum(sample.target is not None or sample.id in said for sample in samples.values())
    runs, champion = catalog.runs(), catalog.pointer("champion")
    waiting = catalog.left_in_queue()
    records = Counter(record.source or "unnamed" for record in catalog.records())
    latest = catalog.pointer("version")
    disk = opened.store.disk()
    unfinished = [run.number for run in runs if run.status == "running"]
    answer: dict[str, Json] = {
        "project": str(root),
        "task": opened.task.name,
        "samples": len(samples),
        "labelled": labelled,
        "version": latest,
        "runs": len(runs),
        "unfinished": unfinished,
        "champion": int(champion) if champion else None,
        "records": sum(records.values()),
        "waiting": waiting,
        "rolls": len(catalog.rolls()),
        "disk": disk,
    }
    lines = [
        f"task      {opened.task.name}, {len(samples):,} samples, {labelled:,} labelled",
        f"version   {latest or 'none yet'}",
        f"runs      {_runs(runs)}",
        f"champion  {_champion(opened, champion, latest)}",
        f"records   {sum(records.values()):,} from production {dict(records) if records else ''}".rstrip(),
        f"waiting   {waiting:,} for a person",
        f"disk      {_disk(disk)}",
    ]
    return Answer(answer, lines, next=_next(opened, labelled, champion, unfinished, waiting, sum(records.values())))


def _runs(runs: list) -> str:
    if not runs:
        return "none yet"
    counts = Counter(run.status for run in runs)
    return ", ".join(f"{n} {_SPELLED.get(name, name)}" for name, n in counts.items())


def _disk(size: dict[str, int]) -> str:
    runs, packs, inputs = (f"{size[name] / 1e6:,.1f} MB" for name in ("runs", "packs", "inputs"))
    return f"{runs} in runs, {packs} in packs (a cache, safe to delete), {inputs} of production's inputs"


def _champion(opened: Opened, champion: str | None, latest: str | None) -> str:
    run = opened.store.catalog.run(int(champion)) if champion else None
    if run is None:
        return "none yet"
    told = run.metric or {}
    figure = f"{opened.task.headline} {told['value']:.3f} [{told['low']:.3f}, {told['high']:.3f}] n={told['n']}"
    # the locked set may have grown since: this is no figure of today's
    then = f", judged on version {run.version}" if run.version != latest else ""
    return f"run {run.number}: {figure}{then}" if told else f"run {run.number}"


def _next(
    opened: Opened, labelled: int, champion: str | None, unfinished: list[int], waiting: int, records: int
) -> str:
    root = opened.root
    if waiting or not labelled:
        return f"snowroll label {root}"
    if any(turn.stage != "done" for turn in opened.store.catalog.rolls()[-1:]):
        return f"snowroll roll {root}"
    if unfinished or champion is None:
        return f"snowroll train {root}"
    return f"snowroll roll {root}" if records else f"snowroll serve {root}"
