"""From a recording's bytes to the values that a network hears: one channel, one rate, 16 bits. No torch."""

from __future__ import annotations

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.audio import open_sound, resampled
from snowroll.tasks.transcribe.options import QUIET_DB, SpeechOptions

SHORTEST_S = 0.03  # a window of the spectrogram and a hop
FULL = 32_767.0
MARGIN_S = 0.02  # kept on either side of what was trimmed
_STEP_S = 0.01


def heard(raw: bytes, options: SpeechOptions, megapixels: float) -> np.ndarray:
    """float32 [n] at `options.rate_hz`, full scale 1, rounded to 16 bits as the pack keeps it. Raises DataError.

    Longer than `options.seconds`: refused, or, where `options.cut` says so, the loudest part of that length.
    """
    sound = open_sound(raw, megapixels * 1e6)
    signal = resampled(sound.signal, sound.rate_hz, options.rate_hz)
    if options.trim:
        start, stop = speech_of(signal, options.rate_hz, options.quiet_db)
        signal = signal[start:stop]
    if len(signal) > options.length:
        if not options.cut:
            told = f"{len(signal) / options.rate_hz:.1f} s, and the model hears {options.seconds:g} s at once"
            raise DataError(told, cure="cut it at a pause, or send it to /v1/transcribe")
        start = loudest(signal, options.length)
        signal = signal[start : start + options.length]
    if len(signal) < SHORTEST_S * options.rate_hz:
        raise DataError(f"{1e3 * len(signal) / options.rate_hz:.0f} ms of sound: too short", cure="remove it")
    return (np.rint(np.clip(signal, -1, 1) * FULL) / FULL).astype(np.float32)


def encoded(signal: np.ndarray, options: SpeechOptions) -> dict[str, np.ndarray]:
    """The columns of the pack: signal int16 [length], zeros past its end; length int32 []."""
    whole = np.zeros(options.length, np.int16)
    whole[: len(signal)] = np.rint(signal * FULL)
    return {"signal": whole, "length": np.array(len(signal), np.int32)}


def key_of(options: SpeechOptions) -> Json:
    """The options that decide what `encoded` returns."""
    return [options.rate_hz, options.length, options.trim and options.quiet_db, options.cut]


def levels_db(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """[n] level of each hundredth of a second, in dB of full scale."""
    step = max(1, round(_STEP_S * rate_hz))
    whole = np.asarray(signal[: len(signal) // step * step], np.float64)
    power = np.square(whole.reshape(-1, step)).mean(axis=1) if len(whole) else np.square(signal).mean(keepdims=True)
    return 10 * np.log10(power + 1e-12)


def speech_of(signal: np.ndarray, rate_hz: float, quiet_db: float = QUIET_DB) -> tuple[int, int]:
    """(first, last + 1) value of what is louder than `quiet_db` under the loudest moment, with a margin. High tones
    count for more: an 's' is faint, and no silence."""
    if not len(signal):
        return 0, 0
    levels = levels_db(np.diff(signal, prepend=signal[:1]), rate_hz)
    loud = np.flatnonzero(levels > levels.max() - quiet_db)
    margin, step = round(MARGIN_S * rate_hz), max(1, round(_STEP_S * rate_hz))
    return max(0, int(loud[0]) * step - margin), min(len(signal), (int(loud[-1]) + 1) * step + margin)


def loudest(signal: np.ndarray, length: int) -> int:
    """Where the part of this length with the most energy begins."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(signal, dtype=np.float64))])
    return int(np.argmax(energy[length:] - energy[:-length]))
