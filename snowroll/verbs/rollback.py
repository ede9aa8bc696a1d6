"""`rollback`: the champion before this one serves again. A pointer moves; nothing is rebuilt."""

from __future__ import annotations

from snowroll.base.errors import StoreError
from snowroll.verbs.project import Answer, Opened


def rollback(opened: Opened) -> Answer:
    catalog = opened.store.catalog
    now = catalog.pointer("champion")
    past = [value for value in catalog.pointer_history("champion") if value != now]
    if now is None or not past:
        raise StoreError("there is no earlier champion", where=opened.root, cure=f"see `snowroll status {opened.root}`")
    back = past[-1]
    catalog.set_pointer("champion", back, {"event": "rollback", "from": now})
    line = f"rolled back from run {now} to run {back}; a running server follows within a second"
    return Answer({"champion": int(back), "was": int(now)}, [line], next=f"snowroll status {opened.root}")
