"""How a report opens: the verdict in plain words, and figures as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from snowroll.base.nouns import Report
from snowroll.evaluate.background import Background
from snowroll.evaluate.compare import Verdict, signed_points
from snowroll.evaluate.metrics import LABELS

PLAIN = frozenset(
    {
        "nll", "brier", "kappa", "j_kappa", "HD95 px", "HD95 mm", "skill", "mase", "rmsse", "smape", "r2", "mae",
        "rmse", "median_ae", "width", "nats_per_character", "bits_per_character", "nats_per_token", "perplexity",
    }
)  # fmt: skip  # metrics that are no share of anything, so no per cent
PAST_ONE = frozenset({"letters_right", "words_right", "letters_added"})  # shares of errors, which may be more than all


@dataclass(frozen=True, slots=True)
class Opening:
    """The first thing one reads."""

    word: str  # on the pill
    mood: str  # good, bad, ember or ""
    sentence: str
    detail: str = ""


def opening(report: Report, background: Background) -> Opening:
    """The verdict in plain words. A failed gate outweighs every number."""
    metric, name = report.metric, label(report.headline)
    measured = (
        f"{name} is {figure(report.headline, metric.value)} (95 % interval {figure(report.headline, metric.low)} to "
        f"{figure(report.headline, metric.high)}, n = {metric.n:,}), measured on {background.measured_on}."
    )
    failed = [gate.name for gate in report.gates if gate.stops]
    if failed:
        what = f"{_list(failed)} failed, so no number here can be relied on"
        return Opening("GATE FAILED", "bad", f"Do not use this model: {what}. For the record, {measured}")
    for gate in report.gates:
        if gate.accepted:
            measured += f" It failed gate '{gate.name}', which was accepted: {gate.accepted}."
    if background.verdict:
        return _promotion(background.verdict, background.credit or name, measured, background.measured_on)
    sentence = measured if name[1:2].isupper() else measured[0].upper() + measured[1:]  # mAP50 is no Map50
    if background.floor is not None:
        floor = figure(report.headline, background.floor)
        if metric.low <= background.floor:
            alas = f"It cannot be told from {background.floor_of} ({floor})."
            than = re.split(r" that | \(", background.floor_of)[0].upper()
            return Opening(f"NO BETTER THAN {than}", "bad", f"{sentence} {alas}")
        sentence += f" {background.floor_of[0].upper()}{background.floor_of[1:]} would make {floor}."
    return Opening("MEASURED", "", sentence)


_OUTCOMES = {
    "PROMOTED": ("good", "The new model replaces the old one"),
    "REFUSED": ("bad", "The old model stays, the new one is refused"),
    "CANNOT TELL YET": ("ember", "The old model stays for now; these samples cannot tell which is better"),
}


def _promotion(verdict: Verdict, name: str, measured: str, measured_on: str) -> Opening:
    mood, outcome = _OUTCOMES[verdict.outcome]
    found = verdict.difference
    change, low, high = (signed_points(share) for share in (found.value, found.low, found.high))
    sentence = (
        f"{outcome}: {change} points of {name} (95 % interval {low} to {high}, n = {found.n:,}), "
        f"measured on {measured_on}."
    )
    # what both were measured on has just been said
    own = measured.removesuffix(f", measured on {measured_on}.")
    return Opening(verdict.outcome, mood, sentence, f"Why: {verdict.reason} The new model's {own}.")


def label(name: str) -> str:
    """A metric's name as people say it."""
    return LABELS.get(name, name.replace("_", " "))


def figure(name: str, value: float) -> str:
    """A metric's value as people read it.

    >>> figure("accuracy", 0.9639), figure("nll", 0.1234), figure("mae", 12345.678), figure("mae", 0.000123)
    ('96.4 %', '0.123', '12,346', '0.000123')
    >>> figure("kappa", 0.254), figure("kappa", -0.451), figure("letters_right", -0.2)
    ('0.254', '-0.451', '-20.0 %')
    """
    if name in PAST_ONE or (name not in PLAIN and 0 <= value <= 1):
        return f"{100 * value:.1f} %"
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) >= 0.01 or not value else f"{value:.3g}"


def _list(names: Sequence[str]) -> str:
    quoted = [f"gate '{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
