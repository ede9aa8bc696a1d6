"""What can be wrong with labelled texts: too little said, said twice, said wrong by a program, told by its label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.texts_check import copies_across, in_rare_scripts, near_copies
from snowroll.prepare.view import View, count

FEWEST = 60  # labelled texts, below which their lengths tell nothing
TOLD = 0.3  # of the way from chance to certainty that the length alone goes before it is told. A guess
LEAK = 0.9  # of the texts that name a class must be of it, and of the class that share is told
LEAK_SHARE = 0.3
MIXED = 0.3  # of a text's letters in a second script


def text_faults(view: View) -> Iterable[Fault]:
    """One Fault a family."""
    rows = view.readable()
    yield from _one_word(view, rows)
    yield from _conflicts(view, rows)
    yield from copies_across(view, rows, "text")
    yield from _encodings(view, rows)
    yield from _controls(view, rows)
    yield from _lengths(view, rows)
    yield from in_rare_scripts(view, rows, "text")
    yield from _mixed(view, rows)


def _one_word(view: View, rows: list[int]) -> Iterator[Fault]:
    words = np.array([_own(view, row, "words") for row in rows])
    found = [row for row, n in zip(rows, words, strict=True) if n < 2]
    if found and np.median(words) >= 3:  # of names and queries one word is all there is
        message = f"{count(len(found), 'text')} of one word: {view.names(found)}"
        cure = "look at them; leave out what was cut off"
        yield view.fault("one_word", "note", found, message, cure, 0.8, view.leave_out(found))


def _conflicts(view: View, rows: list[int]) -> Iterator[Fault]:
    """Texts that are alike but for case, marks and a few words, under different labels. Identical ones are told of by
    the checks of all files."""
    pairs = [
        (a, b)
        for a, b in near_copies(view, rows)
        if view.samples[a].content != view.samples[b].content
        and view.labels[a] is not None
        and view.labels[b] is not None
        and view.labels[a] != view.labels[b]
        and min(_own(view, a, "words"), _own(view, b, "words")) >= 4
    ]
    if pairs:
        found = sorted({row for pair in pairs for row in pair})
        told = "; ".join(
            f"{view.where(a)} ('{view.labels[a]}') and {view.where(b)} ('{view.labels[b]}')" for a, b in pairs[:2]
        )
        message = f"{count(len(pairs), 'pair')} of nearly the same text under different labels: {told}"
        cure = "at least one label of each is wrong: correct it"
        yield view.fault("conflicting_labels_near", "warn", found, message, cure, 0.9, view.ask(found))


def _encodings(view: View, rows: list[int]) -> Iterator[Fault]:
    broken = [row for row in rows if _own(view, row, "broken")]
    if broken:
        message = f"{count(len(broken), 'text')} with letters broken by a wrong encoding (Ã©, â€™, \ufffd): "
        message += view.names(broken)
        cure = "write them anew from the source, read in its own encoding"
        yield view.fault("broken_encoding", "warn", broken, message, cure, 0.9)
    western = [row for row in rows if _own(view, row, "western")]
    if western:
        message = f"{count(len(western), 'text')} not UTF-8, read as Windows-1252: {view.names(western)}"
        cure = "see whether their letters are right; save them as UTF-8 if another encoding was meant"
        yield view.fault("not_utf8", "note", western, message, cure, 0.9)


def _controls(view: View, rows: list[int]) -> Iterator[Fault]:
    found = [row for row in rows if _own(view, row, "control")]
    if found:
        message = f"{count(len(found), 'text')} with control characters: {view.names(found)}"
        yield view.fault("control_characters", "note", found, message, "remove them", 0.8, view.leave_out(found))


def _lengths(view: View, rows: list[int]) -> Iterator[Fault]:
    """The length alone tells the label: it may be how the texts were collected rather than what they say."""
    rows = [row for row in rows if view.labels[row] in view.classes]
    names, labels = np.unique([view.labels[row] or "" for row in rows], return_inverse=True)
    if len(rows) < FEWEST or len(names) < 2:
        return
    sizes = np.array([_own(view, row, "characters") for row in rows])
    place = np.searchsorted(np.unique(np.quantile(sizes, np.linspace(0, 1, 17)[1:-1])), sizes, "right")
    half, right = np.random.default_rng(0).permutation(len(rows)) % 2, np.zeros(len(rows))
    weight = 1 / np.bincount(labels)
    for side in (0, 1):
        table = np.zeros((place.max() + 1, len(names)))
        np.add.at(table, (place[half != side], labels[half != side]), weight[labels[half != side]])
        right[half == side] = table[place[half == side]].argmax(axis=1) == labels[half == side]
    each = np.array([right[labels == number].mean() for number in range(len(names))])
    gain = (each.mean() - 1 / len(names)) / (1 - 1 / len(names))
    if gain < TOLD:
        return
    medians = {str(name): float(np.median(sizes[labels == number])) for number, name in enumerate(names)}
    ends = sorted(medians, key=lambda name: medians[name])
    message = (
        f"the length alone tells the label: {each.mean():.0%} of each class on average, where a guess gets "
        f"{1 / len(names):.0%} (median {medians[ends[0]]:,.0f} characters of '{ends[0]}', {medians[ends[-1]]:,.0f} of "
        f"'{ends[-1]}')"
    )
    cure = "nothing, if that is in their nature; else collect the classes' texts in the same way"
    yield view.fault("length_tells_label", "note", [], message, cure, min(1.0, gain + 0.4))


def _mixed(view: View, rows: list[int]) -> Iterator[Fault]:
    """Texts of two scripts where most are of one."""
    found = []
    for row in rows:
        look = view.looks[row]
        told = sorted((n for name, n in look.own.items() if name.startswith("of_")) if look else (), reverse=True)
        if len(told) > 1 and told[1] > MIXED * sum(told) and sum(told) >= 8:
            found.append(row)
    if found and len(found) < 0.2 * len(rows):
        message = f"{count(len(found), 'text')} of two scripts: {view.names(found)}"
        yield view.fault("mixed_scripts", "note", found, message, "see whether two texts ran together", 0.6)


def _own(view: View, row: int, name: str) -> float:
    look = view.looks[row]
    return look.own.get(name, 0.0) if look else 0.0
