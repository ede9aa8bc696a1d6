"""What people said of the samples that are there now, in today's words: answers follow files that moved and classes
that have another name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from snowroll.base.nouns import Json, Sample, canonical
from snowroll.project.opened import Opened
from snowroll.store.rows import Label

MOVED = 5  # files of a class that went to one other: fewer may have been labelled wrongly. A guess


@dataclass(frozen=True, slots=True)
class Said:
    """People's latest answers about samples."""

    labels: Mapping[str, Label]  # sample id -> its latest answer
    renamed: Mapping[str, str]  # a class that people named -> what the folder calls it by now


def said_now(opened: Opened, samples: Iterable[Sample]) -> Said:
    """The answers about these samples, which are all that are there.

    A file that was moved is another sample: what was said of it counts still, unless the folder says something else of
    it by now. A class whose files now lie in one other folder is called like that.
    """
    catalog = opened.store.catalog
    said = catalog.labels()
    if not said:
        return Said({}, {})
    there, retired = {sample.id: sample for sample in samples}, catalog.retired()
    before = {_mark(retired[name]): label for name, label in said.items() if name in retired}
    labels = {name: label for name, label in said.items() if name in there}
    for sample in there.values() if before else ():
        if sample.id not in labels and (label := before.get(_mark(sample))) is not None:
            labels[sample.id] = replace(label, sample=sample.id)
    renamed = _renamed(
        opened,
        there.values(),
        retired.values(),
        {label.target for label in labels.values() if isinstance(label.target, str)},
    )
    return Said({name: _in_words_of_today(label, renamed) for name, label in labels.items()}, renamed)


def _mark(sample: Sample) -> str:
    """What a sample keeps where only its file was moved."""
    return canonical([sample.content, sample.target])


def _renamed(opened: Opened, there: Iterable[Sample], retired: Iterable[Sample], named: set[str]) -> dict[str, str]:
    """Of the named classes those that no file bears any more, since all lie under one other name."""
    given: dict[str, set[str]] = defaultdict(set)  # content -> classes
    for sample in there:
        if sample.origin == "collected" and isinstance(sample.target, str):
            given[sample.content].add(sample.target)
    gone = named - set().union(*given.values()) - set(opened.prepare.labels)
    went: dict[str, list[str]] = {name: [] for name in gone}
    for sample in retired if gone else ():
        if sample.target in gone:
            went[sample.target] += given.get(sample.content, ())
    return {name: to[0] for name, to in went.items() if len(to) >= MOVED and len({*to}) == 1}


def _in_words_of_today(label: Label, renamed: Mapping[str, str]) -> Label:
    target: Json = label.target
    return replace(label, target=renamed[target]) if isinstance(target, str) and target in renamed else label
