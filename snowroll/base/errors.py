"""The errors a user can meet: what is wrong, where, and what to do, in one line."""

from collections.abc import Sequence
from difflib import get_close_matches

from snowroll.base.listing import few


class SnowrollError(Exception):
    """The user's mistake or the outside world's; shown as one line, never as a traceback.

    `exit_code`: 1 a check, gate or run failed; 2 the command itself is wrong.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: object = "", cure: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.cure = what, str(where), cure

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}; {self.cure}" if self.cure else line

    def as_json(self) -> dict[str, str]:
        return {"error": self.what, "where": self.where, "cure": self.cure}


class UsageError(SnowrollError):
    """The command, a flag or the config cannot be understood."""

    exit_code = 2


class DataError(SnowrollError):
    """The user's files or labels cannot be used as they are."""


class PlanError(SnowrollError):
    """The plan cannot be carried out."""


class StoreError(SnowrollError):
    """The project folder cannot be read or written."""


class Interrupted(SnowrollError):
    """A run was broken off from outside; the same command goes on with it."""


class GateError(SnowrollError):
    """A training gate failed, so the run was stopped before it cost time."""

    rows: Sequence[int] = ()  # of the pack, that are at fault: whoever knows their files names them


def did_you_mean(word: str, known: list[str]) -> str:
    """The cure for an unknown word: the nearest known one, or what there is."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"choose one of: {few(sorted(known), 24)}"
