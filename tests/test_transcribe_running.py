"""Speech as it runs on: cut at pauses whatever the portions, and told piece by piece with the whole's answer."""

from __future__ import annotations

import base64
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.prepare.audio import as_wav, open_sound
from snowroll.tasks.transcribe.example import spoken
from snowroll.tasks.transcribe.listening import heard
from snowroll.tasks.transcribe.options import SpeechOptions, TranscribeOptions, WordOptions
from snowroll.tasks.transcribe.running import PAUSE_S, Utterances, parts_of, transcribe

RATE_HZ = 8_000
OPTIONS = TranscribeOptions()
SCHEMA = {"type": "transcript", "characters": "ab"}


def talk(gaps: list[float], seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """(a signal of stretches of speech with pauses before each, where they begin)."""
    rng = np.random.default_rng(seed)
    parts, starts, at = [], [], 0
    for number, gap in enumerate([*gaps, 0.7]):
        hiss = rng.normal(0, 0.002, round(gap * RATE_HZ))
        parts.append(hiss)
        at += len(hiss)
        if number < len(gaps):
            said = spoken("ai", 1, number)
            starts.append(at)
            parts.append(said)
            at += len(said)
    return np.concatenate(parts).astype(np.float32), starts


def cut(signal: np.ndarray, sizes: list[int], options: SpeechOptions = OPTIONS) -> list[tuple[int, bytes]]:
    live, found, at = Utterances(RATE_HZ, options), [], 0
    for size in sizes:
        found += live.feed(signal[at : at + size, None])
        at += size
    return [*found, *live.feed(signal[at:, None]), *live.close()]


def test_each_stretch_between_pauses_is_one() -> None:
    signal, starts = talk([1.0, 0.8, 1.2])
    found = cut(signal, [])
    assert len(found) == 3
    for (first, raw), start in zip(found, starts, strict=True):
        assert abs(first - start) < 0.25 * RATE_HZ
        assert len(open_sound(raw, 1e9).signal) < 0.9 * RATE_HZ


@settings(max_examples=15)
@given(st.lists(st.integers(1, 3_000), max_size=20))
def test_portions_do_not_matter(sizes: list[int]) -> None:
    signal, _ = talk([1.0, 0.8])
    assert cut(signal, sizes) == cut(signal, [])


def test_it_is_told_soon_and_silence_says_nothing() -> None:
    signal, starts = talk([1.0])
    live = Utterances(RATE_HZ, OPTIONS)
    end = starts[0] + len(spoken("ai", 1, 0))
    assert live.feed(signal[: end + round((PAUSE_S + 0.05) * RATE_HZ), None])
    assert cut(np.zeros(3 * RATE_HZ, np.float32), []) == []
    assert len(live._kept) < RATE_HZ


@settings(max_examples=20)
@given(st.integers(1, 40), st.floats(0.2, 4.0), st.sampled_from([4_000, 8_000, 11_025, 44_100]), st.integers(1, 3_000))
def test_who_never_pauses_is_cut_to_what_is_heard_at_once(n: int, seconds: float, to_hz: int, size: int) -> None:
    """Each stretch can be heard, none is lost between two, and portions do not matter."""
    options = TranscribeOptions(rate_hz=to_hz, seconds=round(seconds, 2))
    quiet = np.random.default_rng(0).normal(0, 0.002, RATE_HZ)
    signal = np.concatenate([quiet, spoken("aiue" * 10, 1, 0)[: n * RATE_HZ // 5], quiet]).astype(np.float32)
    found = cut(signal, [], options)
    assert found == cut(signal, [size] * 5, options)
    stops = [first + len(open_sound(raw, 1e9).signal) for first, raw in found]
    assert stops[:-1] == [first for first, _ in found[1:]]
    assert found[0][0] <= RATE_HZ
    assert stops[-1] >= len(signal) - 1.25 * RATE_HZ  # the last loud moment, and a little more
    for _, raw in found:
        heard(raw, options, 100.0)
    assert len(cut(signal, [], WordOptions(rate_hz=to_hz, seconds=round(seconds, 2)))) == 1  # its loudest part is heard


@pytest.mark.parametrize("rate_hz", [-8_000.0, 0.0, 50.0, 1e9, float("nan")])
def test_a_rate_that_is_none_is_refused_at_the_door(rate_hz: float) -> None:
    with pytest.raises(DataError, match="no rate of sound"):
        Utterances(rate_hz, OPTIONS)


@settings(max_examples=20)
@given(st.integers(1, 100_000))
def test_parts_are_the_whole(size: int) -> None:
    options = TranscribeOptions(rate_hz=RATE_HZ, seconds=2.0)
    parts = parts_of(np.random.default_rng(size).normal(0, 0.1, size), options.length, RATE_HZ)
    assert (parts[0][0], parts[-1][1]) == (0, size)
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    assert all(0 < stop - start <= options.length for start, stop in parts)


class Ears:
    """A model that hears an 'a' for each whole half second."""

    def prepared(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        return {"signal": arrays[0]}

    def run(self, prepared: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        count = len(prepared["signal"]) // (RATE_HZ // 2)
        logs = np.full((1, 2 * count + 2, 3), -20.0, np.float32)
        logs[0, ::2, 0] = -1e-9
        logs[0, 1 : 2 * count : 2, 1] = -1e-9
        logs[0, 2 * count + 1 :, 0] = -1e-9
        return {"letters": logs[:, None], "follows": np.zeros((1, 3, 2), np.float32)}


def test_a_text_grows_and_ends_as_the_whole() -> None:
    options = TranscribeOptions(rate_hz=RATE_HZ, seconds=3.0)
    raw = as_wav(np.random.default_rng(0).normal(0, 0.1, 2 * RATE_HZ), RATE_HZ)
    same, pieces = transcribe(Ears(), {"audio": base64.b64encode(raw).decode()}, SCHEMA, options)  # type: ignore[arg-type]
    *partial, last = list(pieces)
    assert same == raw
    assert [piece["text"] for piece in partial] == ["a", "aa", "aaa"]
    assert last.value == "aaaa"
    long = as_wav(np.random.default_rng(0).normal(0, 0.1, 8 * RATE_HZ), RATE_HZ)
    *partial, last = list(transcribe(Ears(), {"audio": base64.b64encode(long).decode()}, SCHEMA, options)[1])  # type: ignore[arg-type]
    assert 12 <= len(last.value) <= 16
    assert partial[-1]["until_s"] <= 8


@pytest.mark.parametrize("asked", [{}, {"audio": "!"}, {"audio": 3}, {"sound": "AA=="}, {"audio": "AA=="}])
def test_what_is_no_sound_is_told(asked: dict) -> None:
    with pytest.raises(DataError):
        transcribe(Ears(), asked, SCHEMA, TranscribeOptions())  # type: ignore[arg-type]
