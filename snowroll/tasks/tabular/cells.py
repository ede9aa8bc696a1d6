"""A row's bytes to arrays: numbers as they are, words as hashes. No torch.

So encoding needs no list of words: a model knows the words of its columns by their hashes, and any other one is
"another". Equal words have equal hashes on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.tables import Cell, row_from_bytes
from snowroll.tasks.tabular.columns import as_number, spelled
from snowroll.tasks.tabular.options import RowOptions

_LARGEST = 3e38  # of float32, nearly


def encoded(raw: bytes, options: RowOptions) -> dict[str, np.ndarray]:
    """{"number": float32 [numbers], NaN where nothing is said, "word": int64 [categories], 0 likewise}.

    Without planned columns, all numbers and all words of the row, by name. Raises DataError.
    """
    cells = row_from_bytes(raw)
    if not (options.numbers or options.categories):
        names = sorted(cells)
        numeric = [name for name in names if isinstance(cells[name], int | float)]
        return _arrays(cells, numeric, [name for name in names if name not in numeric])
    wanted = (*options.used_numbers, *options.used_categories)
    if not any(cells.get(name) is not None for name in wanted):
        some = ", ".join(wanted[:6]) + (" ..." if len(wanted) > 6 else "")
        raise DataError("the row has none of the columns that the model knows", cure=f"name some of: {some}")
    return _arrays(cells, options.used_numbers, options.used_categories)


def _arrays(cells: dict[str, Cell], numbers: Sequence[str], words: Sequence[str]) -> dict[str, np.ndarray]:
    # never empty: a column that says nothing stands where there is none
    told = [as_number(cells.get(name)) for name in numbers] or [0.0]
    clipped = [np.nan if one is None else min(max(one, -_LARGEST), _LARGEST) for one in told]
    hashes = [hash_of(spelled(cell)) if (cell := cells.get(name)) is not None else 0 for name in words] or [0]
    return {"number": np.array(clipped, np.float32), "word": np.array(hashes, np.int64)}


@lru_cache(maxsize=100_000)
def hash_of(word: str) -> int:
    """The first eight bytes of its SHA-256, little-endian and signed; never 0, which stands for no word."""
    return int.from_bytes(sha256(word.encode("utf-8", "surrogatepass")).digest()[:8], "little", signed=True) or 1


def as_float(cell: Cell) -> float:
    """A cell as one number that a Look can hold: itself, days, or what is left of its hash. NaN: nothing is said."""
    number = as_number(cell)
    if number is not None:
        return number
    return float("nan") if cell is None else float(hash_of(spelled(cell)) >> 11)
