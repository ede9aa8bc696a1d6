"""`forget`: erase one production record; the journal keeps only ids and salted hashes."""

from __future__ import annotations

from pathlib import Path

from snowroll.project.opened import Answer, Opened


def _pictures(run: Path) -> list[Path]:
    """What a run keeps that shows pictures of its data."""
    return [*run.rglob("report.html"), *run.glob("batches/*.png")]


def forget(opened: Opened, record: str) -> Answer:
    models = opened.store.forget(record)
    shown = [path for run in models for path in _pictures(opened.store.run_folder(run))]
    for path in shown:
        path.unlink()
    lines = [f"erased    record {record}: its input, its rows, its caches"]
    if shown:
        lines.append(f"          {len(shown)} reports and contact sheets that may have shown it")
    if models:
        lines.append(f"          runs that learned from it: {', '.join(map(str, models))}; retrain to remove its trace")
    return Answer({"record": record, "erased": True, "runs": models}, lines)
