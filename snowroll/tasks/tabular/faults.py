"""What can be wrong with a table beside what is wrong with any samples: its columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Fault, Json
from snowroll.prepare.label_check import plain_name
from snowroll.prepare.tables import Cell
from snowroll.prepare.view import View, count
from snowroll.tasks.tabular.columns import LEARNT
from snowroll.tasks.tabular.looking import values_of
from snowroll.tasks.tabular.options import RowOptions
from snowroll.tasks.tabular.rules import Rule, allows, columns_in, holds, refuse_unknown_columns, refuse_unknown_words

TELLS_ALL = 0.95  # of the rows that one column alone gets right, above which it may give the target away
LEFT = 0.2  # of the errors of always saying the commonest class, above which it does not
_BINS = 64  # values of a number that are told apart when it is asked alone
_FEWEST = 40  # rows; in fewer one column tells the target by chance
_MOSTLY = 0.5  # share of missing cells that is told
_KINDS = {"numbers": ("number", "date"), "words": ("category", "flag")}
LEAKS = "leave it out with --task.leave_out unless it is known before the target is"


def row_faults(view: View) -> Iterator[Fault]:
    columns: Sequence[Mapping[str, Json]] = view.schema.get("columns", ())
    if not columns:
        return
    yield from column_faults(view, columns)
    yield from _conflicts(view, columns)
    yield from _giveaways(view, columns)


def column_faults(view: View, columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    """What is wrong whatever the targets are."""
    if view.options is not None:
        refuse_empty_columns(view.options, columns)
    yield from _columns_left_out(view, columns)
    yield from _missing(view, columns)
    yield from _mixed(columns)
    yield from _spelt_twice(columns)
    yield from _unlabelled(view)
    yield from _broken_rules(view)


def refuse_empty_columns(options: RowOptions, columns: Sequence[Mapping[str, Json]]) -> None:
    """Raise UsageError for a column that the user names and the table has not, or whose words cannot be learnt."""
    known = {column["name"]: column for column in columns}
    for setting, names in (("numbers", options.used_numbers), ("categories", options.used_categories)):
        for name in names:
            if name not in known:
                cure = did_you_mean(name, [*known])
                raise UsageError(f"there is no column '{name}' to learn from", where=f"task.{setting}", cure=cure)
    for name in options.used_categories:
        if not known[name].get("levels"):
            why = known[name].get("why") or "no word comes often enough"
            told = f"from the words of column '{name}' nothing can be learnt: {why}"
            raise UsageError(told, where="task.categories", cure="leave it out")


def _broken_rules(view: View) -> Iterator[Fault]:
    """Labelled rows whose own target a rule forbids: either the rule is wrong, or the row is."""
    rules = view.options.read_rules() if view.options is not None else ()
    if not rules:
        return
    columns = view.schema.get("columns", ())
    of_kind = {kind: [one["name"] for one in columns if one["kind"] in some] for kind, some in _KINDS.items()}
    refuse_unknown_columns(rules, of_kind["numbers"], of_kind["words"])
    refuse_unknown_words(rules, view.schema)
    for rule in rules:
        where = rows_where(rule, view.looks, view.schema)
        labelled = [row for row in where if view.samples[row].target is not None]
        rows = [row for row in labelled if not allows(rule, view.samples[row].target)]
        if rows:
            told = (
                f"rule '{rule.text}': {len(rows):,} of the {count(len(labelled), 'labelled row')} it speaks of break it"
            )
            cure = "mend the labels or the rule; no model will ever answer so"
            yield view.fault("breaks_a_rule", "warn", rows, told, cure, fix=view.ask(rows))


def _columns_left_out(view: View, columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    for column in columns:
        name, why = column["name"], column.get("why", "")
        if column["kind"] == "secret":
            told = f"column '{name}': {why}; nothing is learnt from it, but it is kept with every row"
            yield Fault(
                "secret_column", "warn", (), told, "take it out of the file: a model needs no names or keys", 0.9
            )
    for kind, code, what in (
        ("constant", "constant_column", "say nothing"),
        ("copy", "copied_column", "repeat another"),
        ("id", "id_column", "name the row rather than describe it"),
        ("text", "text_column", "hold free text, which is not learnt from"),
    ):
        some = [column for column in columns if column["kind"] == kind]
        if some:
            named = ", ".join(f"'{one['name']}' ({one.get('why', '')})" for one in some[:5])
            more = f" and {len(some) - 5} more" if len(some) > 5 else ""
            told = f"{count(len(some), 'column')} left out that {what if len(some) > 1 else _one(what)}: {named}{more}"
            cure = "nothing, if that is right; else --task.numbers or --task.categories names the columns to learn from"
            yield Fault(code, "note", (), told, cure)


def _one(what: str) -> str:
    first, _, rest = what.partition(" ")
    return f"{ {'say': 'says', 'repeat': 'repeats', 'name': 'names', 'hold': 'holds'}[first] } {rest}"


def _missing(view: View, columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    n = len(view)
    gaps = [one for one in columns if one["missing"] > _MOSTLY * n and one["kind"] not in ("constant", "copy")]
    if gaps:
        named = ", ".join(f"'{one['name']}' {one['missing'] / n:.0%}" for one in gaps[:6])
        told = f"{count(len(gaps), 'column')} mostly missing: {named}" + (" ..." if len(gaps) > 6 else "")
        cure = "models are told that a cell is missing: look whether that itself gives the target away"
        yield Fault("mostly_missing", "note", (), told, cure)


def _mixed(columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    for column in columns:
        if column.get("why") and column["kind"] in ("number", "date", "category", "flag"):
            told = f"column '{column['name']}': {column['why']}"
            yield Fault("mixed_column", "warn", (), told, "write all of its cells one way")


def _spelt_twice(columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    for column in columns:
        alike: dict[str, list[str]] = defaultdict(list)
        for level in column.get("levels", ()):
            alike[plain_name(level)].append(level)
        pairs = [words for plain, words in alike.items() if plain and len(words) > 1]
        if pairs:
            named = "; ".join(" and ".join(f"'{word}'" for word in words) for words in pairs[:3])
            told = f"column '{column['name']}': one word in two spellings? {named}"
            yield Fault("spelt_twice_in_a_column", "warn", (), told, "spell it one way", 0.8)


def _unlabelled(view: View) -> Iterator[Fault]:
    rows = [row for row, label in enumerate(view.labels) if label is None and view.samples[row].origin == "collected"]
    if rows and len(rows) < len(view):
        told = f"{count(len(rows), 'row')} without a target: {view.names(rows)}"
        yield view.fault("missing_target", "warn", rows, told, "fill it in, or label them with `snowroll label`")


def _conflicts(view: View, columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    """Rows alike in every column that is learnt from, beyond those that are copies to the last byte."""
    against = [rows for rows in alike(view, columns) if len({view.labels[row] for row in rows}) > 1]
    contents = [rows for rows in against if len({view.samples[row].content for row in rows}) > 1]
    n = sum(map(len, against))
    if contents and n:
        most = sum(max(Counter(view.labels[row] for row in rows).values()) for rows in against)
        told = (
            f"{count(n, 'row')} that agree in every column that is learnt from have different targets: "
            f"{n - most:,} of them no model can get right"
        )
        rows = [row for some in against for row in some]
        yield view.fault(
            "same_cells_other_target", "note", rows, told, "add a column that tells them apart, if there is one"
        )


def alike(view: View, columns: Sequence[Mapping[str, Json]]) -> list[list[int]]:
    """Labelled rows that agree in every column that is learnt from, together."""
    used = [one["name"] for one in columns if one["kind"] in LEARNT]
    found: dict[tuple[float, ...], list[int]] = defaultdict(list)
    for row, look in enumerate(view.looks):
        if look is not None and not look.reason and view.labels[row] is not None:
            found[tuple(look.own.get(name, np.inf) for name in used)].append(row)
    return list(found.values())


def values_in(view: View, rows: Sequence[int], name: str) -> np.ndarray:
    """[n] what the rows say in a column, as a number: itself, days, or what is left of a word's hash; NaN: nothing."""
    return np.array([look.own.get(name, np.nan) if (look := view.looks[row]) else np.nan for row in rows])


def _giveaways(view: View, columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    """A column that alone tells the target of rows that it was not looked up from."""
    rows = [
        r for r, look in enumerate(view.looks) if look is not None and not look.reason and view.labels[r] is not None
    ]
    if len(rows) < _FEWEST:
        return
    names = sorted({label for row in rows if (label := view.labels[row]) is not None})
    truth = np.array([names.index(str(view.labels[row])) for row in rows])
    base = np.bincount(truth).max() / len(truth)
    for column in columns:
        if column["kind"] not in LEARNT:
            continue
        right = told_alone(values_in(view, rows, column["name"]), truth, bool(column.get("levels")))
        if right >= TELLS_ALL and 1 - right <= LEFT * (1 - base):
            name = column["name"]
            told = f"column '{name}' alone tells the target of {right:.1%} of the rows; one answer to all {base:.1%}"
            yield Fault("gives_target_away", "warn", (), told, LEAKS, 0.9)


def rows_where(rule: Rule, looks: Sequence[Any], schema: Mapping[str, Json]) -> list[int]:
    """The rows in which a rule speaks."""
    said = {name: values_of(looks, schema, name) for name in set(columns_in(rule.condition))}

    def cell_in(row: int) -> Callable[[str], Cell]:
        return lambda name: cast(Cell, said[name][row])

    return [row for row in range(len(looks)) if holds(rule.condition, cell_in(row))]


def told_alone(values: np.ndarray, truth: np.ndarray, are_words: bool) -> float:
    """The share of rows whose target is the commonest one among the other half's rows of the same value.

    values: [n], NaN where missing; numbers of many values are cut at quantiles first.
    """
    place = binned(values, are_words)
    right, half = 0, np.random.default_rng(len(values)).permutation(len(values)) % 2  # rows may be in some order
    classes = int(truth.max()) + 1
    for side in (0, 1):
        table = np.zeros((int(place.max()) + 1, classes), np.int64)
        np.add.at(table, (place[half != side], truth[half != side]), 1)
        right += int((table[place[half == side]].argmax(axis=1) == truth[half == side]).sum())
    return right / len(values)


def binned(values: np.ndarray, are_words: bool) -> np.ndarray:
    """[n] which value each is; numbers of many values are cut at quantiles first. Missing ones have a place."""
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if not are_words and len(distinct) > _BINS:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
        place = np.searchsorted(edges, values, "right")
    else:
        place = np.searchsorted(distinct, values)
    place[np.isnan(values)] = len(distinct) + 1
    return place
