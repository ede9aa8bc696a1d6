"""What each column of a table holds: numbers, dates, words; or what nothing can be learnt from, with the reason.

No torch. A column is judged by all of its cells; what is left out is told, not guessed around.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from snowroll.base.nouns import Json
from snowroll.prepare.tables import Cell

Kind = Literal["number", "date", "category", "flag", "id", "text", "constant", "secret", "copy", "mixed"]
LEARNT: tuple[Kind, ...] = ("number", "category", "flag", "date")  # that a model learns from
MOST_LEVELS = 64  # words of a category that are told apart; the rest is "another"
MOST_DISTINCT = 20_000  # values of a column that are counted one by one
LEAST_OF_A_WORD = 10  # rows; a column of rarer words is no category
NEARLY = 0.95  # share of the cells that decides a column's kind: the rest is damage

_DATE = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"
)
_SECRETS = {
    "e-mail addresses": re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[A-Za-z]{2,24}"),
    "keys or tokens": re.compile(r"(?:sk|pk|ghp|gho|xox[bap]|AKIA|AIza|eyJ)[-_A-Za-z0-9.]{12,}"),
    "passwords' hashes": re.compile(r"\$(?:2[aby]|argon2\w*|[156])\$.{8,}"),
    "social security numbers": re.compile(r"\d{3}-\d{2}-\d{4}"),
    "IBANs": re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?"),
}
_CARD = re.compile(r"(?:\d[ -]?){13,19}")


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it goes into the schema."""

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()  # of a category: its words in order
    missing: int = 0  # rows that do not say
    why: str = ""  # why nothing is learnt from it, or what is odd about it; ends as a finding of `check`

    def as_json(self) -> dict[str, Json]:
        told: dict[str, Json] = {"name": self.name, "kind": self.kind, "missing": self.missing}
        if self.levels:
            told["levels"] = list(self.levels)
        return {**told, "why": self.why} if self.why else told


def spelled(cell: Cell) -> str:
    """A cell as the word it stands for.

    >>> [spelled(cell) for cell in (1, 1.0, 0.5, True, "a")]
    ['1', '1', '0.5', 'true', 'a']
    """
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def as_number(cell: Cell) -> float | None:
    """A number, or a date as days since 1970; None for words and where nothing is said.

    >>> as_number("1970-01-02 12:00"), as_number("soon")
    (1.5, None)
    """
    if isinstance(cell, int | float):
        return float(cell)
    return None if cell is None else days_of(cell)


def days_of(text: str) -> float | None:
    """Days since 1970 of a date, year first, with or without a time of day."""
    match = _DATE.fullmatch(text) if text[:1].isdigit() else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    return date(year, month, day).toordinal() - 719_163 + (hour * 3600 + minute * 60 + second) / 86_400


_ROW = re.compile(r"\s*(?:-?[\d.]+[\s,;]+){15,}-?[\d.]+\s*")


class Seen:
    """What is counted of one column while its rows go by."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n = self.missing = self.numbers = self.whole = self.dates = self.rises = self.letters = 0
        self.counts: Counter[Cell] = Counter()
        self.secrets: Counter[str] = Counter()
        self.is_counted = True  # whether `counts` holds every value
        self._last: float | None = None

    def add(self, cell: Cell) -> None:
        self.n += 1
        if cell is None:
            self.missing += 1
            return
        number = as_number(cell)
        if isinstance(cell, str):
            self.letters += len(cell)
            self.dates += number is not None
            if number is None and self.n % 8 == 1 and (secret := _secret(cell)):
                self.secrets[secret] += 8
        else:
            self.numbers += 1
            self.whole += float(cell).is_integer()
            if self.n % 8 == 1 and float(cell).is_integer() and cell > 1e12 and _is_card(str(int(cell))):
                self.secrets["card numbers"] += 8
        if number is not None:
            self.rises += self._last is None or number > self._last
            self._last = number
        if self.is_counted:
            self.counts[cell] += 1
            self.is_counted = len(self.counts) <= MOST_DISTINCT

    @property
    def holds_rows(self) -> bool:
        """Whether a cell is a row of numbers, such as the pixels of a picture."""
        some = [cell for cell, _ in zip(self.counts, range(20), strict=False)]
        return bool(some) and all(isinstance(cell, str) and _ROW.fullmatch(cell) for cell in some)

    def judged(self, are_words: bool = False) -> Column:
        """are_words: the user says so, of numbers that are codes, say: its common words are told apart, however many
        others there are.
        """
        known = self.n - self.missing
        if not known:
            return Column(self.name, "constant", missing=self.missing, why="empty")
        if len(self.counts) == 1:
            only = spelled(next(iter(self.counts)))[:40]
            told = f"'{only}' in all rows" if not self.missing else f"'{only}' or nothing"
            kind: Kind = "constant" if not self.missing else "flag"
            levels = (spelled(next(iter(self.counts))),) if self.missing else ()
            return Column(self.name, kind, levels, self.missing, told if kind == "constant" else "")
        secret, hits = next(iter(self.secrets.most_common(1)), ("", 0))
        if hits > known / 2:
            return Column(self.name, "secret", missing=self.missing, why=f"it holds {secret}")
        if are_words and (told := self._as_words(known, is_said=True)).levels:
            return told
        if self.numbers >= NEARLY * known:
            return self._as_numbers(known)
        if self.dates >= NEARLY * known:
            return Column(self.name, "date", missing=self.missing, why=_odd(known - self.dates, "no date"))
        return self._as_words(known)

    def _as_numbers(self, known: int) -> Column:
        distinct = len(self.counts)
        counts_up = self.whole == known and self.rises >= 0.99 * known and known >= 20
        named = re.search(r"(?:^|[^a-z])(?:id|key|index|row|unnamed)(?:[^a-z]|$)", self.name.lower())
        alone = (self.is_counted and distinct == known) or not self.is_counted
        if self.whole == known and alone and known >= 20 and (counts_up or named):
            return Column(self.name, "id", missing=self.missing, why="a number of its own for each row")
        return Column(self.name, "number", missing=self.missing, why=_odd(known - self.numbers, "no number"))

    def _as_words(self, known: int, is_said: bool = False) -> Column:
        if not is_said and (not self.is_counted or (len(self.counts) > 0.9 * known and known >= 20)):
            kind: Kind = "text" if self.letters > 30 * known else "id"
            told = "sentences" if kind == "text" else "nearly every row has a word of its own"
            return Column(self.name, kind, missing=self.missing, why=told)
        words: Counter[str] = Counter()
        for cell, count in self.counts.items():
            words[spelled(cell)] += count
        least = min(LEAST_OF_A_WORD, max(2, known // 20))
        often = [word for word, count in words.most_common(MOST_LEVELS) if count >= least]
        share = sum(words[word] for word in often) / known
        if share < 0.5 and not is_said:
            told = f"{len(words):,} different words, most of them rare"
            return Column(self.name, "text", missing=self.missing, why=told)
        mixed = min(self.numbers, known - self.numbers) if self.numbers > 0.05 * known else 0
        why = f"numbers in {self.numbers:,} rows and words in {known - self.numbers:,}" if mixed and not is_said else ""
        return Column(self.name, "flag" if len(words) == 2 else "category", tuple(sorted(often)), self.missing, why)


def judge_columns(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> list[Seen]:
    """One pass over the rows of a table."""
    seen = [Seen(name) for name in header]
    for row in rows:
        for column, cell in zip(seen, row, strict=True):
            column.add(cell)
    return seen


def _odd(n: int, what: str) -> str:
    return f"{what} in {n:,} rows: read as missing" if n else ""


def _secret(cell: str) -> str:
    if len(cell) > 300:
        return ""
    found = next((name for name, pattern in _SECRETS.items() if pattern.fullmatch(cell)), "")
    return found or ("card numbers" if _CARD.fullmatch(cell) and _is_card(re.sub(r"\D", "", cell)) else "")


def _is_card(digits: str) -> bool:
    """Luhn's sum (ISO/IEC 7812-1, annex B) over 13 to 19 digits.

    >>> _is_card("4539578763621486"), _is_card("1234567890123456")
    (True, False)
    """
    if not 13 <= len(digits) <= 19:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
