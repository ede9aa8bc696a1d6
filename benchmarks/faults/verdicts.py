"""What counts as caught, and the tables: answers of tools in, words and figures out. Nothing is run here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cases import CAUSES, Finding

CAUGHT, OTHER, MISSED, FAILED = "caught", "another cause", "missed", "failed"
ALARMS = ("warn", "block")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool said of a folder or a program. Paths are relative to the folder."""

    findings: tuple[Finding, ...] = ()
    at_fault: tuple[str, ...] = ()
    failed: str = ""  # why there is no answer
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one case."""

    tool: str
    kind: str
    case: str
    on: str
    cause: str
    verdict: str
    by_note: bool  # caught by something the tool itself calls no more than a note
    said: tuple[str, ...]  # causes that it reported and that were not reported without the fault
    seconds: float


def judge(tool: str, kind: str, case: str, on: str, cause: str, answer: Answer, clean: Answer) -> Row:
    new = new_findings(answer.findings, clean.findings)
    word = FAILED if answer.failed or clean.failed else verdict(cause, answer.at_fault, new)
    loud = [found for found in new if found.severity in ALARMS]
    by_note = word == CAUGHT and verdict(cause, answer.at_fault, loud) != CAUGHT
    said = answer.failed or clean.failed
    causes = (said,) if said else tuple(sorted({found.cause for found in new}))
    return Row(tool, kind, case, on, cause, word, by_note, causes, answer.seconds)


def new_findings(found: Sequence[Finding], clean: Sequence[Finding]) -> list[Finding]:
    """What is not said without the fault: other files for a cause, or, where no files are named, another cause."""
    known = {cause: {file for one in clean if one.cause == cause for file in one.files} for cause in causes(clean)}
    nameless = {one.cause for one in clean if not one.files}
    new = []
    for one in found:
        files = tuple(file for file in one.files if file not in known.get(one.cause, ()))
        if files or (not one.files and one.cause not in nameless):
            new.append(Finding(one.cause, files, one.sentence, one.severity))
    return new


def verdict(cause: str, at_fault: Sequence[str], new: Sequence[Finding]) -> str:
    """Caught: the right cause and, where files are at fault, half of them at least (a folder named names its files)."""
    right = [one for one in new if one.cause == cause]
    named = {file.rstrip("/") for one in right for file in one.files}
    hit = [file for file in at_fault if file in named or any(file.startswith(f"{folder}/") for folder in named)]
    if right and 2 * len(hit) >= len(at_fault):
        return CAUGHT
    return OTHER if new else MISSED


def causes(findings: Sequence[Finding]) -> set[str]:
    return {one.cause for one in findings}


def false_alarms(answer: Answer) -> list[Finding]:
    return [one for one in answer.findings if one.severity in ALARMS]


# --- tables -------------------------------------------------------------------------------------------------------


def totals(rows: Sequence[Row]) -> Iterator[str]:
    words = (CAUGHT, OTHER, MISSED, FAILED)
    yield f"{'':24}{'cases':>7}" + "".join(f"{word:>16}" for word in words) + f"{'by a note':>12}{'median s':>10}"
    for tool, kind in sorted({(row.tool, row.kind) for row in rows}):
        mine = [row for row in rows if (row.tool, row.kind) == (tool, kind)]
        count = Counter(row.verdict for row in mine)
        shares = "".join(f"{f'{count[word]} ({count[word] / len(mine):.0%})':>16}" for word in words)
        seconds = sorted(row.seconds for row in mine)[len(mine) // 2]
        yield f"{f'{tool}, {kind}':24}{len(mine):7}{shares}{sum(row.by_note for row in mine):12}{seconds:10.1f}"


def per_cause(rows: Sequence[Row]) -> Iterator[str]:
    tools = sorted({row.tool for row in rows})
    yield f"{'caught, by cause':24}" + "".join(f"{tool:>14}" for tool in tools)
    for cause in CAUSES:
        cells = []
        for tool in tools:
            mine = [row for row in rows if (row.tool, row.cause) == (tool, cause)]
            cells.append(f"{sum(row.verdict == CAUGHT for row in mine)}/{len(mine)}" if mine else "")
        if any(cells):
            yield f"{cause:24}" + "".join(f"{cell:>14}" for cell in cells)


def not_caught(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.verdict != CAUGHT:
            said = f": {', '.join(row.said)}" if row.said else ""
            yield f"{row.tool}  {row.case} on {row.on} ({row.cause}): {row.verdict}{said}"


def alarms(clean: dict[tuple[str, str], Answer]) -> Iterator[str]:
    """`clean`: by tool and project."""
    for tool in sorted({tool for tool, _ in clean}):
        mine = {project: answer for (owner, project), answer in clean.items() if owner == tool}
        raised = {project: found for project, answer in mine.items() if (found := false_alarms(answer))}
        failed = {project: answer.failed for project, answer in mine.items() if answer.failed}
        total = sum(map(len, raised.values()))
        yield f"{tool}: {total} false alarms on {len(raised)} of {len(mine)} clean projects, {len(failed)} failed"
        for project, found in raised.items():
            for one in found:
                yield f"    {project}  {one.cause}: {one.sentence[:160]}"
        for project, why in failed.items():
            yield f"    {project}  failed: {why[:160]}"
