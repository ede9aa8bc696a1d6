"""Files that hold many windows of series: NumPy arrays of them, the text files of the UCR and UEA archives, and tables
with a label a row. No torch.

What a window is called, as a piece of its file:

    X_train.npy///r17         window 17 of the array
    Coffee_TEST.tsv///l3      series 3 of the text, without its class; v3: of a text that holds no classes
    walk.csv///100-200.0.4    rows 100 to 199 of the table, without the columns 0 and 4
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib import format as npy

from snowroll.base.errors import DataError
from snowroll.prepare.series import NUMPY, as_bytes, series_of_columns
from snowroll.prepare.signals import MOST_CHANNELS, Series

NAME = re.compile(r"([rlv])(\d+)|(\d+)-(\d+)((?:\.\d+)*)")
LABEL = re.compile(r"(labels?|class(es)?|activit(y|ies)|states?|events?|phases?|anomal(y|ies|ous)|is[ _-]?anomaly)"
                   r"([ _-]?(id|name|label|class|code|nr))?", re.IGNORECASE)  # fmt: skip
GROUP = re.compile(r"(subjects?|users?|patients?|persons?|participants?)([ _-]?(id|nr|no|number|name|code))?", re.I)
_INDEX = re.compile(r"|unnamed.*|index|idx|row([ _-]?(id|nr|no|number))?", re.IGNORECASE)
_LOOKED_AT = 200  # windows, or runs, that smoothness is measured on
_SEPARATORS = re.compile(r"[,;\t ]+")


def is_name(name: str) -> bool:
    """Whether a piece is a window of these files, and not a beat.

    >>> is_name("r17"), is_name("100-200.4"), is_name("370")
    (True, True, False)
    """
    return NAME.fullmatch(name) is not None


def windows(raw: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """The windows called so; none for what the file does not hold."""
    if raw.startswith(NUMPY):
        array = in_time(array_of(raw))
        rows = {name: int(name[1:]) for name in names}
        return {
            name: as_bytes(Series(np.asarray(array[row], np.float32))) for name, row in rows.items() if row < len(array)
        }
    if any(name[0] in "lv" for name in names):
        text = Lines.of(raw)
        held = {name: int(name[1:]) for name in names}
        return {name: as_bytes(text.series(row, name[0] == "l")) for name, row in held.items() if row < len(text.rows)}
    table = Rows.of(raw)
    found = {name: table.window(name) for name in names}
    return {name: as_bytes(series) for name, series in found.items() if series is not None}


def names_in(raw: bytes, kind: str, length: int, axes: int | None) -> list[str]:
    """In a limited child: the windows of a file that is to be answered. kind: what was learnt from, "arrays" of so many
    `axes`, "texts" or "rows"; length: of the windows. Rows are cut evenly, whatever labels stand beside them."""
    if kind == "arrays":
        shape = array_of(raw).shape
        return [f"r{row}" for row in range(shape[0])] if len(shape) == axes else []
    if kind == "texts":
        text = Lines.of(raw)
        bare = bool(text.rows) and not text.is_ts and len(text.series(0, False).signal) == length
        return [f"{'v' if bare else 'l'}{row}" for row in range(len(text.rows))]
    table = Rows.of(raw)
    out = "".join(f".{place}" for place in table.no_channels(""))
    return [f"{stop - length}-{stop}{out}" for stop in range(length, len(table.lines) + 1, length)]


def smoothness(windows: Sequence[np.ndarray]) -> float:
    """Median likeness of a value to the one before it (autocorrelation). windows: [T, C] each."""
    told = []
    for window in windows[:_LOOKED_AT]:
        x = np.nan_to_num(np.asarray(window, np.float64))
        x = x - x.mean(axis=0)
        size = (x * x).sum(axis=0)
        told += ((x[1:] * x[:-1]).sum(axis=0)[size > 1e-12] / size[size > 1e-12]).tolist()
    return float(np.median(told)) if told else 0.0


# NumPy ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """What a .npy says of itself, and how smooth its windows are where it holds some; else its values as words."""

    shape: tuple[int, ...]
    dtype: str
    smooth: float = 0.0


def array_of(raw: bytes) -> np.ndarray:
    """The array of a .npy, nothing copied. Raises DataError."""
    file = io.BytesIO(raw)
    try:
        version = npy.read_magic(file)
        shape, fortran, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
    except ValueError as fault:
        told = " ".join(str(fault).split())[:120]
        raise DataError(f"not a .npy array ({told})", cure="save it again") from None
    n = int(np.prod(shape, dtype=object))
    if dtype.hasobject or n * dtype.itemsize != len(raw) - file.tell():
        what = "holds Python objects" if dtype.hasobject else "its header claims another size than there is"
        raise DataError(what, cure="save numbers again")
    return np.frombuffer(raw, dtype, n, file.tell()).reshape(shape, order="F" if fortran else "C")


def header_of(raw: bytes) -> Header:
    """In a limited child."""
    array = array_of(raw)
    smooth = 0.0
    if array.ndim in (2, 3) and array.dtype.kind in "fiu" and 0 not in array.shape:
        smooth = smoothness([np.asarray(one) for one in in_time(array[:: max(1, len(array) // _LOOKED_AT)])])
    return Header(tuple(int(n) for n in array.shape), str(array.dtype), smooth)


def in_time(array: np.ndarray) -> np.ndarray:
    """[n, T], [n, C, T] or [n, T, C] as [n, T, C]: the longer axis is the time, of two equal ones the last.

    >>> in_time(np.zeros((9, 3, 50))).shape, in_time(np.zeros((9, 50, 3))).shape, in_time(np.zeros((9, 50))).shape
    ((9, 50, 3), (9, 50, 3), (9, 50, 1))
    """
    if array.ndim == 2:
        return array[..., None]
    if array.ndim != 3:
        raise DataError(f"an array of shape {list(array.shape)}", cure="save windows as [n, channels, time]")
    return array.transpose(0, 2, 1) if array.shape[2] >= array.shape[1] else array


# the text files of UCR and UEA ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextBrief:
    """What a text of series holds: its classes line by line."""

    labels: tuple[str, ...]
    lengths: tuple[int, int]  # of the shortest and the longest
    channels: int
    smooth: float
    like_pixels: bool  # whole numbers up to 255, and a square of them in each line


@dataclass(frozen=True, slots=True)
class Lines:
    """Series a line: values with the class before them, or, under a header of '@' lines, after the last ':'."""

    rows: tuple[str, ...]
    is_ts: bool
    has_class: bool

    @staticmethod
    def of(raw: bytes) -> Lines:
        try:
            lines = [line.strip() for line in raw.decode("utf-8-sig").splitlines()]
        except UnicodeDecodeError:
            raise DataError("no series: it is no text in UTF-8", cure="save it as UTF-8") from None
        lines = [line for line in lines if line and line[0] not in "#%"]
        said = {parts[0].lower(): parts[1:] for line in lines if line[0] == "@" and (parts := line.split())}
        if not said:
            return Lines(tuple(lines), False, True)
        if said.get("@timestamps", ["false"])[0].lower() == "true":
            raise DataError("its values come with times of their own, which are not read", cure="resample them")
        if said.get("@targetlabel", ["false"])[0].lower() == "true":
            raise DataError("it tells a number for each series, and classes are what is learnt", cure="leave it out")
        has_class = said.get("@classlabel", ["false"])[0].lower() == "true"
        return Lines(tuple(line for line in lines if line[0] != "@"), True, has_class)

    def label(self, row: int) -> str:
        if self.is_ts:
            return self.rows[row].rpartition(":")[2].strip()
        word = _SEPARATORS.split(self.rows[row], maxsplit=1)[0]
        number = float(word)
        return str(int(number)) if number == int(number) else word

    def series(self, row: int, with_class: bool) -> Series:
        """Raises DataError for a line that is no series. Of several channels the shorter ones end in NaN."""
        line = self.rows[row]
        if self.is_ts:
            parts = line.split(":")[: -1 if self.has_class else None]
            channels = [[_number(word) for word in part.split(",")] for part in parts]
        else:
            channels = [[_number(word) for word in _SEPARATORS.split(line)[1 if with_class else 0 :] if word]]
        length = max(map(len, channels), default=0)
        signal = np.full((length, len(channels)), np.nan, np.float32)
        for at, values in enumerate(channels):
            signal[: len(values), at] = values
        known = np.flatnonzero(np.isfinite(signal).any(axis=1))  # series of several lengths are filled up with NaN
        if not len(known) or len(channels) > MOST_CHANNELS:
            raise DataError(f"series {row + 1} holds no value", cure="mend that line")
        return Series(signal[: known[-1] + 1])


def _number(word: str) -> float:
    if word.strip() in ("?", "", "NaN"):
        return np.nan
    try:
        return float(word)
    except ValueError:
        raise DataError(f"'{word.strip()[:20]}' is no number", cure="mend that line") from None


def text_brief(raw: bytes) -> TextBrief:
    """In a limited child. Raises DataError for a text that is no such file."""
    text = Lines.of(raw)
    if not text.rows or (text.is_ts and not text.has_class):
        raise DataError("no series with a class", cure="add the class of each")
    try:
        labels = tuple(text.label(row) for row in range(len(text.rows)))
    except (ValueError, OverflowError):
        raise DataError("no series: a line does not begin with its class", cure="leave it out") from None
    every = [text.series(row, True).signal for row in range(len(text.rows))]
    seen = np.concatenate([one[:, 0] for one in every[:_LOOKED_AT]])
    lengths = [len(one) for one in every]
    width = int(np.sqrt(lengths[0] // (3 if lengths[0] % 3 == 0 and np.sqrt(lengths[0] // 3) % 1 == 0 else 1)))
    square = width >= 8 and width * width in (lengths[0], lengths[0] // 3)
    whole = bool((seen == np.rint(seen)).all()) and float(seen.min()) >= 0 and float(seen.max()) <= 255
    return TextBrief(labels, (min(lengths), max(lengths)), every[0].shape[1], smoothness(every), square and whole)


# tables with a label a row -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RowsBrief:
    """The runs of equal labels in a table of channels."""

    label: str  # the column that holds them
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    labels: tuple[str, ...]  # "": none is told
    groups: tuple[str, ...]  # of each run: what a column of subjects says; "": there is none
    left_out: tuple[int, ...]  # columns that are no channels
    channels: tuple[str, ...]
    rate_hz: float
    smooth: float


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of numbers over time, with names over its columns."""

    names: tuple[str, ...]
    lines: tuple[str, ...]
    mark: str

    @staticmethod
    def of(raw: bytes) -> Rows:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError("no table: it is no text in UTF-8", cure="save it as UTF-8") from None
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if len(lines) < 3:
            raise DataError("no table of several rows", cure="leave it out")
        mark = next((mark for mark in (";", "\t", ",") if mark in lines[0]), ",")
        names = tuple(name.strip() for name in next(csv.reader(lines[:1], delimiter=mark)))
        return Rows(names, tuple(lines[1:]), mark)

    def cells(self, start: int, stop: int) -> Iterator[list[str]]:
        for at, cells in enumerate(csv.reader(self.lines[start:stop], delimiter=self.mark)):
            if len(cells) != len(self.names):
                told = f"row {start + at + 1} has {len(cells)} cells under {len(self.names)} names"
                raise DataError(told, cure="mend that line")
            yield cells

    def window(self, name: str) -> Series | None:
        """None beyond its end."""
        match = NAME.fullmatch(name)
        assert match, name
        start, stop = int(match[3]), int(match[4])
        if not start < stop <= len(self.lines):
            return None
        return self.series(start, stop, {int(place) for place in match[5].split(".")[1:]})

    def series(self, start: int, stop: int, left_out: Collection[int]) -> Series:
        kept = [place for place in range(len(self.names)) if place not in left_out]
        values = np.array([[_cell(row[place]) for place in kept] for row in self.cells(start, stop)])
        return series_of_columns(values, [self.names[place] for place in kept])

    def no_channels(self, label: str) -> tuple[int, ...]:
        """The columns that are left out of every window: labels, subjects, numbers of rows, words."""
        some = [next(self.cells(at, at + 1)) for at in range(0, len(self.lines), max(1, len(self.lines) // 100))]

        def is_one(place: int) -> bool:
            name = self.names[place]
            if name == label or LABEL.fullmatch(name) or GROUP.fullmatch(name) or _INDEX.fullmatch(name):
                return False
            return sum(_is_number(row[place]) for row in some) >= 0.5 * len(some)

        return tuple(place for place in range(len(self.names)) if not is_one(place))


def rows_brief(raw: bytes, label: str) -> RowsBrief:
    """In a limited child. label: the name of the column of labels; "": by what it is called. Raises DataError."""
    table = Rows.of(raw)
    named = [name for name in table.names if (name == label if label else LABEL.fullmatch(name))]
    if not named:
        raise DataError("no column of labels", cure="call it 'label'")
    at = table.names.index(named[0])
    of_group = next((place for place, name in enumerate(table.names) if GROUP.fullmatch(name)), None)
    left_out = table.no_channels(named[0])
    every = table.cells(0, len(table.lines))
    said = [(row[at].strip(), row[of_group].strip() if of_group is not None else "") for row in every]
    edges = [0, *(row for row in range(1, len(said)) if said[row] != said[row - 1]), len(said)]
    runs = list(pairwise(edges))
    some = [run for run in runs if run[1] - run[0] >= 4][:_LOOKED_AT]
    if len(left_out) == len(table.names) or not some:
        raise DataError("no runs of rows with one label", cure="leave it out")
    first = table.series(*some[0], left_out)
    signals = [table.series(start, min(stop, start + 500), left_out).signal for start, stop in some]
    return RowsBrief(
        named[0],
        tuple(start for start, _ in runs),
        tuple(stop for _, stop in runs),
        tuple(said[start][0] for start, _ in runs),
        tuple(said[start][1] for start, _ in runs),
        left_out,
        first.leads,
        first.rate_hz,
        smoothness(signals),
    )


def _cell(word: str) -> float:
    word = word.strip()
    if not word or word.lower() in ("na", "nan", "null"):
        return np.nan
    try:
        return float(word)
    except ValueError:
        return np.nan


def _is_number(word: Any) -> bool:
    return bool(np.isfinite(_cell(word)))
