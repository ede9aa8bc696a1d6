"""Which columns of a table hold texts, and which the class: by what stands in them, then by their names. No torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import SPLITS

MOST_CLASSES = 1_000
MOST_COUNTED = 50_000  # values of a column
WORDS = 2.0  # of a text, on average; one is enough where nothing else could be the text
SIDE_WORDS = 3.0  # of a text beside a longer one, to be read with it
_LABELS = tuple(
    re.findall(
        r"\w+",
        "label class category target sentiment polarity intent topic language lang emotion spam stance genre type "
        "rating stars score tag y v1",
    )
)
_SPLITS = ("split", "subset", "partition", "fold", "usage", "set", "part")
_GROUPS = tuple(
    re.findall(
        r"\w+",
        "group groupid author authorid user userid username speaker speakerid thread threadid conversation "
        "conversationid dialog dialogue session sessionid document documentid doc docid article articleid source "
        "sourceid product productid patient patientid customer customerid scene sceneid",
    )
)
_NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?%?")
_MISSING = frozenset({"", "nan", "null", "none", "na", "n/a"})


@dataclass(slots=True)
class Seen:
    """What is counted of one column while its rows go by."""

    name: str
    n: int = 0
    words: int = 0
    numbers: int = 0
    fractions: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, cell: str) -> None:
        cell = cell.strip()
        if cell.lower() in _MISSING:
            return
        self.n += 1
        self.words += len(cell.split())
        if all(_NUMBER.fullmatch(word) for word in cell.split()):  # or a row of them: the pixels of a picture
            self.numbers += 1
            self.fractions += bool(re.search(r"[.,]\d*[1-9]", cell))
        if len(self.counts) < MOST_COUNTED or cell in self.counts:
            self.counts[cell] += 1

    @property
    def mean_words(self) -> float:
        return self.words / max(1, self.n)

    @property
    def is_number(self) -> bool:
        return self.numbers > 0.9 * self.n

    @property
    def differs(self) -> bool:
        """Whether hardly any value comes twice; long ones may come a few times each."""
        often = 0.2 if self.mean_words >= 5 else 0.5
        return len(self.counts) > often * min(self.n, MOST_COUNTED)

    @property
    def holds_classes(self) -> bool:
        few = 2 <= len(self.counts) <= min(MOST_CLASSES, max(2, self.n // 3))
        return few and not self.fractions and self.mean_words < 5


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column is what; "" for none."""

    texts: tuple[str, ...]
    label: str
    split: str
    group: str
    why: str  # how the label was found
    beside: int  # columns of numbers that are none of these
    words: float  # of a text, on average


def roles_of(seen: Sequence[Seen], settings: PrepareSettings, where: str) -> Roles | None:
    """None where no column is a text, or none a label and nobody named the classes. Raises UsageError."""
    by_name = {column.name: column for column in seen}
    for setting in named(settings):
        if setting not in by_name:
            cure = did_you_mean(setting, [*by_name])
            if setting in learnt(settings) and not settings.path_column:
                cure = "texts were read from it: call it so again, or name another with --prepare.path_column"
            raise UsageError(f"there is no column '{setting}'", where=where, cure=cure)
    split = settings.split_column or next((c.name for c in seen if _is_split(c)), "")
    group = settings.group_column or next((c.name for c in seen if _is_group(c)), "")
    taken = {split, group, settings.label_column}
    texts = _texts([c for c in seen if c.name not in taken], settings)
    if not texts:
        return None
    left = [c for c in seen if c.name not in {*taken, *texts} and c.n]
    label, why = (settings.label_column, "as you say") if settings.label_column else _label(left)
    if label and not settings.label_column:
        label, why = _in_words(by_name, label, left, why)
    if label and settings.label_column and len(by_name[label].counts) < 2:
        told = f"column '{label}' has {len(by_name[label].counts)} value"
        raise UsageError(told, where=where, cure="name a column of several classes with --prepare.label_column")
    beside = sum(c.is_number and not _counts_up(c) for c in left if c.name != label)
    words = sum(by_name[name].mean_words for name in texts)
    return Roles(texts, label, split, group, why, beside, words)


def named(settings: PrepareSettings) -> list[str]:
    """The columns that the user names, and those of texts as they were found the first time."""
    asked = (*learnt(settings), settings.label_column, settings.split_column, settings.group_column)
    return list(filter(None, asked))


def learnt(settings: PrepareSettings) -> tuple[str, ...]:
    """The columns of texts, where that is decided."""
    return (settings.path_column,) if settings.path_column else tuple(settings.asked.get("texts", ()))


def _texts(seen: Sequence[Seen], settings: PrepareSettings) -> tuple[str, ...]:
    if told := learnt(settings):
        return told
    free = [c for c in seen if c.n and not c.is_number and c.differs and c.mean_words >= WORDS]
    if not free:  # words alone: names, queries
        alone = [c for c in seen if c.n and not c.is_number and c.differs]
        return (alone[0].name,) if len(alone) == 1 and len([c for c in seen if c.n]) <= 3 else ()
    longest = max(free, key=lambda c: c.mean_words)
    return tuple(c.name for c in free if c is longest or c.mean_words >= SIDE_WORDS)


def _label(seen: Sequence[Seen]) -> tuple[str, str]:
    fits = [c for c in seen if c.holds_classes]
    for wanted in _LABELS:
        for column in fits:
            if wanted in (_plain(column.name), *re.findall("[a-z0-9]+", column.name.lower())):
                return column.name, "for its name; another with --prepare.label_column"
    if fits:
        names = ", ".join(column.name for column in fits[:8])
        many = f"one of {len(fits)} columns of few values ({names}), the last"
        what = "the only column of few values" if len(fits) == 1 else many
        return fits[-1].name, f"{what}; another with --prepare.label_column"
    return "", ""


def _in_words(by_name: Mapping[str, Seen], label: str, left: Sequence[Seen], why: str) -> tuple[str, str]:
    """Where classes are numbers and another column of as many words is called after it, that one: label_text."""
    if not by_name[label].is_number:
        return label, why
    kinds = sorted(by_name[label].counts.values())
    for column in left:
        if not column.is_number and column.holds_classes and sorted(column.counts.values()) == kinds:
            return column.name, f"'{label}' in words; another with --prepare.label_column"
    return label, why


def _is_split(column: Seen) -> bool:
    words = {cell.lower() for cell in column.counts}
    return _plain(column.name) in _SPLITS and bool(words) and words <= SPLITS.keys()


def _is_group(column: Seen) -> bool:
    return _plain(column.name) in _GROUPS and 1 < len(column.counts) < 0.9 * column.n


def _counts_up(column: Seen) -> bool:
    """A number of its own for each row: a name, no measurement."""
    return len(column.counts) >= 0.95 * min(column.n, MOST_COUNTED) and not column.fractions


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
