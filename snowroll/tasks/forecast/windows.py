"""A window's bytes: what stands in so many rows before a moment, and where in its series that is. No torch.

MAGIC, four bytes length, JSON, then float32 [rows, columns], little-endian. A piece of a file is called

    OT@1200-384>24      of the series OT the 384 rows before row 1200; its target the 24 rows from there on
    OT!1200-360         the 360 rows up to row 1200, that one judged by what the rows before it let expect
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.names import spell, unspell
from snowroll.tasks.forecast.recordings import Recording, recordings_of

MAGIC = b"\x89WINDOW\n"
MOST = 65_536  # rows of a window
_NAME = re.compile(r"(.*)([@!])(\d{1,12})-(\d{1,6})(?:>(\d{1,6}))?", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """So many rows of a series, up to a moment."""

    columns: tuple[str, ...]
    values: np.ndarray  # float32 [rows, C], NaN where nothing was measured
    after: int  # the number of the row after the last of them: the first that is forecast
    at: float | None = None  # seconds of the last row; None where no time is told
    step_s: float = 0.0
    dated: bool = False
    series: str = ""
    judged: bool = False  # whether the last row is there to be judged, and not to forecast from
    odd: tuple[int, ...] = ()  # of its rows those that somebody labelled an anomaly


def as_bytes(window: Window) -> bytes:
    told = {
        "columns": list(window.columns),
        "rows": len(window.values),
        "after": window.after,
        "at": window.at,
        "step_s": window.step_s,
        "dated": window.dated,
        "series": window.series,
        "judged": window.judged,
        **({"odd": list(window.odd)} if window.odd else {}),
    }
    head = json.dumps(told, separators=(",", ":")).encode()
    return b"".join(
        [MAGIC, len(head).to_bytes(4, "little"), head, np.ascontiguousarray(window.values, "<f4").tobytes()]
    )


def open_window(raw: bytes, most_values: float) -> Window:
    """A window's own bytes, or the last rows of a file of one series: what a client has. Raises DataError."""
    if raw.startswith(MAGIC):
        return _from_bytes(raw, most_values)
    told = recordings_of(_as_lines(raw), most_values)
    if len(told) > 1:
        raise DataError(f"{len(told):,} series in one request", cure="send them one by one")
    one = told[0]
    last = len(one.values)
    return Window(one.columns, one.values[-MOST:], last, one.at(last - 1), one.step_s, one.dated, one.name)


def _as_lines(raw: bytes) -> bytes:
    """A JSON object of columns, or a list of rows, as JSON lines; anything else as it is."""
    if raw.lstrip()[:1] not in (b"[", b"{") or len(raw) > 1 << 26:
        return raw
    try:
        told = json.loads(raw)
    except (ValueError, UnicodeDecodeError, RecursionError):
        return raw
    rows: Sequence[object] = ()
    if isinstance(told, dict) and told and all(isinstance(column, list) for column in told.values()):
        lengths = {len(column) for column in told.values()}
        if len(lengths) > 1:
            raise DataError("columns of different lengths", cure="send as many values of each")
        rows = [dict(zip(told, row, strict=True)) for row in zip(*told.values(), strict=True)]
    elif isinstance(told, list):
        rows = [row if isinstance(row, dict) else {"value": row} for row in told]
    if len(rows) < 2:
        raise DataError("no series: fewer than two rows", cure="send the past as rows, or as named lists")
    return "\n".join(json.dumps(row) for row in rows).encode()


def _from_bytes(raw: bytes, most_values: float) -> Window:
    start = len(MAGIC) + 4
    end = start + int.from_bytes(raw[len(MAGIC) : start], "little")
    try:
        told = json.loads(raw[start:end])
        columns = tuple(str(name)[:200] for name in told["columns"])
        rows, after = int(told["rows"]), int(told["after"])
        at = None if told["at"] is None else float(told["at"])
        step, dated, judged = float(told["step_s"]), bool(told["dated"]), bool(told["judged"])
        series = str(told["series"])[:400]
        odd = tuple(int(row) for row in told.get("odd", ()))
    except (ValueError, TypeError, LookupError, RecursionError):
        raise DataError("a window whose header is damaged", cure="send it again") from None
    size = 4 * rows * len(columns)
    if not 1 <= rows <= MOST or not columns or size / 4 > most_values or not all(0 <= row < rows for row in odd):
        raise DataError(f"a window of {rows:,} rows and {len(columns):,} columns", cure="send it again")
    if len(raw) < end + size or raw[end + size :].strip() or not np.isfinite([step, at or 0.0]).all():
        told = f"its header claims {size:,} bytes and {len(raw) - end:,} follow"
        raise DataError(told, cure="send it again")
    values = np.frombuffer(raw, "<f4", rows * len(columns), end).reshape(rows, len(columns))
    if not np.isfinite(values).any():
        raise DataError("a window in which nothing is known", cure="leave it out")
    return Window(columns, values, after, at, step, dated, series, judged, odd)


# pieces of a file ------------------------------------------------------------------------------------------------


def name_of(series: str, after: int, rows: int, horizon: int) -> str:
    """What a window is called within its file."""
    return f"{_spelled(series)}@{after}-{rows}>{horizon}"


def name_of_judged(series: str, row: int, rows: int) -> str:
    return f"{_spelled(series)}!{row}-{rows}"


def _spelled(series: str) -> str:
    return spell(series.encode()).replace("/", "%2F")


def cut(one: Recording, after: int, rows: int, judged: bool = False) -> Window:
    """The rows before `after`, or fewer where the series begins later."""
    part = slice(max(0, after - rows), after)
    odd = () if one.marks is None else tuple(np.flatnonzero(one.marks[part] == 1).tolist())
    at = one.at(after - 1)
    return Window(one.columns, one.values[part], after, at, one.step_s, one.dated, one.name, judged, odd)


def pieces(raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
    """The windows of these names. In a limited child."""
    by_name = {one.name: one for one in recordings_of(raw, float("inf"))}
    found: dict[str, bytes] = {}
    for name in names:
        match = _NAME.fullmatch(name)
        one = by_name.get(unspell(match[1]).decode("utf-8", "replace")) if match else None
        if match is None or one is None:
            continue
        judged = match[2] == "!"
        after, rows = int(match[3]) + judged, int(match[4])
        if 1 <= after <= len(one.values) and 1 <= rows <= MOST:
            window = cut(one, after, rows, judged)
            if np.isfinite(window.values).any():
                found[name] = as_bytes(window)
    return found
