"""Recorded sound as one channel of numbers: WAV by our own reader, all others through libsndfile. No torch.

Files are foreign: what a header claims is compared with the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from snowroll.base.errors import DataError

SLOWEST_HZ, FASTEST_HZ = 1_000, 384_000
MOST_CHANNELS = 32
ENDINGS = {
    "wav": "WAV", "wave": "WAV", "flac": "FLAC", "ogg": "OGG", "oga": "OGG", "opus": "OGG", "mp3": "MP3", "au": "AU",
    "aif": "AIFF", "aiff": "AIFF", "sph": "NIST",
}  # fmt: skip
_INSTALL = "pip install 'snowroll[audio]', or convert it to WAV"
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_LARGEST_RATIO = 1_000  # of two sampling rates without common divisors: beyond it the nearest fraction is taken


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A recording as its file tells it, all channels mixed into one."""

    signal: np.ndarray  # float32 [n], full scale is 1
    rate_hz: float
    channels: int = 1  # in the file
    format: str = "WAV"

    @property
    def seconds(self) -> float:
        return len(self.signal) / self.rate_hz


def kind_of_sound(where: str) -> str | None:
    """What a file's name says it is; None for no recording.

    >>> kind_of_sound("a/1.WAV"), kind_of_sound("b.mp3"), kind_of_sound("c.txt")
    ('WAV', 'MP3', None)
    """
    return ENDINGS.get(where.lower().rpartition(".")[2])


def sniff(raw: bytes) -> str | None:
    """The format by the first bytes, whatever the file is called."""
    if raw[:4] in (b"RIFF", b"RIFX", b"RF64") and raw[8:12] == b"WAVE":
        return "WAV"
    if raw[:4] == b"fLaC":
        return "FLAC"
    if raw[:4] == b"OggS":
        return "OGG"
    if raw[:3] == b"ID3" or (len(raw) > 2 and raw[0] == 0xFF and raw[1] & 0xE6 == 0xE2):
        return "MP3"
    if raw[:4] == b"FORM" and raw[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    # SPHERE, also in files called .WAV
    return "AU" if raw[:4] == b".snd" else "NIST" if raw[:7] == b"NIST_1A" else None


def open_sound(raw: bytes, most_values: float) -> Sound:
    """The recording in a file's bytes. Raises DataError for what is none, or has more than `most_values` numbers."""
    if not raw:
        raise DataError("the file is empty", cure="remove it")
    format = sniff(raw)
    if format is None:
        raise DataError(
            "not a recording that is read (WAV, FLAC, OGG, MP3, AIFF, AU, SPHERE)", cure="convert it to WAV"
        )
    values, rate = _own_wav(raw, most_values) or _by_library(raw, format, most_values)
    if not len(values):
        raise DataError("a recording of no length", cure="remove it")
    if not np.isfinite(values).all():
        raise DataError("a recording with values that are no numbers", cure="export it again")
    return Sound(values.mean(axis=1, dtype=np.float32), float(rate), values.shape[1], format)


def resampled(signal: np.ndarray, rate_hz: float, to_hz: float) -> np.ndarray:
    """float32 [n * to / from, rounded up]: polyphase with an antialiasing filter."""
    if rate_hz == to_hz:
        return np.asarray(signal, np.float32)
    from fractions import Fraction

    from scipy.signal import resample_poly

    up, down = round(to_hz), round(rate_hz)
    shared = gcd(up, down)
    up, down = up // shared, down // shared
    if max(up, down) > _LARGEST_RATIO:
        near = Fraction(to_hz / rate_hz).limit_denominator(_LARGEST_RATIO)
        up, down = max(1, near.numerator), near.denominator
    return np.asarray(resample_poly(np.asarray(signal, np.float32), up, down), np.float32)


def as_wav(signal: np.ndarray, rate_hz: int) -> bytes:
    """One channel of 16 bits. signal: float [n], cut at full scale."""
    values = np.rint(np.clip(signal, -1, 1) * 32_767).astype("<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + len(values), b"WAVE", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16
    )
    return head + struct.pack("<4sI", b"data", len(values)) + values


# WAV ----------------------------------------------------------------------------------------------------------------


def _own_wav(raw: bytes, most_values: float) -> tuple[np.ndarray, int] | None:
    """(float32 [n, channels], Hz) of plain PCM or float WAV; None for what another reader must try (A-law, ADPCM)."""
    if raw[:4] != b"RIFF" or sniff(raw) != "WAV":
        return None
    told, data = _chunks(raw)
    code, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", told)
    if code == _EXTENSIBLE and len(told) >= 26:
        (code,) = struct.unpack_from("<H", told, 24)
    if code not in (_PCM, _FLOAT):
        return None
    width = bits // 8
    if bits % 8 or width not in ((1, 2, 3, 4) if code == _PCM else (4, 8)):
        raise DataError(f"WAV samples of {bits} bits", cure="convert it to 16 bits")
    _refuse_odd(rate, channels)
    if block != width * channels:
        raise DataError(f"a WAV header that contradicts itself: {block} bytes a frame of {channels} x {bits} bits")
    frames = len(data) // block
    _refuse_large(frames * channels, most_values)
    values = _numbers(data[: frames * block], code, width).reshape(-1, channels)
    return values, rate


def _chunks(raw: bytes) -> tuple[bytes, memoryview]:
    """(the format, the samples' bytes). What stands after the samples is left alone; a recorder that was switched off
    leaves a length of zero or of all bits set, which stands for the rest of the file."""
    told, at = b"", 12
    whole = memoryview(raw)
    while at + 8 <= len(raw):
        name, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        if name == b"fmt ":
            told = raw[at + 8 : at + 8 + min(size, 64)]
            if len(told) < 16:
                raise DataError("a WAV header that is cut off", cure="export it again")
        if name == b"data":
            if not told:
                raise DataError("a WAV whose samples come before its format", cure="export it again")
            there = len(raw) - at - 8
            if size in (0, 0xFFFFFFFF, 0xFFFFFFFE) and there:
                size = there
            if size > there:
                raise DataError(
                    f"cut off: its header claims {size:,} bytes of sound and {there:,} follow", cure="copy it again"
                )
            return told, whole[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise DataError("a WAV without sound in it", cure="export it again")


def _numbers(data: memoryview, code: int, width: int) -> np.ndarray:
    if code == _FLOAT:
        return np.frombuffer(data, f"<f{width}").astype(np.float32)
    if width == 1:  # the only unsigned one
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (wide.reshape(-1).view("<i4") / np.float32(2**31)).astype(np.float32)
    return (np.frombuffer(data, f"<i{width}") / np.float32(2.0 ** (8 * width - 1))).astype(np.float32)


def _refuse_odd(rate: float, channels: int) -> None:
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise DataError(f"a sampling rate of {rate:,} Hz", cure=f"mend its header: {SLOWEST_HZ:,} to {FASTEST_HZ:,}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise DataError(f"{channels:,} channels, and {MOST_CHANNELS} are the most", cure="mix it to one")


def _refuse_large(values: float, most: float) -> None:
    if values > most:
        told = f"too large: {values / 1e6:,.0f} million values of sound, and the limit is {most / 1e6:g} million"
        raise DataError(told, cure="cut it into pieces, or raise --prepare.megapixels")


# the others -----------------------------------------------------------------------------------------------------------


def _by_library(raw: bytes, format: str, most_values: float) -> tuple[np.ndarray, int]:
    sf: Any
    try:
        import soundfile as sf
    except (ImportError, OSError):  # the second: its library does not load on this system
        raise DataError(f"{format} of this kind needs soundfile, which is not installed", cure=_INSTALL) from None
    try:
        with sf.SoundFile(io.BytesIO(raw)) as file:
            _refuse_odd(file.samplerate, file.channels)
            _refuse_large(file.frames * file.channels, most_values)  # MP3 and OGG tell it from their last page
            known = file.frames if file.frames > 0 else math.inf
            most = min(known, most_values // file.channels if math.isfinite(most_values) else math.inf)
            values = file.read(int(most) if math.isfinite(most) else -1, dtype="float32", always_2d=True)
            return values, int(file.samplerate)
    except DataError:
        raise
    except (sf.SoundFileError, RuntimeError, OSError, ValueError, MemoryError, TypeError) as fault:
        told = " ".join(str(fault).split()).rpartition(": ")[2][:100] or type(fault).__name__
        raise DataError(f"a damaged {format} ({told})", cure="replace the file") from None
