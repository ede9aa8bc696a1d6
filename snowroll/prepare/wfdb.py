"""WFDB records as PhysioNet keeps them: a text header, signal files, annotations. Bytes in, numbers out.

Formats of the WFDB Applications Guide, appendix: header(5), signal(5), annot(5). No path that a header names is ever
opened: who calls gives the files' bytes. What the header claims is compared with them before anything is allocated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.signals import MOST_CHANNELS, Series, unit_of

ABSENT = "its header names a file that is not there"  # begins the reason why such a record is left out
GAIN = 200.0  # units of the converter in a millivolt, where the header does not say
# bytes of so many samples, and the value that stands for none
_FORMATS: dict[int, tuple[int, int, int | None]] = {
    8: (1, 1, None),
    16: (2, 1, -(1 << 15)),
    24: (3, 1, -(1 << 23)),
    32: (4, 1, -(1 << 31)),
    61: (2, 1, -(1 << 15)),
    80: (1, 1, -128),
    160: (2, 1, -(1 << 15)),
    212: (3, 2, -(1 << 11)),
    310: (4, 3, -(1 << 9)),
    311: (4, 3, -(1 << 9)),
}
# annot(5): what the codes mean
CODES = ' NLRaVFJASEj/Q~?|?sT*D"=pB^t+u?![]en@xf()r'  # by their numbers
BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
_SKIP, _AUX = 59, 63


@dataclass(frozen=True, slots=True)
class Channel:
    """One line of a header."""

    file: str
    format: int
    per_frame: int
    start: int  # byte of the file at which samples begin
    gain: float
    unit: str
    baseline: float
    first: int  # initial value, for differences
    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """A record's header. `length`: frames, 0 where it does not say."""

    name: str
    rate_hz: float
    length: int
    channels: tuple[Channel, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Signal files in the order in which they are first named."""
        return tuple(dict.fromkeys(channel.file for channel in self.channels))


def read(files: Sequence[bytes], most_values: float, start: int = 0, stop: int | None = None) -> Series:
    """The frames from `start` to `stop` of a record. files: header, signal files in its order, annotations if any.

    Raises DataError where header and data disagree by more than what one frame explains, or more is claimed than
    `most_values`. Annotations of what is no beat are left out; those beyond the end are kept: checks tell of them.
    """
    if not files:
        raise DataError("a zip without a file", cure="put .hea, .dat and .atr into it")
    header = read_header(files[0])
    names = header.files
    if len(files) < 1 + len(names):
        raise DataError(f"the header names {', '.join(names)}, and not all of it is there", cure="put the files there")
    signal = read_signals(header, dict(zip(names, files[1:], strict=False)), most_values, start, stop)
    times, symbols = read_annotations(files[1 + len(names)]) if len(files) > 1 + len(names) else (np.zeros(0), ())
    is_beat = np.array([symbol in BEATS for symbol in symbols], bool)
    return Series(
        signal,
        header.rate_hz,
        tuple(channel.name for channel in header.channels),
        unit_of([channel.unit for channel in header.channels]),
        None,
        times[is_beat] / header.rate_hz,
        tuple(symbol for symbol, wanted in zip(symbols, is_beat, strict=True) if wanted),
    )


def length_of(header: Header, files: Sequence[bytes]) -> int:
    """Frames of a record whose files are as for `read`."""
    return _length(header, dict(zip(header.files, files[1:], strict=False)))


def read_header(raw: bytes) -> Header:
    """See header(5). Raises DataError; multi-segment records are refused."""
    try:
        text = raw[: 1 << 20].decode("utf-8")
    except UnicodeDecodeError:
        raise DataError("a WFDB header that is no text", cure="copy the record again") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    first = lines[0].split() if lines else []
    if len(first) < 2 or "\0" in text:
        raise DataError("not a WFDB header", cure="copy the record again")
    if "/" in first[0]:
        raise DataError("a record of several segments, which are not read", cure="export it in one piece (xform)")
    count = _whole(first[1], "the number of signals")
    if not 1 <= count <= MOST_CHANNELS or count > len(lines) - 1:
        told = f"the header claims {count:,} signals and describes {len(lines) - 1}"
        raise DataError(told, cure="copy the record again")
    rate = _number(first[2].split("/")[0].split("(")[0], "the sampling rate") if len(first) > 2 else 250.0
    if not 0 < rate <= 1e7:
        raise DataError(f"a sampling rate of {rate:g} Hz", cure="mend the first line of the header")
    length = _whole(first[3], "the number of samples") if len(first) > 3 else 0
    return Header(first[0], rate, length, tuple(_channel(line) for line in lines[1 : 1 + count]))


def read_signals(
    header: Header, files: dict[str, bytes], most_values: float, start: int = 0, stop: int | None = None
) -> np.ndarray:
    """float32 [T, C] in the channels' units, NaN where nothing was measured. Raises DataError."""
    length = _length(header, files)
    if length * len(header.channels) > most_values:
        told = f"too large: {length:,} x {len(header.channels)} numbers, and {most_values:,.0f} are the most"
        raise DataError(told, cure="cut the recording, or raise prepare.megapixels")
    start, stop = max(0, start), length if stop is None else min(stop, length)
    signal = np.full((max(0, stop - start), len(header.channels)), np.nan, np.float32)
    for name in header.files:
        places = [place for place, channel in enumerate(header.channels) if channel.file == name]
        channels = [header.channels[place] for place in places]
        widths = [channel.per_frame for channel in channels]
        frames = _samples(files[name], channels[0], sum(widths), start, stop, [channel.first for channel in channels])
        missing = _FORMATS[channels[0].format][2]
        at = 0
        for place, channel, width in zip(places, channels, widths, strict=True):
            values = frames[:, at : at + width].astype(np.float64)
            if missing is not None:
                values[values == missing] = np.nan
            signal[: len(values), place] = (values.mean(axis=1) - channel.baseline) / channel.gain
            at += width
    return signal


def read_annotations(raw: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    """(int64 [n] frames, in the file's order; symbols). See annot(5), MIT format. Raises DataError."""
    words = np.frombuffer(raw[: len(raw) // 2 * 2], "<u2").astype(np.int64)
    codes, values = (words >> 10).tolist(), (words & 1023).tolist()
    times: list[int] = []
    symbols: list[str] = []
    at, now = 0, 0
    while at < len(codes):
        code, value = codes[at], values[at]
        at += 1
        if code == 0 and value == 0:
            break
        if code == _SKIP:
            if at + 2 > len(codes):
                raise DataError("annotations that break off", cure="copy the annotation file again")
            high, low = int(words[at]), int(words[at + 1])
            now += ((high << 16 | low) ^ 1 << 31) - (1 << 31)
            at += 2
        elif code == _AUX:
            at += (value + 1) // 2
        elif code < len(CODES):
            now += value
            times.append(now)
            symbols.append(CODES[code])
        elif code < _SKIP:
            now += value
    return np.array(times, np.int64), tuple(symbols)


def _channel(line: str) -> Channel:
    cells = line.split(maxsplit=8)
    if len(cells) < 2:
        raise DataError(f"a header line that describes no signal: '{line[:60]}'", cure="copy the record again")
    told = re.fullmatch(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?", cells[1])
    if told is None or int(told[1]) not in _FORMATS:
        known = ", ".join(map(str, _FORMATS))
        raise DataError(f"signals in format '{cells[1][:20]}'", cure=f"convert it (xform) to one of {known}")
    per_frame = int(told[2] or 1)
    if not 1 <= per_frame <= 10_000:
        raise DataError(f"{per_frame:,} samples in a frame", cure="copy the record again")
    gain, baseline, unit = GAIN, None, "mV"
    if len(cells) > 2:
        spelled = re.fullmatch(r"([-+.\deE]+)(?:\((-?\d+)\))?(?:/(\S+))?", cells[2])
        if spelled is None:
            raise DataError(f"a gain of '{cells[2][:20]}'", cure="mend the header")
        gain = _number(spelled[1], "a gain") or GAIN
        baseline, unit = None if spelled[2] is None else float(spelled[2]), spelled[3] or unit
    zero = float(_whole(cells[4], "an ADC zero")) if len(cells) > 4 else 0.0
    first = _whole(cells[5], "an initial value") if len(cells) > 5 else int(zero)
    name = cells[8].strip()[:40] if len(cells) > 8 else ""
    start = int(told[4] or 0)
    return Channel(
        cells[0], int(told[1]), per_frame, start, gain, unit, zero if baseline is None else baseline, first, name
    )


def _length(header: Header, files: dict[str, bytes]) -> int:
    """Frames in the data. Raises DataError where the header claims others."""
    lengths: dict[str, int] = {}
    for name in header.files:
        channels = [channel for channel in header.channels if channel.file == name]
        if len({(channel.format, channel.start) for channel in channels}) > 1:
            raise DataError(f"'{name}' in several formats at once", cure="copy the record again")
        size, of, _ = _FORMATS[channels[0].format]
        samples = max(0, len(files[name]) - channels[0].start) * of // size
        lengths[name] = samples // sum(channel.per_frame for channel in channels)
    shortest = min(lengths.values())
    # signal files may be padded to a whole word; one that is shorter than its header says was cut off
    slack = 2
    if header.length and abs(shortest - header.length) > slack:
        told = f"the header claims {header.length:,} samples a signal and the data hold {shortest:,}"
        raise DataError(told, cure="copy the record again, or mend its header")
    return min(shortest, header.length) if header.length else shortest


def _samples(raw: bytes, channel: Channel, width: int, start: int, stop: int, firsts: Sequence[int]) -> np.ndarray:
    """int [stop - start, width]: the frames as the converter gave them."""
    size, of, _ = _FORMATS[channel.format]
    if channel.format == 8:  # differences: all that came before is needed
        steps = np.frombuffer(raw, np.int8, stop * width, channel.start).reshape(-1, width).astype(np.int64)
        return (np.cumsum(steps, axis=0) + np.array(firsts))[start:]
    begin = start * width // of * of  # the first sample of its group of bytes
    end = -(-stop * width // of) * of
    block = raw[channel.start + begin // of * size : channel.start + end // of * size]
    block += b"\0" * ((end - begin) // of * size - len(block))  # the last group may be cut short
    values = _UNPACK[channel.format](np.frombuffer(block, np.uint8))
    return values[start * width - begin : stop * width - begin].reshape(-1, width)


def _signed(values: np.ndarray, bits: int) -> np.ndarray:
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values)


def _three_bytes(raw: np.ndarray) -> np.ndarray:
    low, middle, high = raw.reshape(-1, 3).astype(np.int32).T
    return _signed(low | middle << 8 | high << 16, 24)


def _format_212(raw: np.ndarray) -> np.ndarray:
    one, shared, other = raw.reshape(-1, 3).astype(np.int32).T
    return _signed(np.stack([one | (shared & 15) << 8, other | shared >> 4 << 8], axis=1).ravel(), 12)


def _format_310(raw: np.ndarray) -> np.ndarray:
    one, other = raw.view("<u2").reshape(-1, 2).astype(np.int32).T
    third = one >> 11 | other >> 11 << 5
    return _signed(np.stack([one >> 1 & 1023, other >> 1 & 1023, third], axis=1).ravel(), 10)


def _format_311(raw: np.ndarray) -> np.ndarray:
    word = raw.view("<u4").astype(np.int64)
    return _signed(np.stack([word & 1023, word >> 10 & 1023, word >> 20 & 1023], axis=1).ravel(), 10)


_UNPACK: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    16: lambda raw: raw.view("<i2"),
    24: _three_bytes,
    32: lambda raw: raw.view("<i4"),
    61: lambda raw: raw.view(">i2"),
    80: lambda raw: raw.astype(np.int32) - 128,
    160: lambda raw: raw.view("<u2").astype(np.int32) - 32768,
    212: _format_212,
    310: _format_310,
    311: _format_311,
}


def _whole(text: str, what: str) -> int:
    try:
        found = int(text)
    except ValueError:
        raise DataError(f"{what} is '{text[:20]}' in the header", cure="copy the record again") from None
    if abs(found) > 1 << 40:
        raise DataError(f"{what} is {found:,} in the header", cure="copy the record again")
    return found


def _number(text: str, what: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise DataError(f"{what} is '{text[:20]}' in the header", cure="copy the record again") from None
    if not np.isfinite(found):
        raise DataError(f"{what} is '{text[:20]}' in the header", cure="mend the header")
    return found
