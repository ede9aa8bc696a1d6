"""The suite's one command: every tool on every case, then on clean projects.

    python benchmarks/faults/run.py [--tools snowroll,cleanvision,cleanlab] [--kind data,training]
                                    [--only NAME,...] [--clean] [--fresh]

--only: cases, grounds, programs or projects by name. --clean: the clean projects alone. Answers are kept under
.benchmarks/faults/answers/, one file for each tool and case, and not asked for again unless --fresh; the figures
are in .benchmarks/faults/results.json. Every question is a process of its own: a tool that dies has failed once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from zlib import crc32

import numpy as np
from cases import Case, Finding, all_cases
from grounds import GROUNDS, PROJECTS, Ground
from peers import HERE, WORK, machine, peer_python, said_last, versions
from verdicts import Answer, Row, alarms, judge, not_caught, per_cause, totals

from snowroll.base.errors import did_you_mean

PLACE = WORK / "faults"
TOOLS = "snowroll,cleanvision,cleanlab"
LIMIT_S = 900  # a guess: a minute is usual
SOURCES = ("grounds.py", "layouts.py", "drawings.py", "real.py")  # decide what a ground is


@dataclass(frozen=True, slots=True)
class Subject:
    """What a tool is asked about: a case planted into `on`, or `on` as it is."""

    kind: str
    on: str
    case: Case | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.case.name if self.case else 'clean'}@{self.on}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", default=TOOLS)
    parser.add_argument("--kind", default="data,training")
    parser.add_argument("--only", default="")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("TOOL", "SUBJECT", "FILE"), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        answer_one(*told.one)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))  # by way of `end`, which stops the tool too
    tools = [import_module(f"tools.{name}") for name in told.tools.split(",")]
    for tool in tools:
        if tool.PACKAGES:
            print(f"{tool.NAME}: {versions(peer_python(tool.NAME, tool.PACKAGES), plain(tool.PACKAGES))}")
    every = subjects()
    known = {name for one in every for name in (one.on, one.case and one.case.name) if name}
    for name in filter(None, told.only.split(",")):
        if name not in known:
            parser.error(f"--only: there is no '{name}'; {did_you_mean(name, sorted(known))}")
    wanted = [one for one in every if one.kind in told.kind.split(",") and is_wanted(one, told.only)]
    rows, clean = ask_all(tools, [one for one in wanted if not (told.clean and one.case)], told.fresh)
    show(rows, clean)


def subjects() -> list[Subject]:
    """Every case, then every clean project and healthy program."""
    cases = [Subject(case.kind, case.on, case) for case in all_cases()]
    clean = [Subject("data", name) for name in PROJECTS]
    here = [one for one in cases + clean if one.kind == "training" or ground_of(one.on).is_here]
    if left_out := len(cases) + len(clean) - len(here):
        print(f"{left_out} cases and projects on real data are left out: SNOWROLL_DATA names no folder")
    return here + [Subject("training", name) for name in programs()]


def is_wanted(subject: Subject, only: str) -> bool:
    return not only or bool({subject.on, subject.case and subject.case.name} & {*only.split(",")})


def as_it_is(subject: Subject) -> Subject:
    """The ground or program without the fault."""
    return Subject(subject.kind, subject.on)


def ground_of(name: str) -> Ground:
    return (GROUNDS | PROJECTS)[name]


def programs() -> dict[str, Callable]:
    """The healthy training programs, usual and unusual."""
    from programs import CLEAN, PROGRAMS

    return {**PROGRAMS, **CLEAN}


def interpreter(tool: ModuleType, kind: str) -> str:
    """A program is made of functions and cannot be sent: it is asked about where the tool is installed."""
    return str(peer_python(tool.NAME, tool.PACKAGES)) if kind == "training" and tool.PACKAGES else sys.executable


# --- asking -------------------------------------------------------------------------------------------------------


def ask_all(
    tools: Sequence[ModuleType], wanted: Sequence[Subject], fresh: bool
) -> tuple[list[Row], dict[tuple[str, str], Answer]]:
    """The rows of the cases, and the answers to clean projects and programs by tool and name."""
    pairs = [(tool, subject) for tool in tools for subject in wanted if hasattr(tool, subject.kind)]
    for tool, subject in pairs if fresh else ():
        for asked in (subject, as_it_is(subject)):
            answer_file(tool.NAME, asked.name).unlink(missing_ok=True)
    rows, clean = [], {}
    for number, (tool, subject) in enumerate(pairs, 1):
        answer = ask(tool, subject)
        if subject.case:
            before = ask(tool, as_it_is(subject))
            told = (tool.NAME, subject.kind, subject.case.name, subject.on, subject.case.cause)
            rows.append(judge(*told, answer, before))
            word = rows[-1].verdict
        else:
            clean[tool.NAME, subject.on] = answer
            word = "failed" if answer.failed else f"{len(answer.findings)} findings"
        print(f"{number}/{len(pairs)} {tool.NAME} {subject.name}: {word}", file=sys.stderr, flush=True)
    return rows, clean


def ask(tool: ModuleType, subject: Subject) -> Answer:
    """The stored answer, or a new one by a process of its own, with whatever that started ended too."""
    file = answer_file(tool.NAME, subject.name)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        if subject.kind == "data":
            written(subject.on)
        began = time.perf_counter()
        command = [interpreter(tool, subject.kind), str(HERE / "run.py"), "--one", tool.NAME, subject.name, str(file)]
        life = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            _, said = life.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            said = f"no answer in {LIMIT_S} s"
        finally:
            end(life)
        if not file.exists():
            store(file, Answer(failed=said_last(said), seconds=time.perf_counter() - began))
    return restored(json.loads(file.read_text()))


def end(life: subprocess.Popen) -> None:
    """A tool's children too, if they still live."""
    with suppress(ProcessLookupError):  # none is left
        os.killpg(life.pid, signal.SIGKILL)
    life.wait()


def answer_file(tool: str, subject: str) -> Path:
    return PLACE / "answers" / tool / f"{subject}.json"


def store(file: Path, answer: Answer) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(answer), indent=1))
    part.rename(file)


def restored(said: dict) -> Answer:
    found = tuple(Finding(**{**one, "files": tuple(one["files"])}) for one in said["findings"])
    return Answer(found, tuple(said["at_fault"]), said["failed"], said["seconds"])


# --- in the process of one question -------------------------------------------------------------------------------


def answer_one(tool: str, subject: str, file: str) -> None:
    asked = subject_called(subject)
    asking = import_module(f"tools.{tool}")
    answer = asked_about_data(asking, asked) if asked.kind == "data" else asked_about_training(asking, asked)
    store(Path(file), answer)


def subject_called(name: str) -> Subject:
    kind, _, rest = name.partition("-")
    called, _, on = rest.partition("@")
    if called == "clean":
        return Subject(kind, on)
    return Subject(kind, on, next(one for one in all_cases() if (one.name, one.on) == (called, on)))


def asked_about_data(tool: ModuleType, subject: Subject) -> Answer:
    with TemporaryDirectory(prefix="faults-") as folder:
        root = Path(folder).resolve() / "data"
        shutil.copytree(written(subject.on), root)
        rng = np.random.default_rng(crc32(subject.name.encode()))
        at_fault = subject.case.plant(root, rng) if subject.case else []
        began = time.perf_counter()
        found = tool.data(root)
        names = tuple(path.relative_to(root).as_posix() for path in at_fault)
        return Answer(tuple(found), names, seconds=time.perf_counter() - began)


def asked_about_training(tool: ModuleType, subject: Subject) -> Answer:
    program = programs()[subject.on]()
    if subject.case:
        program = subject.case.plant(program)
    began = time.perf_counter()
    return Answer(tuple(tool.training(program)), seconds=time.perf_counter() - began)


def written(name: str) -> Path:
    """The clean folder of this name, written once and kept for as long as the code that draws it is the same."""
    code = b"".join((HERE / source).read_bytes() for source in SOURCES)
    root = PLACE / "grounds" / f"{name}-{crc32(code):08x}"
    if not root.exists():
        part = root.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        ground_of(name).write(part)
        part.rename(root)
    return root


# --- showing ------------------------------------------------------------------------------------------------------


def show(rows: Sequence[Row], clean: dict[tuple[str, str], Answer]) -> None:
    print(f"\n{machine()}\n")
    if rows:
        for table in (totals(rows), per_cause(rows), not_caught(rows)):
            print("\n".join(table), end="\n\n")
    print("\n".join(alarms(clean)))
    raised = {f"{tool} {name}": asdict(answer) for (tool, name), answer in clean.items()}
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "results.json").write_text(json.dumps({"cases": [asdict(row) for row in rows], "clean": raised}, indent=1))


def plain(packages: Sequence[str]) -> list[str]:
    """Names without extras."""
    return [package.partition("[")[0] for package in packages]


if __name__ == "__main__":
    main()
