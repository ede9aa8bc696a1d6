"""What can be wrong with pairs of sentences: not translated, not of each other, in another language, numbers lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.names import whole_of
from snowroll.prepare.texts import is_control, letter_pairs, scripts
from snowroll.prepare.view import View, count
from snowroll.tasks.translate.copied import numbers_in
from snowroll.tasks.translate.looking import NUMBERS, mark_of
from snowroll.tasks.translate.shifted import shifted

FAR = 6.0  # robust standard deviations of the logarithm of the lengths' ratio. A guess
RATIO = 2.5  # and at least this many times the usual one
RARE = 0.02  # share of the letters below which a script is a stranger. A guess
MIXED = 0.2  # of a sentence's letters in a second script
FOREIGN = 0.5  # of the usual margin, by which a text must be likelier in the other language. A guess
SHORT = 20  # characters below which a text tells no language
TOLD_APART = 0.95  # share of the texts that must be likelier in their own language


def pair_faults(view: View) -> Iterable[Fault]:
    """One Fault a family."""
    rows = [row for row in view.readable() if isinstance(view.samples[row].target, str)]
    targets = {row: str(view.samples[row].target) for row in rows}
    yield from _untranslated(view, targets)
    yield from _shifted(view, targets)
    yield from _lengths(view, targets)
    yield from _numbers(view, targets)
    yield from _scripts(view, targets)
    yield from _languages(view, targets)
    yield from _controls(view, targets)
    yield from _across(view, targets)


def _untranslated(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    found = [row for row, target in targets.items() if _own(view, row, "said") == mark_of(target)]
    found = [row for row in found if _own(view, row, "words") > 2]  # a name is its own translation
    if found:
        message = f"{count(len(found), 'sentence')} not translated, source and target say the same: {view.names(found)}"
        cure = "translate them, or leave them out"
        yield view.fault("not_translated", "warn", found, message, cure, 0.9, view.leave_out(found))


def _lengths(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    """Pairs whose lengths fit far worse than those of most: another sentence, or a part of it."""
    if len(targets) < 20:
        return
    rows = np.array(list(targets))
    logs = np.array(
        [np.log((len(target) + 5) / (_own(view, row, "characters") + 5)) for row, target in targets.items()]
    )
    usual = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - usual)))
    odd = np.abs(logs - usual) > max(FAR * spread, float(np.log(RATIO)))
    found = [int(row) for row in rows[odd][np.argsort(-np.abs(logs[odd] - usual))]]
    if found:
        message = f"{count(len(found), 'pair')} of lengths that do not fit, the worst first: {view.names(found)}"
        cure = "see whether they belong together; from the first one on, lines may be shifted"
        yield view.fault("lengths_apart", "warn", found, message, cure, 0.8, view.leave_out(found))


def _shifted(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    """A stretch of a file of lines where translations stand a few lines further on."""
    files: dict[str, dict[int, int]] = defaultdict(dict)  # file -> line -> row
    for row in targets:
        file, name = whole_of(view.where(row))
        number = name.rpartition("/")[2]
        if number.isdecimal():
            files[file][int(number)] = row
    for file, by_line in files.items():
        lines = sorted(by_line)
        rows = [by_line[line] for line in lines]
        sources = np.array([_own(view, row, "characters") for row in rows])
        found = shifted(np.array(lines), sources, np.array([len(targets[row]) for row in rows]))
        if found is None:
            continue
        some = [row for line, row in by_line.items() if found.first <= line <= found.last]
        further = f"{count(abs(found.by), 'line')} further {'down' if found.by > 0 else 'up'}"
        message = (
            f"{file}: from about line {found.first:,} to {found.last:,} lengths fit far better with the translation "
            f"{further}: the lines are shifted"
        )
        cure = "look there for a line that is missing, or there twice, on one side; or leave the stretch out"
        yield view.fault("lines_shifted", "warn", some, message, cure, 0.9, view.leave_out(some))


def _numbers(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    """Numbers of two digits and more that the translation does not have."""
    found = []
    for row, target in targets.items():
        asked = [_own(view, row, f"number{place}") for place in range(NUMBERS)]
        there = {float(f"{len(number)}{number}") for number in numbers_in(target) if len(number) <= 15}
        if any(number >= 200 and number not in there for number in asked):
            found.append(row)
    if found:
        message = f"{count(len(found), 'pair')} with a number that the translation has not: {view.names(found)}"
        cure = "correct them; a number written out in words is no fault"
        yield view.fault("numbers_lost", "note", found, message, cure, 0.6)


def _scripts(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    """Sentences in a script that is rare on their side, and sentences of two scripts."""
    of_target = {row: scripts(target) for row, target in targets.items()}
    of_source = {row: _scripts_of(view, row) for row in targets}
    for side, found_of in (("source", of_source), ("translation", of_target)):
        totals: Counter[str] = Counter()
        for told in found_of.values():
            totals.update({name: int(n) for name, n in told.items()})
        whole = sum(totals.values())
        rare = {name for name, n in totals.items() if n < RARE * whole}
        strange = [
            row
            for row, told in found_of.items()
            if sum(told.get(name, 0) for name in rare) > 0.5 * sum(told.values()) > 0
        ]
        if strange:
            message = f"{count(len(strange), side)} in a script that is rare there: {view.names(strange)}"
            cure = "see whether it is the right language; leave them out if not"
            yield view.fault(f"rare_script_{side}", "warn", strange, message, cure, 0.8, view.leave_out(strange))
        mixed = [row for row, told in found_of.items() if row not in strange and _second(told) > MIXED]
        if mixed:
            message = f"{count(len(mixed), side)} of two scripts: {view.names(mixed)}"
            cure = "letters that look alike may have been mixed up: type them again"
            yield view.fault(f"mixed_scripts_{side}", "note", mixed, message, cure, 0.6)


def _second(told: dict[str, float]) -> float:
    """The share of a sentence's second script; Japanese is written in two."""
    shares = dict(told)
    shares["of_han"] = shares.pop("of_kana", 0.0) + shares.get("of_han", 0.0)
    ranked = sorted(shares.values(), reverse=True)
    return ranked[1] / sum(ranked) if len(ranked) > 1 and sum(ranked) >= 10 else 0.0


def _languages(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    """Texts whose pairs of letters are those of the other side's language.

    Each side's pairs are counted over all of its texts; which side a text is likelier of is told by them alone (naive
    Bayes; after Cavnar & Trenkle 1994). Languages that are written alike are not told apart, and nothing is said.
    """
    if len(targets) < 50:
        return
    rows = list(targets)
    sources = view.thumbnails(rows)[..., 0].reshape(len(rows), -1).astype(np.float32)
    pairs = np.stack([letter_pairs(targets[row])[..., 0].ravel() for row in rows]).astype(np.float32)
    usual = [np.log((side.sum(axis=0) + 1) / (side.sum() + side.shape[1])) for side in (sources, pairs)]
    sides = (("source", sources, usual[0] - usual[1]), ("translation", pairs, usual[1] - usual[0]))
    for name, texts, likelier in sides:
        score = texts @ likelier / np.maximum(1, texts.sum(axis=1))
        long = np.array([len(targets[row]) >= SHORT for row in rows])
        if float(np.mean(score[long] > 0)) < TOLD_APART if long.any() else True:
            continue
        odd = np.flatnonzero(long & (score < -FOREIGN * float(np.median(score[long]))))
        if len(odd):
            found = [rows[place] for place in odd[np.argsort(score[odd], kind="stable")]]
            message = f"{count(len(found), name)} in the letters of the other language: {view.names(found)}"
            cure = "see whether source and translation are exchanged, or never translated; leave them out"
            yield view.fault(f"other_language_{name}", "warn", found, message, cure, 0.8, view.leave_out(found))


def _controls(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    found = [row for row, target in targets.items() if _own(view, row, "control") or any(map(is_control, target))]
    if found:
        message = f"{count(len(found), 'pair')} with control characters: {view.names(found)}"
        yield view.fault("control_characters", "note", found, message, "remove them", 0.9, view.leave_out(found))


def _across(view: View, targets: dict[int, str]) -> Iterator[Fault]:
    """Sentences that are learnt from and judged on in the same words, but for case and marks."""
    alike: dict[float, list[int]] = defaultdict(list)
    for row in targets:
        alike[_own(view, row, "said")].append(row)
    found, told = [], []
    for rows in alike.values():
        contents = {view.samples[row].content for row in rows}
        splits = {view.splits[row] for row in rows} - {None}
        if len(contents) > 1 and "train" in splits and len(splits) > 1:
            found += [row for row in rows if view.splits[row] == "train"]
            told.append(", ".join(f"{view.where(row)} ({view.splits[row]})" for row in rows[:3]))
    if found:
        message = f"{count(len(found), 'sentence')} to learn from in the words of another split: {'; '.join(told[:2])}"
        cure = "leave them out of what is learnt from"
        yield view.fault("copies_but_for_case", "warn", found, message, cure, 0.9, view.leave_out(found))


def _scripts_of(view: View, row: int) -> dict[str, float]:
    look = view.looks[row]
    return {name: n for name, n in look.own.items() if name.startswith("of_")} if look else {}


def _own(view: View, row: int, name: str) -> float:
    look = view.looks[row]
    return look.own.get(name, 0.0) if look else 0.0
