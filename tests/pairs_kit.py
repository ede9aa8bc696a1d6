"""Sentences and their translations, and any text."""

from __future__ import annotations

from hypothesis import strategies as st

PAIRS = [
    (f"{name} sees {n} {en}.", f"{name} sieht {n} {de}.")
    for name in ("Anna", "Bert", "Cleo")
    for n in range(10, 20)
    for en, de in (("dogs", "Hunde"), ("cats", "Katzen"))
]
ANY = st.text(st.characters(codec="utf-8"), max_size=60)
