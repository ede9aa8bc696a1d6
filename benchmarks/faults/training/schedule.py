"""Schedules whose decay never arrives, arrives at once or comes back: epochs and steps taken for each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cases import Program, training_case


def epochs(program: Program, step: int) -> int:
    return step // (len(program.train) // program.batch)


@training_case("wrong_schedule", on=("signs",))
def milestones_in_epochs_counted_in_steps(program: Program) -> Program:
    """The rate drops tenfold at 5 and at 8, which were epochs, but the schedule moves on at each step.

    Two lines apart, `scheduler.step()` stands inside the inner loop. After eight batches all is over.
    """
    return replace(program, rate=lambda step, steps: 0.1 ** ((step >= 5) + (step >= 8)))


@training_case("wrong_schedule", on=("beats",))
def milestones_in_steps_counted_in_epochs(program: Program) -> Program:
    """The rate drops tenfold at 150 and at 225, which were steps, but the schedule moves on once an epoch.

    The run has some fifteen epochs, so the decay never arrives. A constant rate trains too, a little worse.
    """

    def rate(step: int, steps: int) -> float:
        epoch = epochs(program, step)
        return 0.1 ** ((epoch >= 150) + (epoch >= 225))

    return replace(program, rate=rate)


@training_case("wrong_schedule", on=("signs", "talk"))
def cosine_of_a_longer_run(program: Program) -> Program:
    """The cosine spans ten times the steps of the run, which ends while the rate is still near its peak.

    The number of steps is the default of the paper's code. The loss is noisy to the end.
    """
    return replace(program, rate=lambda step, steps: 0.5 + 0.5 * float(np.cos(np.pi * step / (10 * steps))))


@training_case("wrong_schedule", on=("digits",))
def cosine_of_epochs_moved_by_steps(program: Program) -> Program:
    """`T_max` is the number of epochs and the cosine moves on at each step: it falls and rises again many times.

    Past its end PyTorch's cosine comes back up. The run stops wherever it happens to be.
    """
    span = epochs(program, program.steps)
    return replace(program, rate=lambda step, steps: 0.5 + 0.5 * float(np.cos(np.pi * step / span)))


@training_case("wrong_schedule", on=("talk",))
def warm_up_longer_than_the_run(program: Program) -> Program:
    """The rate warms up over 4,000 steps, as in the paper, in a run of a few hundred: it never gets there.

    The rate printed at the end has the right order of magnitude, and the loss falls all the while.
    """
    return replace(program, rate=lambda step, steps: min(1.0, (step + 1) / 4000))
