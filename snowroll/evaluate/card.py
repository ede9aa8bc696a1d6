"""What a run leaves besides its report: one line in results.tsv, and the model card that travels with the weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from snowroll.base.nouns import Json, Report
from snowroll.evaluate.background import Background
from snowroll.evaluate.metrics import LABELS
from snowroll.evaluate.opening import figure, label

COLUMNS = (
    "run", "at", "version", "metric", "value", "low", "high", "n", "seconds", "peak_mb", "parameters", "gates",
    "verdict", "changed",
)  # fmt: skip


def results_row(report: Report, *, at: str, verdict: str = "", changed: str = "") -> str:
    """One line of results.tsv, in the order of `COLUMNS`, without the line end.

    at: when, in ISO 8601; verdict: the promotion test's outcome; changed: what differs from the run before.
    """
    metric = report.metric
    passed = sum(gate.passed for gate in report.gates)
    cells = (
        report.run, at, report.version, report.headline, f"{metric.value:.4f}", f"{metric.low:.4f}",
        f"{metric.high:.4f}", metric.n, *(_cost(report, name) for name in ("seconds", "peak_mb", "parameters")),
        f"{passed}/{len(report.gates)}", verdict, changed,
    )  # fmt: skip
    # a tab or a line end inside a cell would shift every later column
    return "\t".join(re.sub(r"\s+", " ", str(cell)).strip() for cell in cells)


def card(
    report: Report,
    background: Background,
    *,
    name: str,
    pipeline: str,
    inputs: str,
    licence: str = "",
    usage: Sequence[str] = (),
    cautions: Sequence[str] = (),
) -> str:
    """README.md of a model folder, with the front matter that model hubs read.

    pipeline: the hub's word for the task ("image-classification"); inputs: what goes in and what is done to it;
    cautions: what the model must not be used for.
    """
    front: dict[str, Json] = {
        "library_name": "snowroll",
        "pipeline_tag": pipeline,
        **({"license": licence} if licence else {}),
        "model-index": [{"name": name, "results": [_result(report, background, pipeline)]}],
    }
    # JSON is YAML, so nothing written by a stranger can break out of its quotes
    lines = ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()), "---", ""]
    metric = report.metric
    lines += [
        f"# {_plain(name)}",
        "",
        f"{_begin(label(report.headline))} {figure(report.headline, metric.value)} "
        f"(95 % interval {figure(report.headline, metric.low)} to {figure(report.headline, metric.high)}, "
        f"n = {metric.n:,}), measured on {_plain(background.measured_on)}.",
        *([f"{_plain(background.in_short)}."] if background.in_short else []),
        "",
    ]
    if usage:
        lines += ["## Use", "", "```", *usage, "```", ""]
    if cautions:
        lines += ["## Must not be used for", "", *(f"- {_plain(one)}" for one in cautions), ""]
    lines += ["## Input", "", _plain(inputs), ""]
    if background.classes:
        lines += ["## Classes", "", ", ".join(_plain(one) for one in background.classes), ""]
    lines += ["## Scores", "", *_scores(report), "", "## Limits", "", *_limits(report, background), ""]
    lines += ["## Made", "", *(f"- {_plain(key)}: {_plain(value)}" for key, value in background.made.items())]
    lines += [f"- run: {report.run}", f"- data version: {report.version}", ""]
    return "\n".join(lines)


def _begin(name: str) -> str:
    """As a sentence begins; mAP50 is no Map50."""
    return name if name[1:2].isupper() else name.capitalize()


def _cost(report: Report, name: str) -> str:
    return f"{report.costs[name]:.6g}" if name in report.costs else ""


def _result(report: Report, background: Background, pipeline: str) -> Mapping[str, Json]:
    metrics = [
        {"type": key, "value": round(metric.value, 4), "name": f"{LABELS.get(key, key)}, 95 % interval "
         f"{metric.low:.4f} to {metric.high:.4f}, n = {metric.n}"}
        for key, metric in report.metrics.items()
    ]  # fmt: skip
    data = {"name": background.measured_on, "type": "private", "revision": report.version}
    return {"task": {"type": pipeline}, "dataset": data, "metrics": metrics}


def _scores(report: Report) -> list[str]:
    rows = ["| metric | value | 95 % interval | n |", "|---|---:|---|---:|"]
    for key, metric in report.metrics.items():
        span = f"{figure(key, metric.low)} to {figure(key, metric.high)}"
        rows.append(f"| {_plain(label(key))} | {figure(key, metric.value)} | {span} | {metric.n:,} |")
    return rows


def _limits(report: Report, background: Background) -> list[str]:
    """What the numbers say the model is bad at, so that nobody has to ask."""
    said = [f"- Worse than elsewhere on {_plain(str(one['slice']))}." for one in report.slices if one["worse"]]
    said += [f"- Gate '{_plain(gate.name)}' {_plain(gate.verdict)}." for gate in report.gates if not gate.passed]
    if background.recall:
        worst, metric = min(background.recall.items(), key=lambda pair: pair[1].value)
        low, high = figure("recall", metric.low), figure("recall", metric.high)
        found = f"{figure('recall', metric.value)} ({low} to {high}, n = {metric.n:,})"
        said.append(f"- Class found least often: {_plain(worst)}, {found}.")
    return [
        *said,
        "- Measured on data like that it was trained on; elsewhere, measure first: `snowroll eval --data DIR`.",
    ]


def _plain(text: str) -> str:
    """Text that Markdown leaves alone: one line, and no character that starts a tag, a link or a cell."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", re.sub(r"\s+", " ", text))
