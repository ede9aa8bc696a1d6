"""Classes that stand in the names of files: cat.0.jpg, american_bulldog_12.jpg, 7_jackson_32.wav."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from snowroll.base.errors import UsageError
from snowroll.base.task import Found, Reading
from snowroll.prepare.class_folders import NO_CLASSES, read_class_folders
from snowroll.prepare.names import take_apart
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import SPLITS, splits_of_folders

_LAST_NUMBER = re.compile(r"[ _.-]*\(?\d+\)?$")
_WORD = re.compile(r"[^\W_]+")
_FEWEST = 5  # files of a class, on average, for a word to be one
_MOST = 1000  # classes
_CROSSED = 0.8  # share of all pairs that are there where names cross two things: words and speakers


def read_classes(
    wheres: Sequence[str], settings: PrepareSettings, kind_of: Callable[[str], str | None] = format_of_name
) -> Reading | None:
    """By the user's pattern, by folders named after classes, or by names; None where nothing tells classes.

    Raises UsageError for a pattern that matches nothing.
    """
    if settings.label:
        told = matched(settings.label, wheres, "prepare.label")
        evidence = (
            f"{len(set(told.values())):,} classes by '{settings.label}' over {len(told):,} of {len(wheres):,} files"
        )
        return _reading(wheres, told, evidence, settings)
    folders = read_class_folders(wheres, settings, kind_of)
    if folders is not None and len({one.target for one in folders.found}) > 1:
        return folders
    if settings.labels:  # whoever names the classes means to be asked: names are a guess
        return folders
    told, evidence = classes_in_names(wheres)
    return _reading(wheres, told, evidence, settings) if told else folders


def _reading(wheres: Sequence[str], told: Mapping[str, str], evidence: str, settings: PrepareSettings) -> Reading:
    splits = splits_of_folders(wheres)
    found = [
        Found(where, None if settings.labels and label not in settings.labels else label, None, splits.get(where))
        for where, label in told.items()
    ]
    untold = dict.fromkeys((where for where in wheres if where not in told), "its name tells no class")
    if settings.labels:
        found += [Found(where, None, None, splits.get(where)) for where in untold]
        untold = {}
    return Reading("classes in the names of files", (evidence,), tuple(found), untold)


def matched(pattern: str, wheres: Sequence[str], setting: str) -> dict[str, str]:
    """where -> what the pattern matches in it, or its first (...). Raises UsageError where it matches nothing."""
    try:
        compiled = re.compile(pattern)
    except re.error as fault:
        raise UsageError(f"'{pattern}' is no pattern ({fault})", where=setting, cure="mend it") from None
    found = {where: match[1 if compiled.groups else 0] for where in wheres if (match := compiled.search(where))}
    told = {where: text for where, text in found.items() if text}
    if not told:
        cure = f"try it on a path such as '{wheres[0]}'" if wheres else "mend it"
        raise UsageError(f"'{pattern}' matches no path", where=setting, cure=cure)
    return told


def classes_in_names(wheres: Sequence[str]) -> tuple[dict[str, str], str]:
    """(where -> class, why); nothing where names tell none.

    What stands before the last number, where that comes again and again; only the first word, where every first word
    goes with nearly every rest: names that cross two things begin with the class. Splits and words for pictures and
    masks are no classes, nor are numbers that do not count classes from 0 or 1.
    """
    stems = {where: _stem(where) for where in wheres}
    before = {where: head for where, stem in stems.items() if (head := _LAST_NUMBER.sub("", stem)) and head != stem}
    first = {where: words[0] for where, stem in stems.items() if len(words := _WORD.findall(stem)) > 1}
    rests = {where: head[len(first[where]) :].strip(" _.-") for where, head in before.items() if where in first}
    kinds, others = {first[where] for where in rests}, {rest for rest in rests.values() if rest}
    pairs = {(first[where], rest) for where, rest in rests.items() if rest}
    is_crossed = min(len(kinds), len(others)) > 1 and len(pairs) >= _CROSSED * len(kinds) * len(others)
    readings = {"what stands before the number": before, "the first word": first}
    for what, told in list(readings.items())[is_crossed:]:
        if _are_classes(list(told.values()), len(wheres)):
            evidence = f"{what} of {len(told):,} of {len(wheres):,} names tells the class"
            if is_crossed:
                evidence += (
                    f"; each goes with what follows ({', '.join(sorted(others)[:3])} ...): if those are speakers, "
                )
                evidence += "patients or machines, set prepare.group, so that none straddles two splits"
            return told, f"{evidence}; prepare.label is a pattern that says otherwise"
    return {}, ""


def _stem(where: str) -> str:
    place = take_apart(where)
    return (place.member or place.file).rpartition("/")[2].rpartition(".")[0]


def _are_classes(told: Sequence[str], n: int) -> bool:
    kinds = set(told)
    if 2 * len(told) <= n or not 2 <= len(kinds) <= min(_MOST, len(told) // _FEWEST):
        return False
    spelled = {tuple(re.findall(r"[^\W\d_]+", kind.lower())) for kind in kinds}  # without numbers: dates are no classes
    words = {word for some in spelled for word in some}
    if not words:
        return _count_up(kinds)
    return 2 * len(spelled) > len(kinds) and not words <= NO_CLASSES | SPLITS.keys()


def _count_up(words: set[str]) -> bool:
    """Whether they are all numbers from 0 or 1 on, a few left out."""
    numbers = {int(word) for word in words if word.isdecimal() and len(word) < 5}
    return len(numbers) == len(words) and 0 in (min(numbers), min(numbers) - 1) and max(numbers) <= 1.5 * len(numbers)
