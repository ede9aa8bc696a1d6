"""The options of a model of rows, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.tasks.tabular.choosing import chosen
from snowroll.tasks.tabular.rules import Rule, read_rules, refuse_unknown_columns

_DIRECTED = ("boosted", "tree")  # models that hold a column to a direction; every one keeps to rules


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What both problems share: one class for a row, or one number."""

    model: str = "boosted"
    numbers: tuple[str, ...] = ()  # columns read as numbers, dates among them; with `categories` empty: all of a row
    categories: tuple[str, ...] = ()  # columns read as words
    columns: tuple[str, ...] = ()  # of these, the only ones to learn from; (): all
    leave_out: tuple[str, ...] = ()  # of these, the ones not to learn from
    protected: tuple[str, ...] = ()  # columns by whose values errors are told apart, learnt from or not
    # "age:1", "prior:-1": the last class must not get rarer, or more common, as it rises; a number not smaller, larger
    monotone: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()  # that no answer may break, "age < 18 -> never approve": see tabular/rules.py
    trees: int = 200  # of boosting
    leaves: int = 31  # of a tree, at most
    depth: int = 6  # questions from the root to a leaf, at most
    smallest_leaf: int = 20  # rows
    rate: float = 0.1  # how much of its correction a boosted tree makes
    shrink: float = 1.0  # L2 penalty of boosting's leaves, and of the coefficients of a linear model
    width: int = 128  # of the MLP's layers
    layers: int = 2
    dropout: float = 0.1
    hide: float = 0.0  # chance that the MLP is not shown a cell while it learns: rows with gaps are answered then

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="trees depth smallest_leaf width layers",
            from_0="shrink",
            above_0="rate",
            shares="dropout hide",
        )
        if self.leaves < 2:
            raise UsageError(f"{self.leaves} is out of bounds", where="task.leaves", cure="set it to 2 or more")
        if self.directions and self.model not in _DIRECTED:
            told = f"model '{self.model}' does not hold a column to a direction"
            raise UsageError(told, where="task.monotone", cure="use boosted or tree, or leave it out")
        known = {*self.numbers, *self.categories}
        rules = self.read_rules()
        if known:
            _refuse_unknown("columns", self.columns, known)
            _refuse_unknown("monotone", self.directions, known)
            self._refuse_no_direction()
            refuse_unknown_columns(rules, self.used_numbers, self.used_categories)
        if known and not (self.used_numbers or self.used_categories):
            raise UsageError("no column is left to learn from", where="task.columns", cure="leave fewer out")

    @property
    def at_once(self) -> bool:
        return self.model != "mlp"

    @property
    def used_numbers(self) -> tuple[str, ...]:
        return tuple(name for name in self.numbers if self._is_used(name))

    @property
    def used_categories(self) -> tuple[str, ...]:
        return tuple(name for name in self.categories if self._is_used(name))

    @property
    def directions(self) -> dict[str, int]:
        """Column -> 1 or -1, of `monotone`. Raises UsageError."""
        found = {}
        for told in self.monotone:
            name, _, sign = told.rpartition(":")
            if sign not in ("1", "+1", "-1") or not name:
                raise UsageError(f"'{told}' names no direction", where="task.monotone", cure="write age:1 or age:-1")
            found[name] = int(sign)
        return found

    def read_rules(self) -> tuple[Rule, ...]:
        """`rules`, understood. Raises UsageError."""
        return read_rules(self.rules)

    def _refuse_no_direction(self) -> None:
        for name in self.directions:
            if name not in self.used_numbers:
                why = "holds words, and these have no order" if name in self.used_categories else "is not learnt from"
                cure = "name a column of numbers that is learnt from, or leave it out"
                raise UsageError(f"column '{name}' {why}", where="task.monotone", cure=cure)

    def _is_used(self, name: str) -> bool:
        return (not self.columns or name in self.columns) and name not in self.leave_out


@dataclass(frozen=True, slots=True)
class TabularOptions(RowOptions):
    """The task's part of the Plan for one class a row."""

    model: Literal["boosted", "tree", "logistic", "mlp"] = "boosted"


def _refuse_unknown(setting: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            cure = did_you_mean(name, sorted(known))
            raise UsageError(f"there is no column '{name}' to learn from", where=f"task.{setting}", cure=cure)


def row_plan(fingerprint: Fingerprint, line: str = "logistic") -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence.

    line: what the task calls its linear model. facts it reads: "asked_apart", of choosing.py.
    """
    columns, n = fingerprint.schema.get("columns", []), fingerprint.n["train"]
    asked: Mapping[str, Json] = fingerprint.facts.get("asked") or {}
    better = chosen(fingerprint.facts.get("asked_apart") or {}, line, n)
    if asked.get("monotone") and better and better.value not in _DIRECTED:
        why = f"{line} does not hold a column to the direction that task.monotone asks for"
        better = Choice("task.model", _DIRECTED[0], why)
    model = asked.get("model") or (better.value if better else "boosted")
    numbers = [one["name"] for one in columns if one["kind"] in ("number", "date")]
    words = [one["name"] for one in columns if one["kind"] in ("category", "flag")]
    left = len(columns) - len(numbers) - len(words)
    beside = f"; {left} are left out: `check` says why" if left else ""
    return [
        Choice("task.numbers", numbers, f"{len(numbers)} of {len(columns)} columns hold numbers or dates{beside}"),
        Choice("task.categories", words, f"{len(words)} of {len(columns)} columns hold few words, many times each"),
        *([better] if better else []),
        *_of_model(model, n),
        Choice("train.channels_last", False, "there are no channels"),
        Choice("train.precision", "fp32", "numbers of a table may differ in their last digits"),
    ]


def _of_model(model: str, n: int) -> list[Choice]:
    if model == "mlp":
        batch = 256 if n >= 5_000 else 64 if n >= 500 else 16
        steps = max(200, round(min(60_000, 12 * n) / batch))
        return [
            Choice("train.batch", batch, f"{n:,} training rows"),
            Choice("train.steps", steps, f"about {steps * batch / max(1, n):.0f} passes over {n:,} rows"),
            Choice("train.optimizer", "adamw", "columns are met unequally often: steps of each one's own size"),
            Choice("train.lr", 2e-3, "for AdamW"),
            Choice("train.weight_decay", 0.02, "few rows and many words: coefficients are held small"),
            Choice("train.schedule", "cosine", "down to zero"),
            Choice("train.ema", 0.99, "a mean over the last steps is steadier than the last one"),
        ]
    steps = Choice("train.steps", 1, "fitted to all rows at once")
    if model == "tree":
        return [
            steps,
            Choice("task.depth", 4, "a tree that can be read aloud"),
            Choice("task.leaves", 16, "likewise"),
            Choice("task.smallest_leaf", max(2, min(50, n // 100)), f"a hundredth of {n:,} rows, 50 at most"),
        ]
    if model == "boosted":
        small = max(2, min(20, n // 50))
        return [steps, Choice("task.smallest_leaf", small, f"{n:,} rows; 20 is scikit-learn's own and the most")]
    return [steps]
