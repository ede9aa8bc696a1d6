"""`check`: the faults in the data, each with file, cause and cure."""

from __future__ import annotations

from snowroll.base.nouns import Fault
from snowroll.project.data import take_stock
from snowroll.project.faults import inspect
from snowroll.project.fixing import apply
from snowroll.project.fixing import undo as take_back
from snowroll.project.judges import form_opinions
from snowroll.project.opened import Answer, Opened, Say
from snowroll.project.opinions import known_opinions
from snowroll.project.plans import seconds

PATHS = 4  # shown to a person; --json has all
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
    lines = [line for fault in faults for line in told(fault)]
    if known_opinions(opened) is None:
        if stock.schema["type"] == "choice":
            lines.append("left out  networks that judge the labels (a probe on thumbnails did): they want --time 10m")
        elif hasattr(opened.task, "doubted"):
            lines.append("left out  networks that say what was missed in labelling: they want --time 10m")
    blocking = sum(fault.severity == "block" for fault in faults)
    head = f"check     {len(stock.samples):,} samples, {len(faults)} findings" + (
        f", {blocking} block" if blocking else ""
    )
    answer = {
        "samples": len(stock.samples),
        "faults": [
            {
                "code": fault.code,
                "severity": fault.severity,
                "paths": list(fault.paths),
                "message": fault.message,
                "cure": fault.cure,
                "confidence": fault.confidence,
            }
            for fault in faults
        ],
    }
    following = f"snowroll train {opened.root} --time 10m" if not blocking else f"snowroll check {opened.root}"
    return Answer(answer, [*done, head, *lines], next=following, ok=not blocking)


def _codes(told: str) -> list[str]:
    return [code.strip() for code in told.split(",") if code.strip()]


def told(fault: Fault) -> list[str]:
    """A finding as a person reads it: what, where, what to do."""
    shown = ", ".join(fault.paths[:PATHS]) + (f" ... ({len(fault.paths):,} files)" if len(fault.paths) > PATHS else "")
    sure = f"  ({fault.confidence:.0%} sure)" if fault.confidence < 1 else ""
    return [
        f"{MARK[fault.severity]}  {fault.code}: {fault.message}{sure}",
        *([f"         {shown}"] if shown else []),
        f"         cure: {fault.cure}",
    ]
