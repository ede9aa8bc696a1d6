"""A signal that is still coming, a row each moment: each row is judged as its recording's would be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.tasks.forecast.options import ForecastOptions
from snowroll.tasks.forecast.windows import Window, as_bytes


class Monitor:
    """`feed` it rows [n, C]; it answers with [(number of the row, its window), ...] at once. It keeps one window."""

    def __init__(self, rate_hz: float, columns: Sequence[str], options: ForecastOptions) -> None:
        if not 0 < rate_hz <= 1e6:
            raise DataError(f"{rate_hz:g} Hz is no rate", cure="give the rows in a second: 0.0167 for one a minute")
        named = any(name.strip() for name in columns)
        self._columns = tuple(columns) if named else tuple(options.columns)
        if not named and len(columns) != len(options.columns):
            told = f"{len(columns)} numbers a line, and the model looks at {len(options.columns)} columns"
            raise DataError(told, cure=f"send a first line of names: {', '.join(options.columns[:8])}")
        self._step_s, self._options = 1 / rate_hz, options
        self._rows = np.zeros((0, len(columns)), np.float32)
        self._next = 0

    def feed(self, signal: np.ndarray) -> list[tuple[int, bytes]]:
        """signal: float [n, C], NaN where nothing was measured."""
        if signal.ndim != 2 or signal.shape[1] != self._rows.shape[1]:
            raise DataError(f"a portion of shape {list(signal.shape)}", cure="send every column in every row")
        options = self._options
        first = -(-options.context // options.every) * options.every
        found = []
        for values in signal.astype(np.float32):
            row = self._next
            self._next += 1
            keep = options.context + row % options.every + 1
            self._rows = np.concatenate([self._rows, values[None]])[-(options.context + options.every) :]
            if row < first:
                continue
            window = Window(
                self._columns, self._rows[-keep:], row + 1, row * self._step_s, self._step_s, judged=True
            )  # fmt: skip
            if np.isfinite(window.values).any():
                found.append((row, as_bytes(window)))
        return found

    def close(self) -> list[tuple[int, bytes]]:
        """Nothing waits."""
        return []
