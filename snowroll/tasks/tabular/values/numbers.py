"""Numbers as people write them in a column: $1,234.50, 12 %, 1.234,56 €, 85 kg, (300). No torch.

A mark may part thousands or decimals: the whole column decides, for one cell cannot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from snowroll.base.errors import DataError

MOSTLY = 0.95  # share of the cells that must be numbers: the rest are refused one by one
_WRITTEN = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-+\u2212]?)\s*(?P<before>[^\d\s.,()+\-\u2212]{1,4}\s?)?(?P<inner>[-\u2212]?)"
    r"(?P<digits>[.,]?\d[\d.,'\u2019\u00a0\u202f ]*?)(?P<power>[eE][+-]?\d{1,3})?\s*"
    r"(?P<after>[^\d\s.,()][^\d(),]{0,15})?(?P<close>\))?"
)
_ENDLESS = re.compile(r"[-+]?(inf|infinity|∞)", re.IGNORECASE)
_BLANKS = re.compile(r"['\u2019\u00a0\u202f ]")
_LARGEST = 1e30  # of float32 there is more, but squares of errors must be finite


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a column writes its numbers."""

    decimal: str = "."  # the mark before decimals; the other one parts thousands
    unit: str = ""  # what stands beside most of them: "€", "%", "kg"

    def number(self, text: str) -> float:
        """Raises DataError where the cell is none, or one that cannot be used.

        >>> Spelling(",", "€").number("1.234,50 €"), Spelling().number("(1,200)"), Spelling().number("3e2")
        (1234.5, -1200.0, 300.0)
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            told = "is not finite" if _ENDLESS.fullmatch(text.strip()) else "is no number"
            raise DataError(f"the target '{text.strip()[:40]}' {told}")
        unit = _unit(found)
        if unit and unit != self.unit:
            beside = f"of most is '{self.unit}'" if self.unit else "of most is not written"
            raise DataError(f"the target '{text.strip()[:40]}' has a unit of its own: that {beside}")
        digits, other = _BLANKS.sub("", found["digits"]), "," if self.decimal == "." else "."
        whole, _, rest = digits.replace(other, "").partition(self.decimal)
        value = float(f"{whole or 0}.{rest.replace(self.decimal, '') or 0}{found['power'] or ''}")
        if not abs(value) < _LARGEST:
            raise DataError(f"the target '{text.strip()[:40]}' is too large to be used")
        minus = {"-", "\u2212"} & {found["sign"], found["inner"]} or found["open"]
        return -value if minus and value else value

    def told(self, example: str) -> str:
        """In words, where anything had to be decided; else ""."""
        if example and (self.unit or not example.replace(".", "").lstrip("+-").isdigit()):
            unit = f"; their unit is '{self.unit}'" if self.unit else ""
            return f"numbers are written like {example}, read as {self.number(example):.10g}{unit}"
        return ""


def spelling_of(texts: Iterable[str], semicolons: bool = False) -> tuple[Spelling, str] | None:
    """(how a column's numbers are written, the most telling cell); None where most of it is no number.

    semicolons: cells are parted by them, as where a comma stands before decimals.
    """
    units: Counter[str] = Counter()
    votes: Counter[str] = Counter()
    n = numbers = 0
    example = ""
    for text in texts:
        n += 1
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            continue
        numbers += 1
        units[_unit(found)] += 1
        vote = _decimal(_BLANKS.sub("", found["digits"]))
        votes[vote] += 1
        if len(text.strip()) > len(example) and (vote or _unit(found) or not example):
            example = text.strip()
    if not numbers or numbers < MOSTLY * n:
        return None
    # where no cell tells, a comma parts thousands in English and decimals where cells are parted by semicolons
    decimal = "," if votes[","] > votes["."] or (semicolons and not votes["."] and not votes["thousands,"]) else "."
    unit = max(units, key=lambda one: (units[one], one)) if len(units) > 1 or "" not in units else ""
    if not unit and len(units) > 1:  # most cells have none, and are meant in that of the others
        (first, count), *more = [(one, k) for one, k in units.most_common() if one]
        unit = first if count > sum(k for _, k in more) and count >= (1 - MOSTLY) * numbers else ""
    made = Spelling(decimal, unit)
    try:
        made.number(example)
    except DataError:
        example = ""
    return made, example


def _unit(found: re.Match[str]) -> str:
    return ((found["before"] or "").strip() + (found["after"] or "").strip()).strip()


def _decimal(digits: str) -> str:
    """Which mark stands before decimals as far as one cell tells: ".", ",", "thousands,", or "" where it is open.

    >>> [_decimal(text) for text in ("12", "1,234.5", "1.234,5", "0,5", "1,234", "1,234,567", "1.234.567", "2.50")]
    ['', '.', ',', ',', '', 'thousands,', ',', '.']
    """
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rfind(".") > digits.rfind(",") else ","
    if points > 1:
        return ","
    if commas > 1:
        return "thousands,"
    if not points + commas:
        return ""
    mark = "." if points else ","
    before, _, after = digits.partition(mark)
    is_open = len(after) == 3 and 1 <= len(before) <= 3 and before != "0"
    return "" if is_open else mark
