"""`doctor`: every invariant of the project, checked."""

from __future__ import annotations

from snowroll.project.opened import Answer, Opened


def doctor(opened: Opened, deep: bool) -> Answer:
    broken = opened.store.check_invariants(deep=deep)
    lines = [f"broken    {sentence}" for sentence in broken] or ["healthy   every invariant holds"]
    if not deep:
        lines.append("          contents of blobs were not hashed; --deep does")
    return Answer({"healthy": not broken, "broken": broken, "deep": deep}, lines, ok=not broken)
