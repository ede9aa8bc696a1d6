"""The training half of the suite of planted faults: its programs are healthy, its cases are cases."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

FAULTS = Path(__file__).parent.parent / "benchmarks" / "faults"
sys.path.insert(0, str(FAULTS))

from cases import CAUSES, Case, Program, all_cases  # noqa: E402
from healthy.loop import train  # noqa: E402
from healthy.plain import FLOORS  # noqa: E402
from programs import CLEAN, PROGRAMS  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CASES = [case for case in all_cases() if case.kind == "training"]
HEALTHY = PROGRAMS | CLEAN


def of(case: Case) -> str:
    return f"{case.name}-{case.on}"


def two_steps(program: Program) -> None:
    """A short run on few rows, its figure, one answer: none of the parts may raise."""
    program = replace(program, batch=12, held_out=program.held_out[:130])
    model = train(program, steps=2)
    assert 0 <= program.figure(program, model) <= 1
    assert isinstance(program.serve(program, model, program.raw[0]), str)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_runs_and_repeats_itself(name: str):
    program = HEALTHY[name]()
    two_steps(program)
    short = replace(program, batch=12)
    one, other = train(short, steps=3).state_dict(), train(short, steps=3).state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_judges_rows_that_it_does_not_learn(name: str):
    program = HEALTHY[name]()
    assert not set(program.train) & set(program.held_out)
    fed = program.feed(program, 0)
    assert set(fed.ids.tolist()) <= set(program.train.tolist())
    assert len(fed.ids) == len(fed.inputs) == len(fed.targets) == program.batch
    shares = program.predict(program.make(), fed.inputs)
    assert shares.shape[-1] == len(program.classes)
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(shares.shape[:-1]))


@pytest.mark.parametrize("case", CASES, ids=of)
def test_a_case_replaces_a_part_and_runs(case: Case):
    program = PROGRAMS[case.on]()
    planted = case.plant(program)
    changed = [
        field.name for field in fields(Program) if getattr(planted, field.name) is not getattr(program, field.name)
    ]
    assert 1 <= len(changed) <= 3  # an average of the weights is in the model, the optimizer and the update
    assert planted.name == program.name
    two_steps(planted)


@pytest.mark.parametrize("case", CASES, ids=of)
def test_a_case_says_what_is_planted(case: Case):
    assert len(case.says) >= 60


def test_no_case_is_there_twice():
    assert max(Counter((case.name, case.on) for case in CASES).values()) == 1


def test_every_cause_of_training_has_a_case():
    causes = list(CAUSES)
    assert {case.cause for case in CASES} == set(causes[causes.index("wrong_init") :])


@pytest.mark.soak
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_learns(name: str):
    program = HEALTHY[name]()
    assert program.figure(program, train(program)) >= FLOORS[program.name]
