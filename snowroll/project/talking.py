"""A word with a trained model: lines typed, answered piece by piece, until an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from snowroll.base.errors import SnowrollError
from snowroll.base.parts import own
from snowroll.project.models import load_model
from snowroll.project.opened import Opened


def talk(opened: Opened, run: int, lines: Iterable[str], tell: Callable[[str], object]) -> None:
    """Nothing where the task has no `closing`. An empty line, the end of input or ctrl-c ends it; a fault is told.

    Each line is answered with a seed of its own, counted from the plan's.
    """
    closing = own(opened.task.closing)
    if closing is None:
        return
    trained = load_model(opened, run)
    options, seed = trained.plan.task, trained.plan.seed
    tell("\nA word with it? Type how a text begins; an empty line ends it.\n> ")
    try:
        for number, line in enumerate(lines):
            text = line.rstrip("\n")
            if not text:
                return
            try:
                for piece in closing(trained.model, text, trained.schema, options, seed + number):
                    tell(piece)
            except SnowrollError as fault:
                tell(str(fault))
            tell("\n> ")
    except KeyboardInterrupt:
        tell("\n")
