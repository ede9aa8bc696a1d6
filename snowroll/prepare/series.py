"""Series of numbers over time, whatever file they lie in: CSV, NumPy, WFDB records, EDF. No torch; nothing unpickled.

Files are foreign: what a header claims is compared with the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib import format as npy

from snowroll.base.errors import DataError
from snowroll.prepare import edf, wfdb
from snowroll.prepare.archives import Limits
from snowroll.prepare.arrays import Arrays
from snowroll.prepare.bundles import is_bundle, unbundled
from snowroll.prepare.signals import MOST_CHANNELS, Series

_UNITS = 21 * MOST_CHANNELS  # letters of the units of all channels
MAGIC = b"\x89SERIES\n"
NUMPY = b"\x93NUMPY"
_THEN = (1980, 1, 1, 0, 0, 0)  # the same arrays, the same bytes
_TIME = re.compile(r"^(time|t|sec|secs|seconds?|s|ms|millis|milliseconds?|elapsed.*|timestamp)([\W_].*)?$", re.I)
_MILLI = re.compile(r"(^|[\W_])(ms|millis[a-z]*)([\W_]|$)", re.I)
_SAID = re.compile(r"^#\s*(rate_hz|rate|fs|sampling_rate|sampling_frequency|units|unit)\s*[:=]?\s*(\S+)", re.I)
_LINE = 1 << 20  # bytes of the longest line of a CSV


def open_series(raw: bytes, most_values: float) -> Series:
    """The series in a file's bytes. Raises DataError for what is none, or has more than `most_values` numbers."""
    if not raw:
        raise DataError("the file is empty", cure="remove it")
    if raw.startswith(MAGIC):
        found = _from_bytes(raw, most_values)
    elif raw.startswith(NUMPY):
        found = Series(_array(raw, most_values))
    elif is_bundle(raw):
        found = _zipped(raw, most_values)
    elif edf.is_edf(raw):
        found = edf.read(raw, most_values)
    else:
        found = _table(raw, most_values)
    length, channels = found.signal.shape
    if length < 2 or channels < 1:
        raise DataError(f"a series of {length:,} values in {channels:,} channels", cure="two values are the least")
    if channels > MOST_CHANNELS:
        told = f"{channels:,} channels, and {MOST_CHANNELS} are the most: does time run along its first axis?"
        raise DataError(told, cure="save it as [time, channels]")
    if not np.isfinite(found.signal).any():
        raise DataError("not one finite number in it", cure="export it again")
    return found


def kind_of_series(where: str) -> str | None:
    """What a file's name says it is; None for none.

    >>> kind_of_series("a/101.HEA"), kind_of_series("b/7.csv"), kind_of_series("c.png")
    ('WFDB', 'CSV', None)
    """
    ending = where.lower().partition("///")[0].rpartition(".")[2]
    kinds = {"hea": "WFDB", "csv": "CSV", "tsv": "CSV", "npy": "NumPy", "npz": "NumPy", "edf": "EDF"}
    return kinds.get(ending, "WFDB" if "//" in where else None)


# our own: a file of its own costs a zip forty times as long to open ------------------------------------------------


def as_bytes(series: Series) -> bytes:
    """MAGIC, four bytes length, JSON, then the float32 values of the signal and of the usual event, little-endian."""
    told = {
        "length": len(series.signal),
        "channels": series.signal.shape[1],
        "usual": 0 if series.usual is None else len(series.usual),
        "rate_hz": float(series.rate_hz),
        "leads": list(series.leads),
        "unit": series.unit,
        "beat_s": series.beat_s,
        "beats_s": series.beats_s.tolist(),
        "symbols": list(series.symbols),
    }
    head = json.dumps(told, separators=(",", ":")).encode()
    values = [series.signal, *([] if series.usual is None else [series.usual])]
    packed = [np.ascontiguousarray(array, "<f4").tobytes() for array in values]
    return b"".join([MAGIC, len(head).to_bytes(4, "little"), head, *packed])


def _from_bytes(raw: bytes, most_values: float) -> Series:
    start = len(MAGIC) + 4
    end = start + int.from_bytes(raw[len(MAGIC) : start], "little")
    try:
        told = json.loads(raw[start:end])
        length, channels, usual = (int(told[name]) for name in ("length", "channels", "usual"))
        beats = np.array([float(value) for value in told["beats_s"]])
        beat = None if told["beat_s"] is None else float(told["beat_s"])
        leads = tuple(str(name)[:40] for name in told["leads"])
        symbols = tuple(str(name)[:40] for name in told["symbols"])
        rate, unit = checked_rate(float(told["rate_hz"])), str(told["unit"])[:_UNITS]
    except (ValueError, TypeError, LookupError, RecursionError):
        raise DataError("a series whose header is damaged", cure="send it again") from None
    n = (length + usual) * channels
    _refuse_large(n, most_values)
    if min(length, channels, usual) < 0 or raw[end + 4 * n :].strip() or len(raw) < end + 4 * n:
        told = f"its header claims {4 * n:,} bytes and {len(raw) - end:,} follow"
        raise DataError(told, cure="send it again")
    if not np.isfinite(beats).all() or (beat is not None and not np.isfinite(beat)):
        raise DataError("a series with a beat at no time", cure="send it again")
    values = np.frombuffer(raw, "<f4", n, end).reshape(-1, channels) if n else np.zeros((0, 1), np.float32)
    return Series(
        values[:length],
        rate,
        leads if len(leads) == channels else (),
        unit,
        beat,
        np.sort(beats),
        symbols if len(symbols) == len(beats) else (),
        values[length:] if usual else None,
    )


# NumPy ---------------------------------------------------------------------------------------------------------------


def as_npz(series: Series) -> bytes:
    """A series as the bytes of an .npz, stored without compression: what `open_series` reads again."""
    arrays: dict[str, np.ndarray] = {"signal": series.signal.astype(np.float32), "rate_hz": np.array(series.rate_hz)}
    if series.leads:
        arrays["leads"] = np.array(series.leads)
    if series.unit:
        arrays["unit"] = np.array(series.unit)
    if series.beat_s is not None:
        arrays["beat_s"] = np.array(series.beat_s)
    if len(series.beats_s):
        arrays["beats_s"] = series.beats_s.astype(np.float64)
    if series.usual is not None:
        arrays["usual"] = series.usual.astype(np.float32)
    if series.symbols:
        arrays["symbols"] = np.array(series.symbols)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            npy.write_array(file, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _THEN), file.getvalue())
    return out.getvalue()


def _array(raw: bytes, most_values: float) -> np.ndarray:
    """float32 [T, C] of a .npy file."""
    file = io.BytesIO(raw)
    try:
        version = npy.read_magic(file)
        shape, _, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
        if dtype.hasobject:
            raise DataError("holds Python objects, which are not read", cure="save numbers")
        n = int(np.prod(shape, dtype=object))
        _refuse_large(n, most_values)
        if n * dtype.itemsize != len(raw) - file.tell():
            told = f"its header claims {n * dtype.itemsize:,} bytes and {len(raw) - file.tell():,} follow"
            raise DataError(told, cure="copy the file again")
        file.seek(0)
        return _in_time(npy.read_array(file, allow_pickle=False))
    except (ValueError, EOFError, OSError) as fault:
        told = " ".join(str(fault).split())[:120]
        raise DataError(f"not a .npy array ({told})", cure="save it again") from None


def _in_time(array: np.ndarray) -> np.ndarray:
    """[T] or [T, C] of numbers as float32 [T, C]."""
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2):
        told = f"an array of {array.dtype} with shape {list(array.shape)}"
        raise DataError(told, cure="save numbers as [time] or [time, channels]")
    return np.asarray(array.reshape(len(array), -1), np.float32)


def _zipped(raw: bytes, most_values: float) -> Series:
    """An .npz with the array `signal` (or only one array), or a WFDB record's files in a bundle."""
    arrays = Arrays("the .npz", len(raw), lambda: io.BytesIO(raw), Limits())
    headers = arrays.headers()
    if not headers:
        return wfdb.read(unbundled(raw), most_values)
    given: dict[str, np.ndarray] = {}
    for name, header in headers.items():
        _refuse_large(int(np.prod(header.shape, dtype=object)), most_values)
        if name in _FIELDS:
            given[name] = arrays.whole(name)
    signal = given.get("signal")
    if signal is None:
        if len(headers) != 1:
            raise DataError(f"no array 'signal' among {', '.join(sorted(headers)[:6])}", cure="name it `signal`")
        signal = arrays.whole(next(iter(headers)))
    return _with_fields(_in_time(signal), given)


_FIELDS = frozenset({"signal", "rate_hz", "leads", "unit", "beat_s", "beats_s", "symbols", "usual"})


def _with_fields(signal: np.ndarray, given: Mapping[str, np.ndarray]) -> Series:
    beats = _numbers(given, "beats_s")
    beat = _numbers(given, "beat_s")
    rate = _numbers(given, "rate_hz")
    leads = given.get("leads")
    unit = given.get("unit")
    symbols = given.get("symbols")
    called = symbols is not None and symbols.dtype.kind == "U" and symbols.shape == beats.shape
    order = np.argsort(beats, kind="stable")
    usual = _in_time(given["usual"]) if "usual" in given else None
    if usual is not None and usual.shape[1] != signal.shape[1]:
        told = f"'usual' has {usual.shape[1]} channels and 'signal' {signal.shape[1]}"
        raise DataError(told, cure="save it as [time, channels]")
    named = leads is not None and leads.dtype.kind == "U" and leads.ndim == 1 and len(leads) == signal.shape[1]
    return Series(
        signal,
        checked_rate(float(rate[0])) if len(rate) else 0.0,
        tuple(str(name)[:40] for name in leads) if named and leads is not None else (),
        str(unit)[:_UNITS] if unit is not None and unit.dtype.kind == "U" and unit.ndim == 0 else "",
        float(beat[0]) if len(beat) else None,
        beats[order],
        tuple(str(symbols[place])[:40] for place in order) if called and symbols is not None else (),
        usual,
    )


def _numbers(given: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """float64 [n] of finite numbers; none where the array is absent."""
    if name not in given:
        return np.zeros(0)
    array = given[name]
    if array.dtype.kind not in "fiu" or array.ndim > 1 or not np.isfinite(array).all():
        raise DataError(f"'{name}' is an array of {array.dtype} with shape {list(array.shape)}", cure="save numbers")
    return np.atleast_1d(array).astype(np.float64)


def checked_rate(rate_hz: float) -> float:
    if not 0 <= rate_hz <= 1e7:
        raise DataError(f"a sampling rate of {rate_hz:g} Hz", cure="write the true rate, or 0 where nobody knows it")
    return rate_hz


def _refuse_large(n: int, most_values: float) -> None:
    if n > most_values:
        told = f"too large: {n:,} numbers, and {most_values:,.0f} are the most"
        raise DataError(told, cure="cut the recording, or raise prepare.megapixels")


# CSV -----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Head:
    """What the first lines of a table say."""

    names: list[str] = field(default_factory=list)
    rate_hz: float = 0.0
    unit: str = ""
    skip: int = 0  # lines before the numbers
    mark: str = ","


def _table(raw: bytes, most_values: float) -> Series:
    """Columns of numbers, comma, semicolon, tab or blank between them; a row of names, and a column of time, if any."""
    head = _head_of(raw)
    _refuse_large(raw.count(head.mark.encode()) if head.mark != " " else len(raw) // 2, most_values)
    try:
        values = np.loadtxt(
            io.BytesIO(raw),
            dtype=np.float64,
            delimiter=None if head.mark == " " else head.mark,
            skiprows=head.skip,
            ndmin=2,
            encoding="utf-8-sig",
            converters=_number if b",," in raw or b"NA" in raw or b"nan" in raw.lower() else None,
        )
    except (ValueError, OverflowError, UnicodeError) as fault:
        raise DataError(f"not a table of numbers: {_where(str(fault), head.skip)}", cure="mend that line") from None
    if head.names and len(head.names) != values.shape[1]:
        told = f"{len(head.names)} names over {values.shape[1]} columns"
        raise DataError(told, cure="give each column a name, or none")
    return _timed(values, head)


def _number(cell: str) -> float:
    cell = cell.strip()
    return float(cell) if cell and cell != "NA" else np.nan


def _where(fault: str, skipped: int) -> str:
    """numpy's complaint with the line of the file, shortened."""
    told = re.search(r"at row (\d+)", fault)
    counts_from = 0 if "number of columns" in fault else 1
    line = f"line {int(told[1]) + skipped + counts_from}: " if told else ""
    return line + " ".join(fault.partition(";")[0].partition(" at row")[0].split())[:120]


def _head_of(raw: bytes) -> _Head:
    if b"\0" in raw[:4096]:
        raise DataError("no series: neither a table of numbers nor NumPy, WFDB or EDF", cure="leave it out")
    head = _Head()
    start = raw[:_LINE]
    try:
        lines = start[: start.rfind(b"\n") + 1 or len(start)].decode("utf-8-sig").splitlines()[:64]
    except UnicodeDecodeError:
        raise DataError("no series: it is no text in UTF-8", cure="save it as UTF-8, or leave it out") from None
    for line in lines:
        if said := _SAID.match(line):
            if said[1].lower().startswith("unit"):
                head.unit = said[2][:20]
            else:
                head.rate_hz = checked_rate(_as_number(said[2]) or 0.0)
        elif line.strip() and not line.startswith("#"):
            head.mark = next((mark for mark in (";", "\t", ",") if mark in line), " ")
            parts = line.split(None if head.mark == " " else head.mark)
            cells = [cell.strip().strip("'\"") for cell in parts]
            if all(_as_number(cell) is not None or cell in ("", "NA") for cell in cells):
                return head
            if head.names:
                if any(_as_number(cell) is not None for cell in cells):
                    raise DataError(f"line {head.skip + 1} is no row of numbers", cure="mend that line")
                head.unit = head.unit or cells[-1][:20]  # PhysioBank's second row: units
            else:
                head.names = cells
        head.skip += 1
    raise DataError("no series: no row of numbers in its first lines", cure="leave it out")


def _as_number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def series_of_columns(values: np.ndarray, names: Sequence[str]) -> Series:
    """Columns of numbers, one of them perhaps the time. values: float64 [T, columns]. Raises DataError."""
    return _timed(values, _Head(list(names)))


def _timed(values: np.ndarray, head: _Head) -> Series:
    """Without the column of time, which says the rate."""
    at = next((number for number, name in enumerate(head.names) if _TIME.match(name)), None)
    rate = head.rate_hz
    if at is not None and values.shape[1] > 1:
        steps = np.diff(values[:, at])
        step = float(np.median(steps)) if len(steps) else 0.0
        if not rate:
            if not step > 0:
                raise DataError(f"column '{head.names[at]}' does not rise", cure="sort the rows by time")
            if (np.abs(steps - step) > 0.5 * step).mean() > 0.01:
                told = f"column '{head.names[at]}' jumps: steps of {steps.min():g} to {steps.max():g}"
                raise DataError(told, cure="resample it to even steps, or cut it at the gaps")
            rate = (1000 if _MILLI.search(head.names[at]) else 1) / step
            rate = checked_rate(float(f"{rate:.6g}"))  # times are rounded
        values = np.delete(values, at, axis=1)
    names = [name[:40] for number, name in enumerate(head.names) if number != at]
    with np.errstate(over="ignore"):
        signal = values.astype(np.float32)
    return Series(signal, rate, tuple(names), head.unit)
