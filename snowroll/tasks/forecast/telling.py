"""What `init` says of a folder of series, and what `check` wants to know of each."""

from __future__ import annotations

from collections.abc import Sequence

from snowroll.base.nouns import Json
from snowroll.tasks.forecast.clocks import spelled, step_in_words
from snowroll.tasks.forecast.oddities import oddities
from snowroll.tasks.forecast.recordings import Recording
from snowroll.tasks.forecast.shape import MANY, Shape


def called(where: str, one: Recording) -> str:
    last = where.replace("!", "/").rpartition("/")[2]
    stem = last.partition(".")[0] or last
    return f"{stem}: {one.name}" if one.name else stem


def findings(where: str, one: Recording) -> dict[str, Json]:
    """What checks want to know of a series: numbers that no window shows."""
    kept = ("time", "unordered", "doubled", "gaps", "missing_steps", "longest_gap", "jitter", "zones", "refused",
            "unread_times", "zone", "marks", "words")  # fmt: skip
    told = {name: one.told[name] for name in kept if name in one.told}
    return {"where": where, "series": called(where, one), "rows": len(one.values), "start": one.start,
            "step_s": one.step_s, "calendar": one.calendar, "dated": one.dated, **told, **oddities(one)}  # fmt: skip


def of_files(every: Sequence[tuple[str, Recording]]) -> list[str]:
    lines = []
    for where, one in every[:3]:
        ends = ""
        if one.dated and one.step_s:
            ends = f", {spelled(one.at(0) or 0.0)} to {spelled(one.at(len(one.values) - 1) or 0.0)}"
            ends += " UTC" if one.told.get("zone") == "UTC" else " (no zone told)"
        step = step_in_words(one.step_s, one.calendar)
        step = f"each {step}" if one.step_s and not one.calendar else step
        lines.append(f"{called(where, one)}: {len(one.values):,} steps, {step}{ends}")
    if len(every) > 3:
        lengths = sorted(len(one.values) for _, one in every)
        lines.append(f"and {len(every) - 3:,} more; {lengths[0]:,} to {lengths[-1]:,} steps long")
    first = every[0][1].told
    if first.get("ids"):
        lines.append(f"a series for each {' and '.join(map(str, first['ids']))}")  # type: ignore[call-overload]
    if first.get("words"):
        lines.append(f"not read: {', '.join(map(str, first['words']))} (words)")  # type: ignore[call-overload]
    if marked := next((one.told for _, one in every if one.told.get("marks")), None):
        odd = sum(int((one.marks == 1).sum()) for _, one in every if one.marks is not None)
        # a window that is cut from a file knows of no other file: there they stand among what went before
        beside = "judged by, and none is learnt as what comes next"
        so = beside if marked.get("beside") else "not learnt from, and judged by"
        lines.append(f"{odd:,} steps are labelled anomalies in '{marked['marks']}': {so}")
    gaps = sum(int(one.told.get("missing_steps", 0)) for _, one in every)  # type: ignore[call-overload]
    if gaps:
        lines.append(f"{gaps:,} steps are missing: `check` says where")
    return lines


def of_shape(
    every: Sequence[tuple[str, Recording]],
    columns: Sequence[str],
    targets: Sequence[str],
    shape: Shape,
) -> list[str]:
    season = (
        f"a season of {shape.season:,} steps (autocorrelation {shape.like:.2f})"
        if shape.season > 1
        else "no season was found"
    )
    others = [name for name in columns if name not in targets]
    named = ", ".join(targets[:8]) + (f" and {len(targets) - 8} more" if len(targets) > 8 else "")
    by = (
        f"splits are whole series: {len(every):,} of them, too short to be cut in time"
        if shape.by_series
        else f"splits are stretches of time, training first and the test last, {shape.horizon} steps between them"
    )
    if not shape.by_series and len(every) >= MANY:
        by += ", in each series"
    return [
        season,
        f"told ahead: {shape.horizon} steps ({shape.why_horizon}; --task.horizon), looking back on {shape.context} "
        f"({shape.why_context}; --task.context)",
        f"targets: {named}" + (f"; of the past alone: {', '.join(others[:8])}" if others else ""),
        f"a window every {shape.stride} steps; training begins them anywhere between"
        if shape.stride > 1
        else "a window at every step",
        by,
    ]
