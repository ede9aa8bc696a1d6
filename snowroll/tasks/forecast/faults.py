"""What can be wrong with series, and with how they were cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from snowroll.base.nouns import Fault, Json
from snowroll.prepare.view import View, count
from snowroll.tasks.forecast.clocks import spelled

_PLACE = re.compile(r"@(\d+)-\d+>(\d+)$")


def series_faults(view: View) -> Iterable[Fault]:
    """One Fault a family, from what was seen while the files were read; and windows that meet across splits."""
    files: Sequence[Mapping[str, Json]] = view.schema.get("files", ())
    yield from _times(files)
    yield from _values(files)
    yield from _copies(files, view.schema)
    yield from _overlaps(view)


def _times(files: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    if gaps := [f for f in files if f.get("missing_steps", 0)]:
        missing, rows = sum(f["missing_steps"] for f in gaps), sum(f["rows"] for f in gaps)
        worst = max(gaps, key=lambda f: f["longest_gap"][1])
        first, long = worst["longest_gap"]
        told = (
            f"{missing:,} of {rows:,} steps are missing, in {count(len(gaps), 'series', 'series')}: the "
            f"longest gap is {count(long, 'step')} of {worst['series']} from {_at(worst, first)} on"
        )
        cure = (
            "short gaps are filled with the value before them, windows that are mostly gaps are left out; "
            "mend long ones"
        )
        yield _fault("gaps_in_time", "warn" if missing > 0.01 * rows or long > 24 else "note", gaps, told, cure)
    if doubled := [f for f in files if f.get("doubled", 0)]:
        n = sum(f["doubled"] for f in doubled)
        zones = " Local times come twice when summer time ends: tell the zone, or write UTC." if _dst(doubled) else ""
        told = (
            f"{count(n, 'row')} at a time that another row has, in {doubled[0]['series']}{_more(doubled)}; "
            f"the later row was taken.{zones}"
        )
        yield _fault(
            "doubled_times",
            "warn",
            doubled,
            told,
            "keep one row a time; a column that tells series apart makes it a long table",
        )
    if unordered := [f for f in files if f.get("unordered", 0)]:
        n = sum(f["unordered"] for f in unordered)
        told = (
            f"{count(n, 'row')} earlier than the row before, in {unordered[0]['series']}{_more(unordered)}; "
            "they were sorted"
        )
        yield _fault("unordered_times", "note", unordered, told, "sort the file by time, if its order means nothing")
    if uneven := [f for f in files if f.get("jitter", 0) > 0.05]:
        worst = max(uneven, key=lambda f: f["jitter"])
        told = (
            f"{worst['jitter']:.0%} of the rows of {worst['series']}{_more(uneven)} lie off even steps; each "
            "was put on the nearest"
        )
        yield _fault("uneven_steps", "note", uneven, told, "resample it yourself, if a step is too coarse")
    if any_rows := [f for f in files if f.get("calendar") == "rows"]:
        told = (
            f"the times of {any_rows[0]['series']}{_more(any_rows)} follow no even step: its rows are counted instead"
        )
        yield _fault("uneven_steps", "warn", any_rows, told, "resample it to even steps")
    if zones := [f for f in files if f.get("zones", 0) > 1]:
        told = f"{zones[0]['series']} tells times in {zones[0]['zones']} offsets from UTC; all were brought to UTC"
        yield _fault("mixed_zones", "note", zones, told, "nothing, if they are summer and winter time")
    if unread := [f for f in files if f.get("unread_times", 0) or f.get("refused", 0)]:
        n = sum(f.get("unread_times", 0) + f.get("refused", 0) for f in unread)
        told = (
            f"{count(n, 'row')} without a time that can be read, or with other cells than the rest, in "
            f"{unread[0]['series']}{_more(unread)}"
        )
        yield _fault("unread_rows", "warn", unread, told, "mend these lines")
    steps = {f["step_s"] for f in files if f.get("step_s")}
    if steps and max(steps) > 1.01 * min(steps) and not any(f.get("calendar") for f in files):
        fast, slow = (next(f for f in files if f.get("step_s") == step) for step in (min(steps), max(steps)))
        told = f"series of several steps: {fast['series']} {fast['step_s']:g} s, {slow['series']} {slow['step_s']:g} s"
        yield _fault("several_steps", "warn", files, told, "resample them to one step, or make a project of each")


def _dst(files: Sequence[Mapping[str, Json]]) -> bool:
    """Doubles and gaps in local times, few of them: as when clocks are put back and forward."""
    return any(
        f.get("zone") == "local" and f.get("gaps", 0) and f["longest_gap"][1] * f["step_s"] <= 3600 for f in files
    )


def _values(files: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    if constant := [(f, name) for f in files for name in f.get("constant", ())]:
        told = f"{count(len(constant), 'column')} that never change: {_named(constant)}"
        yield _fault("constant_series", "note", [f for f, _ in constant], told, "leave them out: they tell nothing")
    if frozen := [(f, one) for f in files for one in f.get("frozen", ())]:
        file, (name, first, rows) = max(frozen, key=lambda pair: pair[1][2])
        told = (
            f"'{name}' of {file['series']} stands still for {count(rows, 'step')} from {_at(file, first)} "
            f"on{_others(frozen)}: a frozen sensor?"
        )
        cure = "leave the stretch empty, if nothing was measured; or label it in a column 'anomaly'"
        yield _fault("frozen_stretch", "warn", [f for f, _ in frozen], told, cure, 0.8)
    if spikes := [(f, one) for f in files for one in f.get("spikes", ())]:
        file, (name, n, first) = max(spikes, key=lambda pair: pair[1][1])
        told = (
            f"'{name}' of {file['series']} leaves its course and comes back at {count(n, 'step')}, first "
            f"{_at(file, first)}{_others(spikes)}"
        )
        yield _fault(
            "spikes", "note", [f for f, _ in spikes], told, "look at them: empty cells, if they are errors", 0.7
        )
    if shifts := [(f, one) for f in files for one in f.get("shifts", ())]:
        file, (name, row, factor) = shifts[0]
        way = f"{factor:g} times larger" if factor > 1 else f"{1 / factor:g} times smaller"
        told = f"from {_at(file, row)} on all of '{name}' of {file['series']} is {way}{_others(shifts)}: another unit?"
        yield _fault("unit_change", "warn", [f for f, _ in shifts], told, "write all of it in one unit", 0.8)
    gaps = [(f, name, share) for f in files for name, share in (f.get("missing") or {}).items() if share > 0.3]
    if gaps:
        file, name, share = max(gaps, key=lambda one: one[2])
        told = f"{share:.0%} of '{name}' of {file['series']} is missing{_others(gaps)}"
        yield _fault("mostly_missing", "warn", [f for f, *_ in gaps], told, "leave the column out, or bring its values")


def _copies(files: Sequence[Mapping[str, Json]], schema: Mapping[str, Json]) -> Iterator[Fault]:
    """A column that says now what a target says later tells the answer; two that say the same at once are one."""
    targets = set(schema.get("targets", ()))
    for file in files:
        for one, other, steps in file.get("copies", ()):
            if steps and other in targets:
                told = (
                    f"'{one}' says what '{other}' says {count(steps, 'step')} later: does it know the answer "
                    "before it is there?"
                )
                cure = f"leave '{one}' out, unless it is known so early in use, too"
                yield _fault("tells_the_future", "warn", [file], told, cure, 0.9)
            elif not steps:
                told = f"'{one}' and '{other}' move as one"
                yield _fault("same_series", "note", [file], told, "leave one of them out", 0.9)
        if file.get("copies"):
            return


def _overlaps(view: View) -> Iterator[Fault]:
    """Windows to learn from whose rows are told in a window that is judged on: of a series that grew."""
    told: dict[str, list[tuple[int, int, int]]] = {}
    for row, sample in enumerate(view.samples):
        match = _PLACE.search(sample.where)
        if match and view.labels[row] is not None and view.splits[row] is not None:
            first = int(match[1])
            told.setdefault(sample.where[: match.start()], []).append((first, first + int(match[2]), row))
    met: list[int] = []
    for windows in told.values():
        judged = sorted((a, b) for a, b, row in windows if view.splits[row] != "train")
        learnt = [(a, b, row) for a, b, row in windows if view.splits[row] == "train"]
        if judged:
            met += [row for a, b, row in learnt if any(a < stop and start < b for start, stop in judged)]
    if met:
        message = (
            f"{count(len(met), 'window')} to learn from tell values that are told in validation or test: "
            f"{view.names(met)}"
        )
        yield view.fault("windows_overlap_splits", "warn", met, message, "leave them out", 1.0, view.leave_out(met))


def _fault(
    code: str, severity: str, files: Sequence[Mapping[str, Json]], told: str, cure: str, confidence: float = 1.0
) -> Fault:
    paths = tuple(dict.fromkeys(str(f["where"]) for f in files))
    return Fault(code, severity, paths[:50], told, cure, confidence)  # type: ignore[arg-type]


def _at(file: Mapping[str, Json], row: int) -> str:
    if not file.get("step_s") or file.get("calendar"):
        return f"row {row:,}"
    seconds = file["start"] + row * file["step_s"]
    return spelled(seconds) if file.get("dated") else f"{seconds:,.6g} s"


def _more(files: Sequence[Mapping[str, Json]]) -> str:
    return f" and {len(files) - 1:,} more" if len(files) > 1 else ""


def _others(found: Sequence[object]) -> str:
    return f", and {len(found) - 1:,} more such" if len(found) > 1 else ""


def _named(found: Sequence[tuple[Mapping[str, Json], str]]) -> str:
    told = ", ".join(f"'{name}' of {file['series']}" for file, name in found[:4])
    return told + (f" and {len(found) - 4} more" if len(found) > 4 else "")
