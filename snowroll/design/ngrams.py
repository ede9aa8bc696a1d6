"""Texts as bags of hashed n-grams of words and letters, and as sequences of words made of them.

In the manner of fastText (Joulin et al. 2017, "Bag of tricks for efficient text classification"; Bojanowski et al.
2017, "Enriching word vectors with subword information"): every run of letters within a word, every word and every run
of words has a row of a table, found by its hash, so there is no list of words to be kept and any script can be read.

Inputs are code points int64 [B, T]: words in whatever spelling, each with one space before it, one space after the
last, zeros as padding (prepare/folded.py writes them). Hashes are polynomials modulo a prime, by sums along the text,
so that the exported file makes them itself.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.design.dropout import Dropout
from snowroll.design.gpt import normed, rotations
from snowroll.design.translator import Reader

PRIME = 2**31 - 1
RADIX = 1_000_003
SHORTEST = 3  # letters of a run, the spaces around a word among them
SPACE = 32
LONGEST = 64  # characters of a word
SCALE = 4.0  # of a text's vector: 1 to 8 times was tried on five corpora; steps of SGD reach as far as they must


class Found(NamedTuple):
    """The n-grams of texts, one kind after the other."""

    rows: Tensor  # [B, F] int64: the table's row of each
    known: Tensor  # [B, F] bool: whether there is one at this place
    places: Tensor  # [F] int64: the character that it is counted at, of each column
    words: Tensor  # [B, F] int64: the word that it is counted with, from 0 on


class Grams(nn.Module):
    """Where the n-grams of a text lie in a table of `buckets` rows."""

    power: Tensor
    inverse: Tensor

    def __init__(self, buckets: int, words: int, letters: int, length: int) -> None:
        """words, letters: the longest runs of each; letters below SHORTEST: none. length: characters of a text."""
        super().__init__()
        self.buckets, self.words, self.letters = buckets, words, letters
        size = length + letters + 2
        self.register_buffer("power", _powers(RADIX, size), persistent=False)
        self.register_buffer("inverse", _powers(pow(RADIX, -1, PRIME), size), persistent=False)

    def forward(self, codes: Tensor) -> Found:
        length = codes.shape[1]
        space = (codes == SPACE).long()
        # before each character: the sum of all before it, and how many of them are spaces
        sums = _before((codes * self.power[:length]) % PRIME)
        spaces = _before(space)
        number = spaces[:, 1:] - 1  # of the word that a character belongs to, the space before it too
        parts = [self._of_words(codes, sums, space, number)]
        parts += [self._of_letters(codes, sums, spaces, number, n) for n in range(SHORTEST, self.letters + 1)]
        rows, known, numbers = (torch.cat([part[k] for part in parts], dim=1) for k in range(3))
        times = self.words + max(0, self.letters - SHORTEST + 1)
        places = torch.arange(length, device=codes.device).repeat(times)
        return Found(rows, known, places, numbers)

    def _of_words(self, codes: Tensor, sums: Tensor, space: Tensor, number: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Counted at the space after each word; runs of words at the last one's."""
        length = codes.shape[1]
        at = torch.arange(length, device=codes.device)
        last = torch.where(space == 1, at, torch.zeros_like(at))
        step = 1
        while step < LONGEST + 2:  # the last space before: a running maximum, in as many steps as a word's length needs
            last = torch.maximum(last, _later(last, step))
            step *= 2
        start = _later(last, 1)  # the space before the word that ends here
        known = (space == 1) & (at > 0)
        word = self._hash(sums[:, :-1] - sums.gather(1, start + 1), start + 1)
        run, before, is_run = word, start, known
        rows, there = [word % self.buckets], [known]
        for n in range(2, self.words + 1):
            is_run = is_run & (before > 0)
            run = (run * 31 + word.gather(1, before) * n + 7) % PRIME
            before = start.gather(1, before)
            rows.append((run * 48_271 % PRIME) % self.buckets)
            there.append(is_run)
        of = (number - 1).clamp(min=0)
        return torch.cat(rows, dim=1), torch.cat(there, dim=1), of.repeat(1, self.words)

    def _of_letters(
        self, codes: Tensor, sums: Tensor, spaces: Tensor, number: Tensor, n: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Counted at the first letter, or the space before it."""
        length = codes.shape[1]
        sums_on, spaces_on = (torch.cat([one, one[:, -1:].expand(-1, n)], dim=1) for one in (sums, spaces))
        last = torch.cat([codes, torch.zeros_like(codes[:, :1]).expand(-1, n)], dim=1)[:, n - 1 : n - 1 + length]
        known = (last != 0) & (spaces_on[:, n - 1 : n - 1 + length] == spaces[:, 1:])
        at = torch.arange(length, device=codes.device).expand_as(codes)
        hashed = self._hash(sums_on[:, n : n + length] - sums[:, :-1], at)
        return ((hashed * 16_807 + n) % PRIME) % self.buckets, known, number.clamp(min=0)

    def _hash(self, part: Tensor, start: Tensor) -> Tensor:
        """Of a part of the sums that begins at `start`, wherever that is: int64 [B, T] in 0 .. PRIME - 1."""
        told = (part.clamp(min=0) % PRIME * self.inverse[start]) % PRIME  # what is masked may end before it begins
        return (told * 69_621 + 12_345) % PRIME


class Bag(nn.Module):
    """Code points [B, T] to logits [B, C]: the weighted mean of the n-grams' vectors, and a linear head.

    A n-gram weighs by how rare it is (Spaerck Jones 1972), and a text has unit length, so that what a n-gram says for
    a class can be told exactly: see `votes`. Where classes are few its vector is its votes, and there is no head.
    """

    rarity: Tensor

    def __init__(self, grams: Grams, classes: int, width: int) -> None:
        """width: of the n-grams' vectors; 0: they are votes."""
        super().__init__()
        self.grams = grams
        self.embed = nn.Embedding(grams.buckets, width or classes)
        self.turn = nn.Linear(width, classes, bias=False) if width else nn.Identity()
        self.head = Shares(classes)
        self.register_buffer("rarity", torch.ones(grams.buckets))
        if isinstance(self.turn, nn.Linear):
            nn.init.normal_(self.embed.weight, std=width**-0.5)
            nn.init.normal_(self.turn.weight, std=0.02)
        else:
            nn.init.zeros_(self.embed.weight)

    @torch.no_grad()
    def begin(self, codes: Tensor, classes: Tensor) -> None:
        """How rare n-grams are, by some texts [n, T]; how common classes [m] are, as the bias."""
        self.rarity.copy_(rarity_of(self.grams(codes), self.grams.buckets))
        self.head.bias.copy_(log_shares(classes, len(self.head.bias)))

    def forward(self, codes: Tensor) -> Tensor:
        found = self.grams(trimmed(codes))
        weight = self._weights(found)
        if torch.compiler.is_exporting() or codes.device.type != "cpu":
            mean = torch.bmm(weight[:, None], self.embed(found.rows))[:, 0]
        else:  # what is padding costs nothing: most texts are far shorter than the longest
            ends = found.known.sum(dim=1).cumsum(dim=0)
            starts = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])
            rows, told = found.rows[found.known], weight[found.known]
            mean = F.embedding_bag(rows, self.embed.weight, starts, mode="sum", per_sample_weights=told)
        return self.head(self.turn(mean))

    def votes(self, codes: Tensor) -> tuple[Found, Tensor]:
        """The n-grams, and what each adds to the logits: [B, F, C]. With the bias they are all of them."""
        found = self.grams(codes)
        return found, self.turn(self.embed(found.rows) * self._weights(found)[..., None])

    def _weights(self, found: Found) -> Tensor:
        weight = self.rarity[found.rows] * found.known
        return SCALE * weight / (weight.square().sum(dim=1, keepdim=True) + 1e-6).sqrt()


class Shares(nn.Module):
    """Logits and how common the classes are."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, logits: Tensor) -> Tensor:
        return logits + self.bias


class Ordered(nn.Module):
    """Code points [B, T] to logits [B, C]: words, each the mean of its n-grams' vectors, read in their order.

    Blocks are those of design/translator.py: attention to the whole text, rotary positions. The first `most` words are
    read.
    """

    cos: Tensor
    sin: Tensor
    rarity: Tensor

    def __init__(
        self, grams: Grams, classes: int, width: int, depth: int, heads: int, most: int, dropout: float
    ) -> None:
        super().__init__()
        self.grams, self.most = grams, most
        self.embed = nn.Embedding(grams.buckets, width)
        self.dropout = Dropout(dropout)
        self.readers = nn.ModuleList(Reader(width, heads, dropout) for _ in range(depth))
        self.head = nn.Linear(2 * width, classes)
        nn.init.normal_(self.embed.weight)
        nn.init.normal_(self.head.weight, std=0.02 / width**0.5)
        cos, sin = rotations(most, width // heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.register_buffer("rarity", torch.ones(grams.buckets))

    @torch.no_grad()
    def begin(self, codes: Tensor, classes: Tensor) -> None:
        """As of `Bag`."""
        self.rarity.copy_(rarity_of(self.grams(codes), self.grams.buckets))
        self.head.bias.copy_(log_shares(classes, len(self.head.bias)))

    def forward(self, codes: Tensor) -> Tensor:
        x, known = self.read(trimmed(codes))
        x = normed(x)
        mean = (x * known).sum(dim=1) / known.sum(dim=1)
        most = x.masked_fill(~known, -1e4).amax(dim=1)
        return self.head(self.dropout(torch.cat([mean, most], dim=1)))

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """(states [B, W, D], bool [B, W, 1]: where there is a word). A text of nothing counts as one word."""
        found = self.grams(codes)
        exporting = torch.compiler.is_exporting()
        count = self.most if exporting else max(1, min(self.most, int((codes == SPACE).sum(dim=1).max()) - 1))
        inside = found.known & (found.words < count)
        weight = self.rarity[found.rows] * inside
        vectors = self.embed(found.rows) * weight[..., None]
        place = found.words.clamp(max=count - 1)[..., None].expand_as(vectors)
        x = vectors.new_zeros(len(codes) if not exporting else codes.shape[0], count, vectors.shape[2])
        x = self.dropout(normed(x.scatter_add(1, place, vectors)))
        told = ((codes == SPACE).sum(dim=1) - 1).clamp(min=1)
        known = torch.arange(count, device=codes.device) < told[:, None]
        for reader in self.readers:
            x = reader(x, self.cos[:count], self.sin[:count], known[:, None, None])
        return x, known[..., None]


def trimmed(codes: Tensor) -> Tensor:
    """Without what is padding in every row: it costs nothing then."""
    if torch.compiler.is_exporting():
        return codes
    return codes[:, : max(2, int((codes != 0).sum(dim=1).max()))]


def rarity_of(found: Found, buckets: int) -> Tensor:
    """float32 [buckets]: 1 + ln((1 + n) / (1 + in how many of the n texts it stands))."""
    rows = torch.where(found.known, found.rows, buckets)
    n = found.rows.shape[0]
    texts = torch.zeros(buckets + 1)
    for row in rows:
        texts[row.unique()] += 1
    return 1 + ((1 + n) / (1 + texts[:-1])).log()


def log_shares(classes: Tensor, count: int) -> Tensor:
    """[C] logarithms of the classes' shares, each counted once more than it is there."""
    counts = torch.bincount(classes, minlength=count).float() + 1
    return (counts / counts.sum()).log()


def _before(values: Tensor) -> Tensor:
    """[B, T + 1]: the sum of all values before each place."""
    sums = values.cumsum(dim=1)
    return torch.cat([torch.zeros_like(sums[:, :1]), sums], dim=1)


def _later(values: Tensor, by: int) -> Tensor:
    """[B, T] moved by so many places, zeros before them."""
    length = values.shape[1]
    nothing = torch.zeros_like(values[:, :1]).expand(-1, by)
    return torch.cat([nothing, values], dim=1)[:, :length]


def _powers(base: int, count: int) -> Tensor:
    """int64 [count]: base ** i modulo PRIME."""
    found = [1]
    while len(found) < count:
        found.append(found[-1] * base % PRIME)
    return torch.tensor(found)
