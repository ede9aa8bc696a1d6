"""What a model of rows has learnt, in words: its coefficients, its questions, what each column is worth to it, and
whom it wrongs more often than others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from snowroll.base.nouns import Batch, Json, Metric
from snowroll.evaluate.background import Evidence, Passage
from snowroll.evaluate.interval import mean_with_interval
from snowroll.evaluate.metrics import sample_nll
from snowroll.tasks.tabular.looking import values_of
from snowroll.tasks.tabular.model import Cells, Linear, Trees, inner
from snowroll.tasks.tabular.options import RowOptions
from snowroll.tasks.tabular.ruled import Ruled
from snowroll.tasks.tabular.rules import allows
from snowroll.tasks.tabular.surrogate import classes_imitated
from snowroll.tasks.tabular.telling import as_rules

MOST_ASKED = 2_000  # rows by which a column's worth is measured
TURNS = 3  # times that a column is given to other rows
MOST_TOLD = 25  # lines of a table
FEWEST = 10  # rows of a group that an error rate is told of
_PARTS = 4  # that a protected number is cut into


def explained(evidence: Evidence) -> Iterator[Passage]:
    fitted = inner(evidence.model)
    classes = list(evidence.schema["classes"])
    yield from rules_kept(evidence, lambda logits: [classes[place] for place in logits.argmax(dim=1).tolist()])
    if isinstance(fitted, Linear):
        yield coefficients(fitted, classes)
    if isinstance(fitted, Trees) and evidence.options.model == "tree":
        told = as_rules(fitted, lambda logits: _shares(logits, classes))
        yield Passage("The tree", f"Shares of {', '.join(classes)} at each end.", text=told)
    elif (small := classes_imitated(evidence, lambda logits: _shares(logits, classes))) is not None:
        yield small

    def losses(batch: Batch, targets: Sequence[Json]) -> np.ndarray:
        truth = np.array([classes.index(target) for target in targets])
        with torch.inference_mode():
            return sample_nll(evidence.model(batch.inputs).float().softmax(dim=1).numpy(), truth)

    yield worth_of_columns(evidence, losses, "nats")[0]
    if len(classes) == 2:
        for name in evidence.options.protected:
            yield error_rates(evidence, name)


# what was learnt ------------------------------------------------------------------------------------------------------


def coefficients(model: Linear, classes: Sequence[str]) -> Passage:
    """Of numbers in standard deviations, so that they can be set side by side."""
    weight = model.answer.weight.detach().cpu().numpy()
    if len(classes) == 2:
        odds = weight[1] - weight[0]
        order = np.argsort(-np.abs(odds), kind="stable")[:MOST_TOLD]
        rows = [(model.names[place], f"{odds[place]:+.3f}", f"{np.exp(odds[place]):.2f}") for place in order]
        told = f"Log-odds of '{classes[1]}': a number counts by standard deviations, a word by being there."
        return Passage("Coefficients", told, ("column", "log-odds", "times the odds"), rows)
    order = np.argsort(-np.abs(weight).max(axis=0), kind="stable")[:MOST_TOLD]
    rows = [(model.names[place], *(f"{one:+.3f}" for one in weight[:, place])) for place in order]
    return Passage(
        "Coefficients", "A number counts by standard deviations, a word by being there.", ("column", *classes), rows
    )


def _shares(logits: torch.Tensor, classes: Sequence[str]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in zip(classes, logits.softmax(dim=0), strict=True))


def rules_kept(evidence: Evidence, answers: Callable[[torch.Tensor], Sequence[Json]]) -> Iterator[Passage]:
    """How often each rule spoke, and what it changed. answers: of raw outputs; nothing where there are no rules."""
    ruled = next((one for one in evidence.model.modules() if isinstance(one, Ruled)), None)
    if ruled is None:
        return
    true, bare = [], []
    with torch.inference_mode():
        for start in range(0, len(evidence.targets), MOST_ASKED):
            cells = evidence.gather(range(start, min(start + MOST_ASKED, len(evidence.targets)))).inputs
            true.append(ruled.conditions(cells).numpy())
            bare += answers(ruled.model(cells))
    speaks, rows = np.concatenate(true), []
    for place, rule in enumerate(ruled.made_of[0]):
        where = np.flatnonzero(speaks[:, place]).tolist()
        changed = sum(not allows(rule, bare[row]) for row in where)
        broken = sum(not allows(rule, evidence.targets[row]) for row in where)
        kept = sum(allows(rule, evidence.predictions[row].value) for row in where)
        rows.append((rule.text, f"{len(where):,}", f"{changed:,}", f"{kept:,}", f"{broken:,}"))
    words = (
        f"Of {len(evidence.targets):,} rows judged on: in how many a rule's condition is true, in how many of them "
        "the model would have answered otherwise, how many answers keep to it, and how many labels do not."
    )
    yield Passage("Rules", words, ("rule", "speaks", "changes", "kept", "labels that break it"), rows)


def worth_of_columns(
    evidence: Evidence, losses: Callable[[Batch, Sequence[Json]], np.ndarray], unit: str, seed: int = 0
) -> tuple[Passage, list[str]]:
    """How much more the rows lose when a column is given to other rows (Breiman 2001, section 10; Fisher et al. 2019);
    and the columns, most telling first.

    losses: (rows, their targets) -> [n]. The interval is one over rows. Columns that say the same share their worth.
    """
    options: RowOptions = evidence.options
    n = min(MOST_ASKED, len(evidence.targets))
    places = np.linspace(0, len(evidence.targets) - 1, n).round().astype(int).tolist()
    batch = evidence.gather(places)
    truth = [evidence.targets[place] for place in places]
    before = losses(batch, truth)
    told: list[tuple[float, str, Metric]] = []
    columns = [(name, True, at) for at, name in enumerate(options.used_numbers)]
    columns += [(name, False, at) for at, name in enumerate(options.used_categories)]
    for name, is_number, at in columns:
        rise = np.zeros(n)
        for turn in range(TURNS):
            order = torch.from_numpy(np.random.default_rng([seed, turn]).permutation(n))
            rise += losses(_given_to_others(batch, is_number, at, order), truth) - before
        rise /= TURNS
        half = 1.96 * float(rise.std()) / max(1, n) ** 0.5
        mean = float(rise.mean())
        told.append((mean, name, Metric(mean, mean - half, mean + half, n)))
    told.sort(key=lambda one: -one[0])
    rows = worth_in_words([(name, metric) for _, name, metric in told])
    words = (
        f"How many {unit} more {n:,} test rows lose when the column is given to other rows; one that is worth nothing "
        "to the model shows 0."
    )
    passage = Passage("What each column is worth", words, ("column", unit, "95 % interval"), rows[:MOST_TOLD])
    return passage, [name for _, name, _ in told]


def worth_in_words(told: Sequence[tuple[str, Metric]]) -> list[tuple[str, str, str]]:
    """Rows of a table, all to the same place: that of the third digit of the largest number.

    >>> worth_in_words([("age", Metric(0.12345, 0.1, 0.14999, 9)), ("day", Metric(-0.00001, -0.001, 0.001, 9))])
    [('age', '+0.123', '+0.100 to +0.150'), ('day', '+0.000', '-0.001 to +0.001')]
    """
    sides = [abs(side) for _, one in told for side in (one.low, one.high) if math.isfinite(side)]
    largest = max(sides, default=0.0)
    places = max(0, 2 - math.floor(math.log10(largest))) if largest else 0
    look = f"+z,.{places}f"
    return [(name, format(one.value, look), f"{one.low:{look}} to {one.high:{look}}") for name, one in told]


def _given_to_others(batch: Batch, is_number: bool, at: int, order: torch.Tensor) -> Batch:
    cells: Cells = batch.inputs
    parts = {"number": cells.number.clone(), "known": cells.known.clone(), "word": cells.word.clone()}
    for part in ("number", "known") if is_number else ("word",):
        parts[part][:, at] = parts[part][order, at]
    return Batch(Cells(**parts), batch.targets, batch.ids)


# whom it wrongs -------------------------------------------------------------------------------------------------------


def error_rates(evidence: Evidence, column: str) -> Passage:
    """By the values of a column: how often it is said wrongly that a row is of the last class, and that it is not."""
    last = str(evidence.schema["classes"][-1])
    values = values_of(evidence.looks, evidence.schema, column)
    groups = _grouped(values)
    said = np.array([prediction.value == last for prediction in evidence.predictions])
    truth = np.array([target == last for target in evidence.targets])
    rows: list[tuple[str, ...]] = []
    for group in sorted(set(groups), key=lambda one: (-groups.count(one), one)):
        inside = np.array([one == group for one in groups])
        if inside.sum() < FEWEST:
            continue
        rates = [_rate(said[inside & ~truth]), _rate(~said[inside & truth]), _rate(said[inside]), _rate(truth[inside])]
        rows.append((f"{column} = {group}", f"{int(inside.sum()):,}", *rates))
    words = (
        f"A row of another class that is said to be '{last}' is a false positive, one of '{last}' that is not a false "
        "negative. Intervals are Wilson's; where they overlap, a difference may be chance."
    )
    heads = (column, "n", "false positives", "false negatives", f"'{last}' said", f"'{last}' true")
    return Passage(f"Errors by {column}", words, heads, rows)


def _rate(right: np.ndarray) -> str:
    if not len(right):
        return "no case"
    metric = mean_with_interval(right.astype(float))
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"


def _grouped(values: Sequence[object]) -> list[str]:
    numbers = np.array([value for value in values if isinstance(value, float)])
    if len(numbers) < len([value for value in values if value is not None]) or len(set(numbers.tolist())) <= 8:
        return [
            "missing" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for value in values
        ]
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _PARTS + 1)))
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return [
        names[min(len(names) - 1, int(np.searchsorted(edges, value, "right")) - 1)]
        if isinstance(value, float)
        else "missing"
        for value in values
    ]


def sliced(looks: Sequence[Any], schema: Mapping[str, Json]) -> dict[str, list[object]]:
    """Every column that a model may learn from, as values of the rows: words, numbers, or None; dates aside."""
    kinds = ("number", "category", "flag")
    return {
        column["name"]: values_of(looks, schema, column["name"])
        for column in schema.get("columns", ())
        if column["kind"] in kinds
    }
