"""A file of lines for each class: rt-polarity.pos and rt-polarity.neg, train/spam.txt and train/ham.txt. No torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from snowroll.prepare.split_words import SPLITS

MOST = 50  # files
LEAST = 10  # lines of each
WORD = re.compile(rb"[^\W\d_]{2,}|[\x80-\xff]{2,}")  # in bytes: letters beyond ASCII too
OPPOSITES = frozenset(
    {"pos", "neg", "positive", "negative", "neutral", "spam", "ham", "toxic", "subjective", "objective"}
)


def classes_of_files(wheres: Sequence[str]) -> dict[str, str]:
    """Which class each file is of, by the one word in which their names differ; {} where they do not.

    >>> classes_of_files(["rt-polarity.pos", "rt-polarity.neg"])
    {'rt-polarity.pos': 'pos', 'rt-polarity.neg': 'neg'}
    >>> classes_of_files(["train/spam.txt", "train/ham.txt", "test/spam.txt", "test/ham.txt"])["test/ham.txt"]
    'ham'
    >>> classes_of_files(["emma.txt"]), classes_of_files(["en_a.txt", "de_b.txt"])
    ({}, {})
    """
    words = {where: _words(where) for where in wheres}
    if not 2 <= len(wheres) <= MOST or len({len(told) for told in words.values()}) != 1:
        return {}
    wide = len(next(iter(words.values())))
    kinds = [{told[place] for told in words.values()} for place in range(wide)]
    vary = [place for place, some in enumerate(kinds) if len(some) > 1]
    if len(vary) != 1:
        return {}
    classes = {where: told[vary[0]] for where, told in words.items()}
    # of several splits every one has every class
    return classes if len(set(Counter(classes.values()).values())) == 1 else {}


def are_opposites(classes: Iterable[str]) -> bool:
    """Whether names can hardly mean anything but classes: a corpus is divided by authors or chapters, too."""
    return {name.lower() for name in classes} <= OPPOSITES


def _words(where: str) -> list[str]:
    """Of its path, without words of splits."""
    plain = re.sub(r"\.(txt|text)$", "", where.replace("!", "/"), flags=re.IGNORECASE)
    return [word for word in re.split(r"[/._\- ]+", plain) if word and word.lower() not in SPLITS]
