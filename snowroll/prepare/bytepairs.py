"""Subwords: byte pairs that stand together often become one token (Sennrich et al. 2016), so any text has tokens.

Learnt within words, with the space before them, so a token never spans two. A merge is written as its two parts in
printable letters, each byte one letter (the table of GPT-2, Radford et al. 2019): "t h", "Ġ th". No torch.
"""

from __future__ import annotations

import heapq
import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

BYTES = 256  # tokens before the first merge
# digits and marks stand alone, so that numbers can be copied; what is longer than 64 letters is no word
_WORD = re.compile(r" ?[^\W\d_]{1,64}| ?\d| ?[^\w\s]| ?_|\s")
_KEPT = 200_000  # words whose tokens are remembered


def _letters() -> list[str]:
    """Of each byte the letter that stands for it: itself where it can be seen, else one from U+0100 on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in seen]
    table = {byte: chr(byte) for byte in seen} | {byte: chr(0x100 + place) for place, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


LETTERS = _letters()


def words_in(text: str) -> list[str]:
    """The text in pieces that no token spans; together they are the text.

    >>> words_in("Two dogs, 12 m")
    ['Two', ' dogs', ',', ' 1', '2', ' m']
    """
    return _WORD.findall(text)


def counted(texts: Iterable[str]) -> Counter[str]:
    """How often each word stands in the texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words_in(text))
    return counts


def neat(text: str) -> str:
    """One spelling for what looks alike: composed characters (NFC)."""
    return unicodedata.normalize("NFC", text)


def learn_merges(counts: Mapping[str, int], most: int, least: int = 2) -> tuple[str, ...]:
    """Up to `most` merges, the commonest pair first; pairs seen less than `least` times are left apart.

    A function of the counts alone, in whatever order they come.

    >>> learn_merges({"aab": 3, "ab": 2}, 2)
    ('a b', 'a ab')
    """
    words = [list(word.encode("utf-8", "replace")) for word in sorted(counts)]
    weights = [counts[word] for word in sorted(counts)]
    pairs: dict[tuple[int, int], int] = defaultdict(int)
    homes: dict[tuple[int, int], set[int]] = defaultdict(set)
    for place, word in enumerate(words):
        for pair in itertools.pairwise(word):
            pairs[pair] += weights[place]
            homes[pair].add(place)
    heap = [(-n, pair) for pair, n in pairs.items()]
    heapq.heapify(heap)
    names = list(LETTERS)
    merges: list[str] = []
    while heap and len(merges) < most:
        claimed, pair = heapq.heappop(heap)
        n = pairs.get(pair, 0)
        if n < least:
            continue
        if -claimed != n:  # what the heap knew of it is out of date
            heapq.heappush(heap, (-n, pair))
            continue
        one, other = pair
        merges.append(f"{names[one]} {names[other]}")
        names.append(names[one] + names[other])
        for touched in _merge(pair, BYTES + len(merges) - 1, words, weights, pairs, homes):
            heapq.heappush(heap, (-pairs[touched], touched))
    return tuple(merges)


def _merge(
    pair: tuple[int, int],
    token: int,
    words: list[list[int]],
    weights: Sequence[int],
    pairs: dict[tuple[int, int], int],
    homes: dict[tuple[int, int], set[int]],
) -> set[tuple[int, int]]:
    """Write `token` for `pair` in every word that has it. Returns the pairs that there are more of now."""
    risen: set[tuple[int, int]] = set()
    for place in homes.pop(pair, ()):
        word = words[place]
        merged = _with_pair(word, pair, token)
        if len(merged) == len(word):
            continue
        for old in itertools.pairwise(word):
            pairs[old] -= weights[place]
        for new in itertools.pairwise(merged):
            pairs[new] += weights[place]
            homes[new].add(place)
            if token in new:
                risen.add(new)
        words[place] = merged
    pairs.pop(pair, None)
    return risen


def _with_pair(word: Sequence[int], pair: tuple[int, int], token: int) -> list[int]:
    merged, place, last = [], 0, len(word) - 1
    while place <= last:
        if place < last and (word[place], word[place + 1]) == pair:
            merged.append(token)
            place += 2
        else:
            merged.append(word[place])
            place += 1
    return merged


class BytePairs:
    """Text to tokens and back. Token numbers: the 256 bytes, then the merges in their order."""

    def __init__(self, merges: Sequence[str]) -> None:
        """Raises ValueError for merges of parts that there are not."""
        numbers = {letter: byte for byte, letter in enumerate(LETTERS)}
        self.bytes: list[bytes] = [bytes([byte]) for byte in range(BYTES)]
        self.ranks: dict[tuple[int, int], int] = {}
        for merge in merges:
            one, _, other = merge.partition(" ")
            if one not in numbers or other not in numbers:
                raise ValueError(f"a merge of parts that there are not: '{merge[:40]}'")
            pair = numbers[one], numbers[other]
            self.ranks.setdefault(pair, len(self.bytes))
            numbers.setdefault(one + other, len(self.bytes))
            self.bytes.append(self.bytes[pair[0]] + self.bytes[pair[1]])
        self._known: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.bytes)

    def tokens(self, text: str) -> list[int]:
        """
        >>> BytePairs(["a b"]).tokens("cab")
        [99, 256]
        """
        found: list[int] = []
        for word in words_in(text):
            if (known := self._known.get(word)) is None:
                known = self._of_word(word)
                if len(self._known) < _KEPT:
                    self._known[word] = known
            found += known
        return found

    def text(self, tokens: Iterable[int]) -> str:
        """The inverse; what is no UTF-8 stands as U+FFFD."""
        return b"".join(self.bytes[token] for token in tokens).decode("utf-8", "replace")

    def _of_word(self, word: str) -> list[int]:
        parts = list(word.encode("utf-8", "replace"))
        while len(parts) > 1:
            best = min(itertools.pairwise(parts), key=lambda pair: self.ranks.get(pair, 1 << 40))
            if best not in self.ranks:
                break
            parts = _with_pair(parts, best, self.ranks[best])
        return parts


@lru_cache(maxsize=4)
def byte_pairs(merges: tuple[str, ...]) -> BytePairs:
    """The same merges, the same object: what was cut once is remembered."""
    return BytePairs(merges)
