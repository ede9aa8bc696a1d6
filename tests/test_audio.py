"""Recordings are read: what was written comes back, and whatever else is sent ends in words."""

from __future__ import annotations

import io
import math
import struct
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.prepare import audio
from snowroll.prepare.audio import as_wav, open_sound, resampled


def tone(rate_hz: int = 8_000, seconds: float = 0.5, hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def written(signal: np.ndarray, rate_hz: int, format: str, subtype: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, signal, rate_hz, format=format, subtype=subtype)
    return out.getvalue()


@given(st.lists(st.integers(-32_767, 32_767), min_size=1, max_size=200), st.sampled_from([8_000, 16_000, 44_100]))
def test_what_was_written_comes_back(values: list[int], rate_hz: int) -> None:
    sound = open_sound(as_wav(np.array(values) / 32_767, rate_hz), 1e6)
    assert sound.rate_hz == rate_hz
    assert np.rint(sound.signal * 32_768).astype(int).tolist() == values


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_as_libsndfile_reads_it(subtype: str, channels: int) -> None:
    raw = written(np.stack([tone()] * channels, axis=1), 8_000, "WAV", subtype)
    expected, _ = soundfile.read(io.BytesIO(raw), dtype="float32", always_2d=True)
    sound = open_sound(raw, 1e6)
    assert sound.channels == channels
    np.testing.assert_allclose(sound.signal, expected.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("format", "atol"), [("FLAC", 1e-4), ("OGG", 0.05), ("MP3", 0.05), ("NIST", 1e-4), ("AU", 1e-4), ("AIFF", 1e-4)]
)
def test_other_formats(format: str, atol: float) -> None:
    sound = open_sound(written(tone(16_000), 16_000, format), 1e6)
    assert (sound.rate_hz, sound.format) == (16_000, format)
    middle = slice(2_000, 6_000)
    loudness = np.sqrt(np.square(sound.signal[middle]).mean())
    assert abs(loudness - 0.5 / np.sqrt(2)) < atol
    whole = open_sound(written(tone(16_000), 16_000, format), math.inf)  # as a report draws it
    assert np.array_equal(whole.signal, sound.signal)


def test_channels_are_mixed() -> None:
    both = np.stack([tone(), -tone()], axis=1)
    assert np.abs(open_sound(written(both, 8_000, "WAV", "FLOAT"), 1e6).signal).max() < 1e-6


@given(
    st.sampled_from(["WAV", "FLAC", "OGG", "MP3"]), st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 9_999)
)
def test_damage_ends_in_words_or_in_sound(format: str, place: int, byte: int, cut: int) -> None:
    raw = bytearray(DAMAGED[format])
    raw[place % min(len(raw), 400)] = byte
    said = ""
    try:
        sound = open_sound(bytes(raw[: max(1, len(raw) - cut % len(raw))]), 1e6)
    except DataError as fault:
        said = str(fault)
    else:
        assert np.isfinite(sound.signal).all()
        assert len(sound.signal) <= 1e6
    assert "\n" not in said


DAMAGED = {format: written(tone(), 8_000, format) for format in ("WAV", "FLAC", "OGG", "MP3")}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b"nothing of the kind", "not a recording"),
        (as_wav(tone(), 8_000)[:1_000], "cut off"),
        (as_wav(tone(), 8_000)[:44], "cut off"),
        (as_wav(np.zeros(0), 8_000), "no length"),
        (as_wav(tone(), 100), "sampling rate of 100"),
        (as_wav(tone(), 8_000).replace(b"data", b"date"), "without sound"),
        (as_wav(tone(), 8_000)[:22] + struct.pack("<H", 99) + as_wav(tone(), 8_000)[24:], "99 channels"),
    ],
)
def test_bad_files_in_one_line(raw: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        open_sound(raw, 1e6)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG"])
def test_long_recordings_are_refused_by_their_header(format: str) -> None:
    with pytest.raises(DataError, match="too large"):
        open_sound(written(tone(), 8_000, format), 3_999)
    assert len(open_sound(written(tone(), 8_000, format), 4_000).signal) == 4_000


def test_a_recorder_that_was_switched_off() -> None:
    raw = bytearray(as_wav(tone(), 8_000))
    raw[40:44] = b"\xff" * 4
    assert len(open_sound(bytes(raw), 1e6).signal) == 4_000


def test_plain_wav_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(np.rint(tone() * 32_767).astype("<i2").tobytes())
    assert len(open_sound(out.getvalue(), 1e6).signal) == 4_000
    with pytest.raises(DataError, match="soundfile, which is not installed"):
        open_sound(DAMAGED["FLAC"], 1e6)


@pytest.mark.parametrize(("rate_hz", "to_hz"), [(44_100, 16_000), (8_000, 16_000), (96_000, 8_000), (22_050, 8_000)])
def test_a_tone_keeps_its_pitch(rate_hz: int, to_hz: int) -> None:
    found = resampled(tone(rate_hz, 1.0), rate_hz, to_hz)
    assert abs(len(found) - to_hz) <= 1
    power = np.abs(np.fft.rfft(found[: to_hz // 2]))
    assert abs(power.argmax() * 2 - 440) <= 2
    assert found.dtype == np.float32


def test_what_a_lower_rate_cannot_hold_is_gone() -> None:
    assert np.abs(resampled(tone(16_000, 1.0, 7_000), 16_000, 8_000)[200:-200]).max() < 0.01


def test_names() -> None:
    assert audio.kind_of_sound("a.zip!b/C.FLAC") == "FLAC"
    assert audio.kind_of_sound("a.zip!b/c.csv") is None
