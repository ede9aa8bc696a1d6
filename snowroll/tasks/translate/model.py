"""The network that the options name."""

from __future__ import annotations

from snowroll.design.translator import SPECIAL, Search, Translator
from snowroll.prepare.bytepairs import BYTES
from snowroll.tasks.translate.options import TranslateOptions


def build(options: TranslateOptions) -> Translator:
    """Fresh weights."""
    search = Search(options.beams, options.longest, options.penalty)
    vocabulary = SPECIAL + BYTES + len(options.merges)
    return Translator(vocabulary, options.width, options.depth, options.heads, options.length, options.dropout, search)
