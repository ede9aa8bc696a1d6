"""`forget`: erase one production record; the journal keeps only ids and salted hashes."""

from __future__ import annotations

from snowroll.project.opened import Answer, Opened


def forget(opened: Opened, record: str) -> Answer:
    models = opened.store.forget(record)
    lines = [f"erased    record {record}: its input, its rows, its caches"]
    if models:
        lines.append(f"          runs that learned from it: {', '.join(map(str, models))}; retrain to remove its trace")
    return Answer({"record": record, "erased": True, "runs": models}, lines)
