"""`rollback`: the champion before this one serves again. A pointer moves; nothing is rebuilt."""

from __future__ import annotations

from snowroll.base.errors import StoreError
from snowroll.project.opened import Answer, Opened


def rollback(opened: Opened) -> Answer:
    catalog = opened.store.catalog
    held = reign(opened)
    if len(held) < 2:
        raise StoreError("there is no earlier champion", where=opened.root, cure=f"see `snowroll status {opened.root}`")
    now, back = held[-1], held[-2]
    catalog.set_pointer("champion", back, {"event": "rollback", "from": now})
    line = f"rolled back from run {now} to run {back}; a running server follows within a second"
    return Answer({"champion": int(back), "was": int(now)}, [line], next=f"snowroll status {opened.root}")


def reign(opened: Opened) -> list[str]:
    """Champions in the order of their promotion, without those that were rolled back: the last one serves now."""
    held: list[str] = []
    for entry in opened.store.catalog.events("pointer.set"):
        if entry.body["name"] != "champion":
            continue
        if entry.body["event"]["event"] == "rollback":
            held.pop()
        else:
            held.append(entry.body["value"])
    return held
