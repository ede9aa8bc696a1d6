"""Labels of anomalies that lie beside the series, in files of their own: stretches of time by file as JSON, as NAB has
them, or a file of zeros and ones for each series, a line a row, in a folder that is called after labels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from snowroll.prepare.read import Folder
from snowroll.tasks.forecast.clocks import read_times
from snowroll.tasks.forecast.recordings import Recording

_LARGEST = 64 << 20  # bytes of a JSON file
_SAYS_LABEL = re.compile(r"[ _.-]*(labels?|anomal(y|ies))[ _.-]*", re.IGNORECASE)
_SAYS_CLASS = re.compile(r"(y|labels?|class(es)?|targets?|activit(y|ies))([ _.-]|$)", re.IGNORECASE)
Every = list[tuple[str, Recording]]


def with_labels_beside(folder: Folder, every: Every) -> tuple[Every, dict[str, str]]:
    """(the series with their labels, without the files that are labels; these -> what they are)."""
    every, used = _by_rows(every)
    stretches, file = _stretches(folder, [where for where, _ in every])
    if not stretches:
        return every, used
    found = [(where, _marked(one, stretches[where], file) if where in stretches else one) for where, one in every]
    return found, {**used, file: "labels of anomalies, which are read"}


def classes_beside(every: Every) -> dict[str, str]:
    """Rows without a time -> the file that tells the class of each, line by line, in their folder or above it: such
    rows are no steps of a series. As X_train.txt and y_train.txt lie beside each other.
    """
    labels = {
        where: one
        for where, one in every
        if _SAYS_CLASS.match(_name(where)) and one.values.shape[1] == 1 and not one.told.get("time")
    }
    found: dict[str, str] = {}
    for where, one in every:
        if where in labels or one.told.get("time") or one.values.shape[1] < 2:
            continue
        homes = {_home(where), _home(where).rpartition("/")[0]}
        its = [name for name, own in labels.items() if _home(name) in homes and len(own.values) == len(one.values)]
        found |= {where: min(its)} if its else {}
    return found


def _by_rows(every: Every) -> tuple[Every, dict[str, str]]:
    """A file of zeros and ones goes with the series of its name and length, from test_label/ with that of test/."""
    labels = {where: one for where, one in every if _SAYS_LABEL.search(_home(where)) and _are_flags(one)}
    owners = {where: _owner(where, one, every, labels) for where, one in labels.items()}
    of = {owner: where for where, owner in owners.items() if owner}
    found = []
    for where, one in every:
        if where in of:
            marks = labels[of[where]].values[:, 0].astype(np.int8)
            one = replace(one, marks=marks, told={**one.told, "marks": of[where], "beside": True})
        if where not in of.values():
            found.append((where, one))
    return found, dict.fromkeys(of.values(), "labels of anomalies, which are read")


def _owner(where: str, labels: Recording, every: Every, others: Mapping[str, Recording]) -> str | None:
    alike = [
        other
        for other, one in every
        if other not in others and _name(other) == _name(where) and len(one.values) == len(labels.values)
    ]
    wanted = _SAYS_LABEL.sub("", _home(where).rpartition("/")[2]).lower()
    near = [other for other in alike if _home(other).rpartition("/")[2].lower() == wanted] if wanted else alike
    return near[0] if len(near) == 1 else None


def _are_flags(one: Recording) -> bool:
    return one.values.shape[1] == 1 and bool(np.isin(one.values, (0, 1)).all()) and one.marks is None


def _stretches(folder: Folder, series: Sequence[str]) -> tuple[dict[str, list[list[str]]], str]:
    """(series -> [first and last time of each anomaly], the file that tells them). What tells stretches is taken rather
    than what tells moments."""
    names = [entry.where for entry in folder.entries() if entry.where.lower().endswith(".json")]
    small = {entry.where for entry in folder.entries() if entry.size <= _LARGEST}
    best: tuple[dict[str, list[list[str]]], str] = {}, ""
    for where, raw in folder.stream([name for name in names if name in small]):
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        found = {}
        for name, spans in told.items() if isinstance(told, dict) else ():
            its = [one for one in series if f"/{one}".replace("!", "/").endswith(f"/{name}")]
            if len(its) == 1 and isinstance(spans, list) and all(map(_is_stretch, spans)):
                found[its[0]] = spans
        if sum(map(len, found.values())) and len(found) > len(best[0]):
            best = found, where
    return best


def _is_stretch(span: object) -> bool:
    return isinstance(span, list) and len(span) == 2 and all(isinstance(word, str) for word in span)


def _marked(one: Recording, spans: Sequence[Sequence[str]], file: str) -> Recording:
    times = read_times([word for span in spans for word in span]) if spans else None
    marks = np.zeros(len(one.values), np.int8)
    if not one.dated or (spans and times is None):
        return one
    at = np.array([one.at(row) for row in range(len(marks))])
    for first, last in times.seconds.reshape(-1, 2) if times else ():
        marks[(at >= first) & (at <= last)] = 1
    return replace(one, marks=marks, told={**one.told, "marks": file, "beside": True})


def _home(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[0]


def _name(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[2].lower()
