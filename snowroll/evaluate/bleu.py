"""How alike texts are: BLEU and chrF, counted a sentence at a time, so that any choice of sentences can be summed.

The numbers are those of sacrebleu 2 (Post 2018), over 100: BLEU as `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`,
chrF as `nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

BLEU_SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"
CHRF_SIGNATURE = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"
WORDS, LETTERS, BETA = 4, 6, 2  # orders of BLEU and chrF; how much more recall counts in chrF
_APART = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
_NAMES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def words_of(text: str) -> list[str]:
    """The words that BLEU compares: the tokenisation of mteval-v13a (NIST 2009).

    >>> words_of('He said: "3.5%, no."')
    ['He', 'said', ':', '"', '3.5', '%', ',', 'no', '.', '"']
    """
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for name, sign in _NAMES:
        text = text.replace(name, sign)
    text = f" {text} "
    for pattern, apart in _APART:
        text = pattern.sub(apart, text)
    return text.split()


def bleu_counts(said: str, truth: str) -> np.ndarray:
    """int64 [2 + 2 * 4]: words said and wanted; of each order, n-grams that agree, and that were said."""
    hypothesis, reference = words_of(said), words_of(truth)
    found = [len(hypothesis), len(reference)]
    for size in range(1, WORDS + 1):
        agree, told, _ = _agreeing(hypothesis, reference, size)
        found += [agree, told]
    return np.array(found, np.int64)


def bleu(counts: np.ndarray) -> float:
    """BLEU in [0, 1] of summed counts (Papineni et al. 2002, eq. 3), with the smoothing of mteval-v13a.

    >>> round(bleu(bleu_counts("the cat sat on a mat", "the cat sat on the mat")), 4)
    0.5373
    """
    said, wanted, *rest = (float(count) for count in counts)
    agree, told = rest[0::2], rest[1::2]
    if not said or not any(agree):
        return 0.0
    logs, smooth = [], 1.0
    for one, all_ in zip(agree, told, strict=True):
        if not all_:
            break
        if not one:
            smooth *= 2
        logs.append(np.log(one / all_ if one else 1 / (smooth * all_)))
    if len(logs) < WORDS:  # no sentence has four words
        return 0.0
    brevity = min(0.0, 1 - wanted / said)
    return float(np.exp(brevity + sum(logs) / WORDS))


def chrf_counts(said: str, truth: str) -> np.ndarray:
    """int64 [3 * 6]: of each order, n-grams of characters said, wanted, and that agree. White space does not count."""
    hypothesis, reference = "".join(said.split()), "".join(truth.split())
    found = []
    for size in range(1, LETTERS + 1):
        agree, told, wanted = _agreeing(hypothesis, reference, size)
        found += [told if wanted else 0, wanted, agree]
    return np.array(found, np.int64)


def chrf(counts: np.ndarray) -> np.ndarray:
    """chrF in [0, 1] of counts [..., 18] (Popovic 2015, eq. 1)."""
    told, wanted, agree = (np.asarray(counts, np.float64)[..., place::3] for place in range(3))
    both = (told > 0) & (wanted > 0)
    orders = np.maximum(1, both.sum(axis=-1))
    precision = (np.divide(agree, told, out=np.zeros_like(agree), where=both)).sum(axis=-1) / orders
    recall = (np.divide(agree, wanted, out=np.zeros_like(agree), where=both)).sum(axis=-1) / orders
    below = BETA**2 * precision + recall
    return np.divide((1 + BETA**2) * precision * recall, below, out=np.zeros_like(below), where=below > 0)


def _agreeing(said: Sequence[str], truth: Sequence[str], size: int) -> tuple[int, int, int]:
    """(n-grams that agree, said, wanted)."""
    one = Counter(tuple(said[i : i + size]) for i in range(len(said) - size + 1))
    other = Counter(tuple(truth[i : i + size]) for i in range(len(truth) - size + 1))
    return (one & other).total(), one.total(), other.total()
