"""The suite of planted faults plants what it says, the same again with the same seed, and covers every data cause."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

SUITE = Path(__file__).parents[1] / "benchmarks" / "faults"
sys.path.insert(0, str(SUITE))

import grounds  # noqa: E402
import layouts  # noqa: E402
from cases import CAUSES, Case, Finding, all_cases  # noqa: E402
from verdicts import CAUGHT, FAILED, MISSED, OTHER, Answer, false_alarms, judge  # noqa: E402

pytestmark = pytest.mark.slow

CASES = [case for case in all_cases() if case.kind == "data"]
TRAINING_CAUSES = list(CAUSES)[list(CAUSES).index("wrong_init") :]
quick = [case for case in CASES if not grounds.GROUNDS[case.on].is_real]


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory):
    """Gives a written ground; each is written once."""
    written: dict[str, Path] = {}

    def find(name: str) -> Path:
        if not grounds.GROUNDS[name].is_here:
            pytest.skip("needs the real data sets: SNOWROLL_DATA")
        if name not in written:
            written[name] = tmp_path_factory.mktemp("ground") / name
            smaller(grounds.GROUNDS[name]).write(written[name])
        return written[name]

    return find


def smaller(ground: grounds.Ground) -> grounds.Ground:
    """A generated ground with fewer pictures; a real one as it is."""
    few = {"digits": {"each": 14}, "parts": {"each": 8}, "scans": {"patients": 14}}
    if ground.is_real:
        return ground
    return replace(ground, pictures=partial(ground.pictures, **few.get(ground.pictures.__name__, {"each": 20})))


def content(root: Path) -> dict[str, str]:
    """Every folder and every file, with a digest of its bytes and time."""
    said = {}
    for path in sorted(root.rglob("*")):
        digest = (
            hashlib.sha256(path.read_bytes()).hexdigest() + str(int(path.stat().st_mtime)) if path.is_file() else ""
        )
        said[path.relative_to(root).as_posix()] = digest
    return said


def planted(case: Case, clean: Path, root: Path) -> tuple[dict[str, str], list[str]]:
    shutil.copytree(clean, root)
    at_fault = case.plant(root, np.random.default_rng(5))
    return content(root), [path.relative_to(root).as_posix() for path in at_fault]


def check_case(case: Case, clean: Path, tmp_path: Path) -> None:
    before = content(clean)
    after, at_fault = planted(case, clean, tmp_path / "once")
    assert after != before
    assert len(set(at_fault)) == len(at_fault)
    assert set(at_fault) <= set(before) | set(after)
    again, at_fault_again = planted(case, clean, tmp_path / "again")
    assert (again, at_fault_again) == (after, at_fault)


@pytest.mark.parametrize("case", quick, ids=lambda case: f"{case.name}-{case.on}")
def test_a_case_changes_its_folder_and_names_its_files(case: Case, ground, tmp_path: Path) -> None:
    check_case(case, ground(case.on), tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("case", [one for one in CASES if one not in quick], ids=lambda case: f"{case.name}-{case.on}")
def test_a_case_on_real_data_does_too(case: Case, ground, tmp_path: Path) -> None:
    check_case(case, ground(case.on), tmp_path)


def test_every_case_says_what_it_plants_and_has_a_place_of_its_own() -> None:
    assert all(len(case.says) >= 60 for case in CASES)
    assert len({(case.name, case.on) for case in CASES}) == len(CASES)
    assert {case.on for case in CASES} <= set(grounds.GROUNDS)


def test_clean_projects_are_others_than_the_grounds() -> None:
    assert len(grounds.PROJECTS) >= 12
    assert not set(grounds.PROJECTS) & set(grounds.GROUNDS)
    assert {project.seed for project in grounds.PROJECTS.values()}.isdisjoint({0})


def test_every_data_cause_is_covered() -> None:
    assert {case.cause for case in CASES} == set(CAUSES) - set(TRAINING_CAUSES)


def test_a_ground_is_the_same_each_time_and_another_with_another_seed(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        grounds.Ground(grounds.drawings.digits, "split_folders", seed).write(tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "same")
    assert content(tmp_path / "one") != content(tmp_path / "other")


def test_a_group_stays_in_one_split() -> None:
    rng = np.random.default_rng(0)
    shots = [
        layouts.Shot(b"", ".png", str(group % 3), f"g{group}", f"g{group}_{n}") for group in range(60) for n in (1, 2)
    ]
    split_of: dict[str, set[str]] = {}
    for shot in layouts.split(shots, rng):
        split_of.setdefault(shot.group, set()).add(shot.split)
    assert all(len(splits) == 1 for splits in split_of.values())
    assert set.union(*split_of.values()) == set(layouts.SHARES)


BLUR = Finding("blur", ("a.png", "b.png"))


@pytest.mark.parametrize(
    ("found", "clean", "word"),
    [
        ([BLUR], [], CAUGHT),
        ([Finding("blur", ("a.png",))], [], CAUGHT),  # half of the files
        ([Finding("blur", ("a.png",)), Finding("blur", ("b.png", "z.png"))], [], CAUGHT),
        ([Finding("blur", ("z.png",))], [], OTHER),  # the right word for another file
        ([Finding("blank", ("a.png", "b.png"))], [], OTHER),
        ([BLUR], [BLUR], MISSED),  # it says so of the clean folder too
        ([Finding("blur", ("a.png", "y.png"))], [Finding("blur", ("y.png",))], CAUGHT),
        ([Finding("imbalance")], [Finding("imbalance", sentence="3 to 1")], MISSED),
        ([], [], MISSED),
    ],
)
def test_verdicts(found: list[Finding], clean: list[Finding], word: str) -> None:
    answer = Answer(tuple(found), ("a.png", "b.png"))
    assert judge("tool", "data", "case", "ground", "blur", answer, Answer(tuple(clean))).verdict == word


def test_a_fault_of_no_file_is_caught_by_its_cause_and_a_folder_stands_for_its_files() -> None:
    nothing_named = judge(
        "tool", "data", "case", "on", "shortcut", Answer((Finding("shortcut", ("a.png",)),)), Answer()
    )
    assert nothing_named.verdict == CAUGHT
    nested = Answer((Finding("folders", ("ring/ring",)),), ("ring/ring/a.png", "ring/ring/b.png"))
    assert judge("tool", "data", "case", "on", "folders", nested, Answer()).verdict == CAUGHT


def test_notes_catch_but_raise_no_alarm_and_a_tool_that_died_failed() -> None:
    note = Answer((Finding("blur", ("a.png",), "blurred", "note"),), ("a.png",))
    row = judge("tool", "data", "case", "on", "blur", note, Answer())
    assert (row.verdict, row.by_note) == (CAUGHT, True)
    assert false_alarms(note) == []
    assert judge("tool", "data", "case", "on", "blur", Answer(failed="out of memory"), Answer()).verdict == FAILED
