"""What a model of numbers has learnt and where it errs: pictures of its errors, its coefficients or questions, what
each column is worth to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from snowroll.base.nouns import Batch, Json
from snowroll.evaluate.background import Dots, Evidence, Passage
from snowroll.evaluate.interval import mean_with_interval
from snowroll.tasks.tabular.explaining import MOST_TOLD, rules_kept, worth_of_columns
from snowroll.tasks.tabular.looking import values_of
from snowroll.tasks.tabular.model import Linear, Trees, inner
from snowroll.tasks.tabular.surrogate import numbers_imitated
from snowroll.tasks.tabular.telling import as_rules
from snowroll.tasks.tabular.values.model import SAID, usual
from snowroll.tasks.tabular.values.options import ValueOptions
from snowroll.tasks.tabular.values.training import answers

_TELLING = 2  # columns of numbers beside which errors are drawn


def explained(evidence: Evidence) -> Iterator[Passage]:
    options: ValueOptions = evidence.options
    unit = str(evidence.schema.get("unit") or evidence.schema.get("target") or "units")

    def losses(batch: Batch, targets: Sequence[Json]) -> np.ndarray:
        with torch.inference_mode():
            said = answers(evidence.model(batch.inputs), options)["value"].double().numpy()
        return np.abs(said - np.array(targets, float))

    worth, order = worth_of_columns(evidence, losses, unit)
    yield errors(evidence, order)
    yield from rules_kept(evidence, lambda outputs: answers(outputs, options)["value"].tolist())
    yield intervals(evidence)
    fitted = inner(evidence.model)
    if isinstance(fitted, Linear):
        yield coefficients(fitted, options, unit)
    if isinstance(fitted, Trees) and options.model == "tree":
        told = as_rules(fitted, lambda outputs: f"{float(usual(outputs[SAID], options)):.6g}")
        yield Passage("The tree", f"What is said at each end, in {unit}, before intervals are fitted.", text=told)
    elif (small := numbers_imitated(evidence)) is not None:
        yield small
    yield worth


def errors(evidence: Evidence, order: Sequence[str]) -> Passage:
    """Said against true, and what is left beside what was said and the columns that tell most."""
    said = np.array([one.value for one in evidence.predictions], float)
    truth = np.array(evidence.targets, float)
    left = truth - said
    target = str(evidence.schema.get("target", "target"))
    pictures = [
        Dots("Predicted and true", list(zip(said, truth, strict=True)), "predicted", f"true {target}", "diagonal"),
        Dots(
            "What is left, by prediction", list(zip(said, left, strict=True)), "predicted", "true - predicted", "zero"
        ),
    ]
    numeric = {one["name"] for one in evidence.schema.get("columns", ()) if one["kind"] == "number"}
    for name in [one for one in order if one in numeric][:_TELLING]:
        values = values_of(evidence.looks, evidence.schema, name)
        points = [(v, float(e)) for v, e in zip(values, left, strict=True) if isinstance(v, float)]
        pictures.append(Dots(f"What is left, by {name}", points, name, "true - predicted", "zero"))
    words = (
        "On the line all would be right. A bend or a funnel is something that the model has not learnt; single points "
        "far off stand among the worst mistakes below."
    )
    return Passage("Where it errs", words, dots=pictures)


def intervals(evidence: Evidence) -> Passage:
    """Whether intervals keep their word, and for whom: by how wide they are."""
    truth = np.array(evidence.targets, float)
    low, high = np.array([one.interval or (one.value, one.value) for one in evidence.predictions], float).T
    held, width = ((low <= truth) & (truth <= high)).astype(float), high - low
    order = np.argsort(width, kind="stable")
    rows = []
    names = ("narrowest third", "middle third", "widest third")
    for name, some in [("all rows", order), *zip(names, np.array_split(order, 3), strict=True)]:
        if len(some):
            share = mean_with_interval(held[some])
            told = f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"
            rows.append((name, f"{len(some):,}", told, f"{np.median(width[some]):,.4g}"))
    wanted = evidence.options.coverage
    words = (
        f"{wanted:.0%} of all truths are to lie within. They were fitted on validation rows, so that this holds of "
        "rows drawn as those were; it is promised for all rows together, not for each kind of them."
    )
    return Passage("Intervals", words, ("intervals", "n", "truths within", "median width"), rows)


def coefficients(model: Linear, options: ValueOptions, unit: str) -> Passage:
    """Of numbers in standard deviations, so that they can be set side by side."""
    weight = model.answer.weight[SAID].detach().double().numpy() * options.scale
    order = np.argsort(-np.abs(weight), kind="stable")[:MOST_TOLD]
    if options.log:
        rows = [(model.names[place], f"x {np.exp(weight[place]):.4g}") for place in order]
        told = "By what the answer is multiplied where a number is one standard deviation higher, or a word is there."
        return Passage("Coefficients", told, ("column", "factor"), rows)
    rows = [(model.names[place], f"{weight[place]:+.5g}") for place in order]
    told = "How much the answer rises where a number is one standard deviation higher, or a word is there."
    return Passage("Coefficients", told, ("column", unit), rows)
