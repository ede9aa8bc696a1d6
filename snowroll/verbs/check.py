"""`check`: the faults in the data, each with file, cause and cure."""

from __future__ import annotations

from collections.abc import Sequence

from snowroll.base.listing import shortened
from snowroll.base.nouns import Fault, Json
from snowroll.base.parts import own
from snowroll.prepare.view import count
from snowroll.project.faults import inspect
from snowroll.project.fixing import apply
from snowroll.project.fixing import undo as take_back
from snowroll.project.judges import form_opinions
from snowroll.project.opened import Answer, Opened, Say
from snowroll.project.opinions import known_opinions
from snowroll.project.plans import seconds
from snowroll.project.stock import Stock, take_stock

PATHS, OF_ONE_CODE = 4, 5  # paths of a finding, and findings of one code, shown to a person; --json has all
MARK = {"block": "BLOCK", "warn": "warn ", "note": "note "}


def check(opened: Opened, say: Say, fix: str = "", undo: str = "", time: str = "") -> Answer:
    """Exit 1 when something blocks training. fix, undo: codes of findings, with commas between them.

    time: for networks that judge the labels, '10m'.
    """
    allowed = seconds(time)
    done = take_back(opened, _codes(undo))
    opened = opened.reread() if undo else opened
    stock = take_stock(opened, say)
    inspected = inspect(opened, stock, say)
    if allowed:
        form_opinions(opened, stock, inspected, allowed, say)
        inspected = inspect(opened, stock, say)
    faults = inspected.faults
    if fix:
        done += apply(opened, faults, _codes(fix))
        opened = opened.reread()
        stock = take_stock(opened, say)
        faults = inspect(opened, stock, say).faults
    blocking = sum(fault.severity == "block" for fault in faults)
    more = f", {blocking} block" if blocking else ""
    head = f"check     {len(stock.samples):,} samples, {len(faults)} findings{more}"
    answer = {"samples": len(stock.samples), "faults": [_as_json(fault) for fault in faults]}
    following = f"snowroll train {opened.root} --time 10m" if not blocking else f"snowroll check {opened.root}"
    lines = [*done, head, *told_of_all(faults), *_left_out(opened, stock)]
    return Answer(answer, lines, next=following, ok=not blocking)


def _codes(told: str) -> list[str]:
    return [code.strip() for code in told.split(",") if code.strip()]


def _left_out(opened: Opened, stock: Stock) -> list[str]:
    """What was not looked for, since it takes longer."""
    if known_opinions(opened) is not None:
        return []
    if stock.schema["type"] == "choice":
        return ["left out  networks that judge the labels (a probe on thumbnails did): they want --time 10m"]
    if own(opened.task.doubted):
        return ["left out  networks that say what was missed in labelling: they want --time 10m"]
    return []


def _as_json(fault: Fault) -> dict[str, Json]:
    return {
        "code": fault.code,
        "severity": fault.severity,
        "paths": list(fault.paths),
        "message": fault.message,
        "cure": fault.cure,
        "confidence": fault.confidence,
    }


def told_of_all(faults: Sequence[Fault]) -> list[str]:
    """Findings as a person reads them; of a code that comes again and again the first few, then how many more."""
    by_code: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        by_code.setdefault((fault.severity, fault.code), []).append(fault)
    lines = []
    for (_, code), found in by_code.items():
        lines += [line for fault in found[:OF_ONE_CODE] for line in told(fault)]
        if rest := found[OF_ONE_CODE:]:
            files = len({path for fault in rest for path in fault.paths})
            more = f"{count(len(rest), 'more finding')} in {count(files, 'file')}; --json lists them"
            lines.append(f"{MARK[rest[0].severity]}  {code}: {more}")
    return lines


def told(fault: Fault) -> list[str]:
    """A finding as a person reads it: what, where, what to do."""
    shown = ", ".join(fault.paths[:PATHS]) + (f" ... ({len(fault.paths):,} named)" if len(fault.paths) > PATHS else "")
    sure = f"  ({fault.confidence:.0%} sure)" if 0.005 <= fault.confidence < 1 else ""
    return [
        f"{MARK[fault.severity]}  {fault.code}: {shortened(fault.message)}{sure}",
        *([f"         {shortened(shown)}"] if shown else []),
        f"         cure: {shortened(fault.cure)}",
    ]
