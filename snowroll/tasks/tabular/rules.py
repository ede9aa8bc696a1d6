"""Rules that no answer may break, in words: read here, checked against the columns, enforced by `Ruled` in the graph.

    rule       = [condition] "->" consequence              without a condition it holds for every row
    condition  = all {"|" all}      all = one {"&" one}     "or", "and", "not" stand for "|", "&", "!"
    one        = "!" one | "(" condition ")" | column comparison value | column "is missing"
    comparison = "<" "<=" ">" ">=" "=" "!="
    consequence of classes: "never" class | "only" class;   of numbers: "at least" number | "at most" number

Names of other than letters, digits, "_", "-" and "." stand in quotes. What compares a cell that says nothing is neither
true nor false (Kleene's three values), and a rule speaks only where its condition is true. No torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Json
from snowroll.prepare.tables import Cell, cell_of
from snowroll.tasks.tabular.columns import as_number, days_of, spelled

WHERE = "task.rules"
_TOKEN = re.compile(
    r"\s*(?:(?P<quoted>'[^']*'|\"[^\"]*\")|(?P<mark>->|<=|>=|!=|==|[<>=&|!()])|(?P<word>(?:(?!->)[^\s<>=&|!()'\"])+))"
)
_COMPARISONS = ("<", "<=", ">", ">=", "=", "!=")
_DEEPEST = 40  # brackets within brackets
_LONGEST = 2_000  # characters


@dataclass(frozen=True, slots=True)
class Asked:
    """One column compared with one value; "missing" asks whether it says nothing."""

    column: str
    comparison: Literal["<", "<=", ">", ">=", "=", "!=", "missing"]
    value: Cell = None


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """All of the parts; where `is_any`, one of them."""

    parts: tuple[Condition, ...]
    is_any: bool = False


Condition = Asked | Not | Both


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the condition is true, what the answer must be. An empty condition (`Both(())`) is always true."""

    text: str
    condition: Condition
    verb: Literal["never", "only", "at least", "at most"]
    value: str | float  # a class, or a number


def read_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Raises UsageError that shows where a rule stops being one."""
    return tuple(map(read_rule, texts))


def read_rule(text: str) -> Rule:
    """
    >>> rule = read_rule("age < 18 & (job = 'x y' or age is missing) -> never approve")
    >>> rule.verb, rule.value, columns_in(rule.condition)
    ('never', 'approve', ['age', 'job', 'age'])
    """
    return _Reader(text).rule()


def columns_in(condition: Condition) -> list[str]:
    if isinstance(condition, Asked):
        return [condition.column]
    parts = (condition.part,) if isinstance(condition, Not) else condition.parts
    return [name for part in parts for name in columns_in(part)]


def tests_in(condition: Condition) -> Iterator[Asked]:
    if isinstance(condition, Asked):
        yield condition
    else:
        for part in (condition.part,) if isinstance(condition, Not) else condition.parts:
            yield from tests_in(part)


def holds(condition: Condition, cell: Callable[[str], Cell]) -> bool | None:
    """Of one row, whose cells `cell` gives by column; None where nothing can be said."""
    if isinstance(condition, Not):
        inner = holds(condition.part, cell)
        return None if inner is None else not inner
    if isinstance(condition, Both):
        found = [holds(part, cell) for part in condition.parts]
        if condition.is_any in found:  # one that is true settles "any", one that is false "all"
            return condition.is_any
        return None if None in found else not condition.is_any
    said = cell(condition.column)
    if condition.comparison == "missing":
        return said is None
    if said is None:
        return None
    if condition.comparison in ("=", "!=") and isinstance(condition.value, str) and days_of(condition.value) is None:
        return (spelled(said) == condition.value) == (condition.comparison == "=")
    one, other = as_number(said), as_number(condition.value)
    if one is None or other is None:
        return None if condition.comparison not in ("=", "!=") else condition.comparison == "!="
    return compared(one, condition.comparison, other)


def compared(one: float, comparison: str, other: float) -> bool:
    return {
        "<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other, "=": one == other,
        "!=": one != other,
    }[comparison]  # fmt: skip


def allows(rule: Rule, answer: Json) -> bool:
    """Whether an answer keeps to what the rule asks for where its condition is true."""
    if rule.verb in ("never", "only"):
        return (answer == rule.value) == (rule.verb == "only")
    return answer >= rule.value if rule.verb == "at least" else answer <= rule.value


# against the columns --------------------------------------------------------------------------------------------------


def refuse_unknown_columns(rules: Sequence[Rule], numbers: Sequence[str], categories: Sequence[str]) -> None:
    """Raises UsageError for a column that is not learnt from, or one whose kind cannot be compared so."""
    known = [*numbers, *categories]
    for rule in rules:
        for test in tests_in(rule.condition):
            if test.column not in known:
                told = f"rule '{rule.text}': there is no column '{test.column}' that is learnt from"
                raise UsageError(told, where=WHERE, cure=did_you_mean(test.column, known))
            if test.comparison == "missing":
                continue
            is_word = isinstance(test.value, str) and days_of(test.value) is None
            if test.column in categories and test.comparison not in ("=", "!="):
                told = f"rule '{rule.text}': '{test.column}' holds words, which are not larger or smaller"
                raise UsageError(told, where=WHERE, cure="compare it with = or !=")
            if test.column in numbers and is_word:
                told = f"rule '{rule.text}': '{test.column}' holds numbers, and '{test.value}' is none"
                raise UsageError(told, where=WHERE, cure="compare it with a number, or a date as 2024-12-31")


def refuse_unknown_words(rules: Sequence[Rule], schema: Mapping[str, Json]) -> None:
    """Raises UsageError for a word that its column does not hold, a class that there is not, or one that another rule
    leaves no answer beside.
    """
    levels = {one["name"]: list(one["levels"]) for one in schema.get("columns", ()) if one.get("levels")}
    for rule in rules:
        for test in tests_in(rule.condition):
            word = None if test.value is None else spelled(test.value)
            if test.column in levels and word is not None and word not in levels[test.column]:
                told = f"rule '{rule.text}': column '{test.column}' holds no '{word}'"
                raise UsageError(told, where=WHERE, cure=did_you_mean(word, levels[test.column]))
    (_refuse_classes if schema.get("type") == "choice" else _refuse_bounds)(rules, schema)


def _refuse_classes(rules: Sequence[Rule], schema: Mapping[str, Json]) -> None:
    classes = list(schema["classes"])
    for rule in rules:
        if rule.verb not in ("never", "only"):
            cure = "write 'never CLASS' or 'only CLASS'"
            raise UsageError(f"rule '{rule.text}': '{rule.verb}' is for numbers", where=WHERE, cure=cure)
        if rule.value not in classes:
            told = f"rule '{rule.text}': there is no class '{rule.value}'"
            raise UsageError(told, where=WHERE, cure=did_you_mean(str(rule.value), classes))
        same = [one for one in rules if one.condition == rule.condition]
        if not any(all(allows(one, name) for one in same) for name in classes):
            told = f"rule '{rule.text}' and others of its condition leave no class to be said"
            raise UsageError(told, where=WHERE, cure="take one of them out")


def _refuse_bounds(rules: Sequence[Rule], schema: Mapping[str, Json]) -> None:
    for rule in rules:
        if rule.verb not in ("at least", "at most"):
            cure = "write 'at least NUMBER' or 'at most NUMBER'"
            raise UsageError(f"rule '{rule.text}': '{rule.verb}' is for classes", where=WHERE, cure=cure)
        same = [one for one in rules if one.condition == rule.condition]
        low = max((float(one.value) for one in same if one.verb == "at least"), default=float("-inf"))
        high = min((float(one.value) for one in same if one.verb == "at most"), default=float("inf"))
        if low > high:
            told = f"rule '{rule.text}' and others of its condition leave no number between {low:g} and {high:g}"
            raise UsageError(told, where=WHERE, cure="take one of them out")


# the grammar ----------------------------------------------------------------------------------------------------------


class _Reader:
    """Descends through one rule, token by token."""

    def __init__(self, text: str) -> None:
        self.text, self.place, self.tokens = text, 0, []
        if len(text) > _LONGEST:
            raise UsageError(f"a rule of {len(text):,} characters", where=WHERE, cure=f"write {_LONGEST:,} at most")
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong("a quote that is not closed", at)
            kind = str(match.lastgroup)
            word = match[kind]
            self.tokens.append((kind, word[1:-1] if kind == "quoted" else word, match.start(kind)))
            at = match.end()

    def rule(self) -> Rule:
        condition: Condition = Both(())
        if not self._takes("->"):
            condition = self._any(0)
            if not self._takes("->"):
                raise self._wrong("'->' is missing")
        verb = self._verb()
        kind, word, at = self._next("what the answer must be")
        if kind == "mark":
            raise self._wrong(f"'{word}' is no {'number' if verb.startswith('at') else 'class'}", at)
        value: str | float = word
        if verb in ("at least", "at most"):
            number = cell_of(word)
            if isinstance(number, str) or number is None:
                raise self._wrong(f"'{word}' is no number", at)
            value = float(number)
        if self.place < len(self.tokens):
            raise self._wrong(f"'{self.tokens[self.place][1]}' is too much")
        return Rule(self.text.strip(), condition, verb, value)

    def _verb(self) -> Literal["never", "only", "at least", "at most"]:
        if self._says("never"):
            return "never"
        if self._says("only"):
            return "only"
        if self._says("at"):
            if self._says("least"):
                return "at least"
            if self._says("most"):
                return "at most"
        raise self._wrong("after '->' stands 'never CLASS', 'only CLASS', 'at least NUMBER' or 'at most NUMBER'")

    def _any(self, depth: int) -> Condition:
        parts = [self._all(depth)]
        while self._takes("|") or self._says("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts), is_any=True)

    def _all(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._takes("&") or self._says("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise self._wrong(f"more than {_DEEPEST} brackets within each other")
        if self._takes("!") or self._says("not"):
            return Not(self._one(depth + 1))
        if self._takes("("):
            inside = self._any(depth + 1)
            if not self._takes(")"):
                raise self._wrong("')' is missing")
            return inside
        kind, column, at = self._next("a column")
        if kind == "mark":
            raise self._wrong(f"'{column}' is no column", at)
        if self._says("is"):
            if not self._says("missing"):
                raise self._wrong("after 'is' stands 'missing'")
            return Asked(column, "missing")
        _, comparison, at = self._next("a comparison")
        comparison = "=" if comparison == "==" else comparison
        if comparison not in _COMPARISONS:
            raise self._wrong(f"'{comparison}' is no comparison: {' '.join(_COMPARISONS)}, or 'is missing'", at)
        kind, word, at = self._next("a value")
        if kind == "mark":
            raise self._wrong(f"'{word}' is no value", at)
        value = word if kind == "quoted" else cell_of(word)
        if value is None:
            raise self._wrong(f"'{word}' says nothing: write '{column} is missing'", at)
        return Asked(column, comparison, value)  # type: ignore[arg-type]  # one of _COMPARISONS

    def _takes(self, mark: str) -> bool:
        here = self.place < len(self.tokens) and self.tokens[self.place][:2] == ("mark", mark)
        self.place += here
        return here

    def _says(self, word: str) -> bool:
        kind, told, _ = self.tokens[self.place] if self.place < len(self.tokens) else ("", "", 0)
        here = kind == "word" and told.lower() == word
        self.place += here
        return here

    def _next(self, what: str) -> tuple[str, str, int]:
        if self.place >= len(self.tokens):
            raise self._wrong(f"{what} is missing")
        self.place += 1
        return self.tokens[self.place - 1]

    def _wrong(self, what: str, at: int | None = None) -> UsageError:
        if at is None:
            at = self.tokens[self.place][2] if self.place < len(self.tokens) else len(self.text)
        told = f"rule '{self.text}': {what}, at character {at + 1}"
        return UsageError(told, where=WHERE, cure="write it like: age < 18 & income > 50000 -> never approve")
