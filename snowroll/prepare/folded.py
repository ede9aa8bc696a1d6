"""A text as words to be compared, whatever their case, width and composition. No torch.

Of scripts that put no space between words every character is a word of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

LONGEST = 64  # characters of a word; the rest is the next one's
# Thai, Lao, Burmese, Khmer, kana, Han
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]{{1,{LONGEST}}}|[^\w\s]")


def words_of(text: str) -> list[str]:
    """Words and marks, folded (NFKC, then Unicode's case folding).

    >>> words_of("Größe: ＡＢ, 雪球!")
    ['grösse', ':', 'ab', ',', '雪', '球', '!']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def places_of(text: str) -> list[tuple[int, int, list[str]]]:
    """(start, stop, folded words) of every word and mark as it stands in the text: what is to be shown as it was."""
    found = ((match.start(), match.end(), words_of(match[0])) for match in _WORD.finditer(text))
    return [place for place in found if place[2]]


def codes_of(text: str, most: int) -> np.ndarray:
    """int32 [n], n at most `most`: the code points of the words, a space before, between and after them.

    Words that would not fit are left out, all of them from the first such one on.

    >>> bytes(codes_of("To be!", 20).tolist())
    b' to be ! '
    """
    line, size = [""], 1
    for word in words_of(text):
        size += len(word) + 1
        if size > most:
            break
        line.append(word)
    return np.frombuffer(" ".join([*line, ""]).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int32)


def words_of_codes(codes: Sequence[int] | np.ndarray) -> list[str]:
    """The words that `codes_of` wrote; zeros are padding."""
    return "".join(map(chr, filter(None, np.asarray(codes).tolist()))).split()
