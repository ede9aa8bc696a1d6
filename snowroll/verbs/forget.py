"""`forget`: erase what production sent, by one of its records; the journal keeps only ids and salted hashes."""

from __future__ import annotations

from snowroll.project.opened import Answer, Opened


def forget(opened: Opened, record: str) -> Answer:
    gone = opened.store.forget(record)
    lines = [f"erased    record {record}: its input, its rows, its caches"]
    if len(gone.records) > 1:
        lines.append(f"          the same input came {len(gone.records)} times: all {len(gone.records)} records went")
    if gone.pictures:
        lines.append(f"          {gone.pictures} reports and contact sheets that may have shown it")
    if gone.runs:
        told = ", ".join(map(str, gone.runs))
        lines.append(f"          runs that learned from it or were judged by it: {told}; retrain to remove its trace")
    answer = {"record": record, "erased": True, "records": list(gone.records), "runs": list(gone.runs)}
    return Answer(answer, lines)
