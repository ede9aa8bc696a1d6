"""What a translation takes over as it stands: numbers, and names. No torch."""

from __future__ import annotations

import re
from collections import Counter

# a run of digits, with the marks that group or divide them: 3.5, 1,000, 12:30
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# within a sentence: a capital, or letters and digits mixed
_NAME = re.compile(r"(?<=[a-z,;] )([A-Z][\w-]*[A-Za-z0-9]|[A-Z]{2,})\b")


def numbers_in(text: str) -> Counter[str]:
    """The numbers of a text, without what divides their digits: 1,000 and 1.000 are the same.

    >>> sorted(numbers_in("At 12:30, 1,000 men in 3 cars").items())
    [('1000', 1), ('1230', 1), ('3', 1)]
    """
    return Counter(re.sub(r"\D", "", found) for found in _NUMBER.findall(text))


def names_in(source: str, target: str) -> set[str]:
    """Words that begin with a capital within the source and stand in its translation too: names, most of them.

    >>> sorted(names_in("We saw Berlin and the Alps", "Wir sahen Berlin und die Alpen"))
    ['Berlin']
    """
    words = set(re.findall(r"[\w-]+", target))
    return {name for name in _NAME.findall(source) if name in words}


def plain(text: str) -> str:
    """A text without what makes no difference: case, marks, white space."""
    return " ".join(re.findall(r"\w+", text.lower()))
