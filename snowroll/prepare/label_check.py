"""Faults of the labels as such: unknown ones, too few, too uneven, one class only. Wrong ones: suspects.py."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import combinations, groupby

from snowroll.base.errors import did_you_mean
from snowroll.base.listing import few
from snowroll.base.nouns import Fault
from snowroll.prepare.class_folders import folder_levels
from snowroll.prepare.view import View, count

_FEW = 10  # below it, validation and test together hold about three of a class: no statement can be made
_DOES = {"test": "judged on", "val": "used to choose"}
_EXPECTED = 3  # samples of a class that a split would have by its share, below which none is no wonder
_STRETCH = 50  # samples with a time; fewer show no stretch
_HARDLY = 1e-4  # times that a stretch of one label would come about by chance
# a point between digits; a minus before a number, between digits or at either end; a "not" before a name
_SIGN = re.compile(r"(?<=\d)[.-](?=\d)|(?<!\w)-(?=\d)|^[-!](?=\w)|(?<=\w)-$")
_UNEVEN = 10  # the largest class over the smallest


def label_faults(view: View) -> list[Fault]:
    """Only for targets that are a choice among classes; other targets are their task's business."""
    if not view.classes:
        return []
    return [
        *_unknown(view),
        *_one_class(view),
        *_spelt_twice(view),
        *_few(view),
        *_uneven(view),
        *_unjudged(view),
        *_mixed_depths(view),
        *_stuck(view),
    ]


def _rows_by_label(view: View) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(view.labels):
        if label is not None:
            rows.setdefault(label, []).append(row)
    return rows


def _unknown(view: View) -> Iterator[Fault]:
    for label, rows in _rows_by_label(view).items():
        if label not in view.classes:
            message = (
                f"{count(len(rows), 'sample')} labelled '{label}', which is none of the {len(view.classes)} classes"
            )
            cure = did_you_mean(label, list(view.classes))
            yield view.fault("unknown_label", "block", rows, message, cure, fix=view.leave_out(rows))


def _one_class(view: View) -> Iterator[Fault]:
    present = _rows_by_label(view)
    if len(present) == 1:
        (label, rows), *_ = present.items()
        message = f"all {len(rows):,} labelled samples are of one class, '{label}': there is nothing to tell apart"
        yield view.fault("one_class", "block", rows[:1], message, f"add {view.kind}s of at least one other class")


def _spelt_twice(view: View) -> Iterator[Fault]:
    """Two classes that are one: names that differ in case, blanks or accents; a rare one that is a slip of another."""
    rows = _rows_by_label(view)
    plain = {name: plain_name(name) for name in rows}
    for one, other in combinations(sorted(rows, key=lambda name: -len(rows[name])), 2):
        is_same = plain[one] == plain[other]
        if is_same or (len(rows[other]) * 10 < len(rows[one]) and _is_slip(plain[one], plain[other])):
            message = (
                f"'{one}' ({len(rows[one]):,}) and '{other}' ({len(rows[other]):,}) look like one class spelt twice"
            )
            cure = f"give both one name, or leave it if they differ: rename '{other}' to '{one}'"
            confidence = 0.9 if is_same else 0.7
            is_folder = _within_class(view.where(rows[other][0]), other) is not None
            code = "class_names_alike" if is_folder else "labels_alike"
            yield view.fault(code, "warn", rows[other], message, cure, confidence, view.ask(rows[other]))


def plain_name(name: str) -> str:
    """A name without case, accents, blanks and marks; those that say something, signs and operators, are left.

    >>> [plain_name(name) for name in (" Café-noir", "cafe_Noir ", "3.0", "03", "12345678", "1_0", "type-1")]
    ['cafenoir', 'cafenoir', '3', '3', '12345678', '10', 'type1']
    >>> [plain_name(name) for name in ("<=50K.", ">50K", "-1", "A-", "1.5", "10-19")]
    ['<=50k', '>50k', '-1', 'a-', '1.5', '10-19']
    """
    if (number := re.fullmatch(r"\s*0*(\d+)(?:\.0+)?\s*", name)) is not None:
        return number[1]
    folded = unicodedata.normalize("NFKD", name.strip()).casefold()
    return "".join(
        c
        for place, c in enumerate(folded)
        if c.isalnum() or c in "#*%^" or unicodedata.category(c) == "Sm" or _SIGN.match(folded, place)
    )


def _is_slip(one: str, other: str) -> bool:
    """Whether two words of five letters or more are one slip apart; digits and signs are no slips.

    >>> _is_slip("cardboard", "cardbaord"), _is_slip("cardboard", "cardbord"), _is_slip("class10", "class11")
    (True, True, False)
    >>> _is_slip("income<=50k", "income>=50k")
    False
    """
    letters = min(len(one), len(other))
    if letters < 5 or [c for c in one if not c.isalpha()] != [c for c in other if not c.isalpha()]:
        return False
    same = sum(block.size for block in SequenceMatcher(None, one, other).get_matching_blocks())
    return max(len(one), len(other)) - same <= 1


def _unjudged(view: View) -> Iterator[Fault]:
    """A class that is judged on and never learnt, or the reverse."""
    places: dict[str | None, dict[str, list[int]]] = {"train": {}, "val": {}, "test": {}}
    for row, (label, split) in enumerate(zip(view.labels, view.splits, strict=True)):
        if label is not None and split in places:
            places[split].setdefault(label, []).append(row)
    for split in ("test", "val"):
        n, learnt = (sum(map(len, places[one].values())) for one in (split, "train"))
        if not n or not learnt:
            continue
        for here, there, words in (
            (split, "train", f"is {_DOES[split]} and never learnt from"),
            ("train", split, f"is learnt from and never {_DOES[split]}"),
        ):
            for label in sorted(places[here].keys() - places[there].keys()):
                rows = places[here][label]
                if here == "train" and split == "val" and n * len(rows) < _EXPECTED * learnt:
                    continue  # too rare to be missed among so few
                message = f"class '{label}' {words}: {count(len(rows), 'sample')} in {here}, none in {there}"
                cure = "put some of it into the other split, or take it out; a misspelt name does this too"
                yield view.fault("class_in_one_split", "warn", rows, message, cure)


def _learnt(view: View) -> list[int]:
    """Rows of the training split, or all where nothing is split yet."""
    rows = [row for row, split in enumerate(view.splits) if split == "train"]
    return rows or list(range(len(view)))


def _within_class(where: str, label: str) -> tuple[str, ...] | None:
    """The folders between the sample and the first that is called as its class; None without such a folder.

    >>> _within_class("train/cat/2024/1.jpg", "cat"), _within_class("cat/1.jpg", "cat"), _within_class("1.jpg", "cat")
    (('2024',), (), None)
    """
    folders = folder_levels(where)
    return folders[folders.index(label) + 1 :] if label in folders else None


def _mixed_depths(view: View) -> Iterator[Fault]:
    """Classes with samples in their folder and others in folders within it, or in a folder of its own name again."""
    deeper: dict[str, list[int]] = {}
    inner: set[str] = set()
    for label, rows in _rows_by_label(view).items():
        within = {row: _within_class(view.where(row), label) for row in rows}
        if () in within.values():
            deeper[label] = [row for row, folders in within.items() if folders]
        else:
            deeper[label] = [row for row, folders in within.items() if folders and folders[0] == label]
        inner |= {folders[0] for row in deeper[label] if (folders := within[row])}
    rows = [row for some in deeper.values() for row in some]
    if rows:
        named = few([f"'{label}' ({len(some):,})" for label, some in deeper.items() if some])
        message = (
            f"{count(len(rows), 'sample lies', 'samples lie')} in a folder within its class folder: {named}; "
            "read as of the outer one, and by other loaders perhaps not at all"
        )
        strange = sorted(inner & set(view.classes) - {label for label, some in deeper.items() if some})
        if strange:
            message += f". A folder called '{strange[0]}' is a class elsewhere: was it dropped there by mistake?"
        cure = "nothing, if they are of that class; else move them"
        yield view.fault("mixed_depths", "warn" if strange else "note", rows, message, cure)


def _stuck(view: View) -> Iterator[Fault]:
    """In order of time labels take turns, but for one stretch where all have the same: an answer that stuck."""
    rows = [row for row, label in enumerate(view.labels) if label is not None and view.times[row]]
    if len(rows) < _STRETCH or len({view.times[row] for row in rows}) < 0.9 * len(rows):
        return  # copied or unpacked at once: the times tell nothing
    rows.sort(key=lambda row: view.times[row])
    runs = [list(run) for _, run in groupby(rows, key=lambda row: view.labels[row])]
    longest = max(runs, key=len)
    shares = {label: n / len(rows) for label, n in Counter(view.labels[row] for row in rows).items()}
    by_chance = len(rows) * shares[view.labels[longest[0]]] ** len(longest)
    turns = len(runs) - 1  # beside the run itself
    expected = (len(rows) - len(longest)) * (1 - sum(share**2 for share in shares.values()))
    if by_chance < _HARDLY and turns > 0.8 * expected:
        message = (
            f"{len(longest)} samples in a row, by the times of their files, are labelled "
            f"'{view.labels[longest[0]]}', where labels take turns: an answer that was given again and again?"
        )
        yield view.fault("label_stuck", "warn", longest, message, "look at them", 0.8, view.ask(longest))


def _few(view: View) -> Iterator[Fault]:
    learnt = set(_learnt(view))
    present = {label: [row for row in rows if row in learnt] for label, rows in _rows_by_label(view).items()}
    small = {label: len(present.get(label, ())) for label in view.classes if len(present.get(label, ())) < _FEW}
    if small and present:
        rows = [row for label in small for row in present.get(label, ())]
        named = few([f"{label} ({n})" for label, n in sorted(small.items(), key=lambda item: item[1])])
        message = f"{count(len(small), 'class has', 'classes have')} fewer than {_FEW} samples: {named}"
        yield view.fault("few_in_class", "warn", rows, message, f"collect or label at least {_FEW} of each")


def _uneven(view: View) -> Iterator[Fault]:
    counts = Counter(label for row in _learnt(view) if (label := view.labels[row]) in view.classes)
    if len(counts) < 2:
        return
    (most, n_most), (least, n_least) = counts.most_common()[0], counts.most_common()[-1]
    if n_most > _UNEVEN * n_least:
        share = n_most / sum(counts.values())
        message = (
            f"'{most}' has {n_most:,} samples and '{least}' {n_least:,}, {n_most / n_least:.0f} times fewer: "
            f"always answering '{most}' is right {share:.0%} of the time"
        )
        cure = f"judge by balanced accuracy, and collect more of '{least}'"
        yield view.fault("class_imbalance", "warn", [], message, cure)
