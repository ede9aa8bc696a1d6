"""Transcripts: how they are heard, spelled, found among all, and judged."""

from __future__ import annotations

from itertools import product

import jiwer
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Prediction
from snowroll.base.task import Fingerprint
from snowroll.design.speech import NAMES, Conformer, Listener, LogMel, MaskedNorm, Sounds, mel_filters, stretched
from snowroll.evaluate.edits import edits
from snowroll.prepare.audio import as_wav
from snowroll.tasks.transcribe.answers import beam, greedy, log_probability, read
from snowroll.tasks.transcribe.example import spoken
from snowroll.tasks.transcribe.listening import heard, speech_of
from snowroll.tasks.transcribe.model import Letters, Speller, Spellers, certain
from snowroll.tasks.transcribe.options import TranscribeOptions, WordOptions
from snowroll.tasks.transcribe.scoring import scorer
from snowroll.tasks.transcribe.task import Transcribe
from snowroll.tasks.transcribe.training import letter_pairs, letters_loss
from snowroll.tasks.transcribe.words.task import SpokenWords

words = st.lists(st.sampled_from(["a", "bb", "c", "dd"]), max_size=6).map(" ".join)


# judged -------------------------------------------------------------------------------------------------------------


@given(words.filter(bool), words)
def test_errors_are_those_of_jiwer(meant: str, said: str) -> None:
    letters, of_words = edits(meant, said), edits(meant.split(), said.split())
    assert letters.total / len(meant) == pytest.approx(jiwer.cer(meant, said))
    assert of_words.total / len(meant.split()) == pytest.approx(jiwer.wer(meant, said))
    assert len(meant) - letters.left_out + letters.added == len(said)


@given(st.text("ab", max_size=6), st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_edits_are_a_distance(one: str, two: str, three: str) -> None:
    assert edits(one, one).total == 0
    assert edits(one, two).total == edits(two, one).total
    assert edits(one, three).total <= edits(one, two).total + edits(two, three).total


def test_a_long_recording_weighs_more() -> None:
    said = [Prediction("abcdefghij", 1.0, 0.0), Prediction("x", 1.0, 0.0)]
    found = scorer(said, ["abcdefghij", "y"])(None)
    assert found["letters_right"] == pytest.approx(10 / 11)
    assert found["exact"] == 0.5


# spelled ------------------------------------------------------------------------------------------------------------


def moments_of(seed: int, length: int, letters: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (length, letters + 1))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    kept = [letter for place, letter in enumerate(path) if not place or path[place - 1] != letter]
    return tuple(letter for letter in kept if letter)


@pytest.mark.parametrize("seed", range(6))
def test_probabilities_are_sums_over_all_ways(seed: int) -> None:
    """Every path of five moments over two letters, one by one; the beam finds the likeliest text of all."""
    logs = moments_of(seed, 5, 2)
    of: dict[tuple[int, ...], float] = {}
    for path in product(range(3), repeat=5):
        text = collapsed(path)
        of[text] = of.get(text, 0.0) + float(np.exp(logs[range(5), path].sum()))
    for text, share in of.items():
        assert np.exp(log_probability(logs, text)) == pytest.approx(share)
    assert sum(of.values()) == pytest.approx(1)
    assert tuple(beam(logs, np.zeros((3, 2)), 1_000, 0.0)) == max(of, key=lambda text: of[text])
    assert tuple(greedy(logs)) == collapsed(tuple(logs.argmax(axis=1).tolist()))


def test_probability_is_minus_the_loss() -> None:
    logs = moments_of(1, 12, 3)
    said = Letters(torch.from_numpy(logs)[None, None].float(), torch.tensor([12]), torch.zeros(1, 4, 3))
    for text in ([1, 2], [2, 2, 1], [3]):
        target = torch.tensor([[*text, -1]])
        loss = letters_loss(said, target)
        assert -log_probability(logs, text) / len(text) == pytest.approx(float(loss), rel=1e-4)


def test_what_cannot_be_said_in_time_teaches_nothing() -> None:
    logits = torch.zeros(2, 3, 4, requires_grad=True)
    said = Letters(logits[:, None], torch.tensor([3, 3]), torch.zeros(2, 4, 3))
    losses = letters_loss(said, torch.tensor([[1, 1, 1], [1, 2, -1]]))
    assert torch.isfinite(losses).all()
    losses.sum().backward()
    assert logits.grad is not None
    assert not logits.grad[0].any()
    assert logits.grad[1].any()


def test_letters_that_follow_each_other_decide_a_tie() -> None:
    """'ab' was read a hundred times, 'aa' never: of two letters as likely by the sound, the one that follows."""
    targets = torch.tensor([[1, 2]] * 100 + [[2, 1]])
    follows = letter_pairs(targets, 2)
    torch.testing.assert_close(follows.exp().sum(dim=1), torch.ones(3))
    logs = np.log(np.array([[0.02, 0.96, 0.02], [0.96, 0.02, 0.02], [0.02, 0.56, 0.42]]))
    assert beam(logs, follows.numpy(), 16, 0.0) == [1, 1]
    assert beam(logs, follows.numpy(), 16, 1.0) == [1, 2]


# heard --------------------------------------------------------------------------------------------------------------


def sounds(lengths: list[int], size: int, seed: int = 0) -> Sounds:
    signal = torch.randn(len(lengths), size, generator=torch.Generator().manual_seed(seed))
    length = torch.tensor(lengths)
    told = torch.arange(size) < length[:, None]
    return Sounds(signal * told, length, torch.zeros(len(lengths), 1, 4))


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_no_feature(name: str) -> None:
    """Alone, or beside a longer one, in training statistics as in evaluation."""
    torch.manual_seed(0)
    network = Listener(name, LogMel(8_000, 24), 4, 1, 0.0)
    network.train()
    network(sounds([3_000, 2_000, 2_500], 3_000, 1))  # statistics that are no longer zero and one
    network.eval()
    with torch.no_grad():
        both, frames = network(sounds([4_000, 1_600], 4_000))
        alone, few = network(
            Sounds(*(part[1:, :1_600] if part.ndim == 2 else part[1:] for part in sounds([4_000, 1_600], 4_000)[:3]))
        )
    assert int(frames[1]) == int(few[0])
    torch.testing.assert_close(both[1, : int(few[0])], alone[0, : int(few[0])], rtol=1e-4, atol=1e-5)
    assert not both[1, int(few[0]) :].any()


def test_statistics_are_of_what_is_told() -> None:
    norm, plain = MaskedNorm(3), torch.nn.BatchNorm1d(3)
    values = torch.randn(4, 3, 10, generator=torch.Generator().manual_seed(2))
    mask = torch.ones(4, 1, 10)
    torch.testing.assert_close(norm(values, mask), plain(values), rtol=1e-4, atol=1e-5)
    mask[:, :, 6:] = 0
    norm, plain = MaskedNorm(3), torch.nn.BatchNorm1d(3)
    torch.testing.assert_close(norm(values, mask)[:, :, :6], plain(values[:, :, :6]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, plain.running_var)


def test_a_spectrogram_is_a_fourier_transform() -> None:
    mel = LogMel(8_000, 24)
    wave = torch.randn(1, 800, generator=torch.Generator().manual_seed(0))
    window = torch.nn.functional.pad(torch.hann_window(200), (28, 28))
    plain = torch.stft(wave, 256, 80, 256, window, center=True, pad_mode="constant", return_complex=True)
    own = torch.nn.functional.conv1d(wave[:, None], mel.sines, stride=80, padding=128)
    real, imaginary = own.chunk(2, dim=1)
    torch.testing.assert_close(real.square() + imaginary.square(), plain.abs().square(), rtol=1e-3, atol=1e-3)
    level, frames = mel(Sounds(wave, torch.tensor([800]), torch.zeros(1, 1, 4)))
    louder, _ = mel(Sounds(3 * wave, torch.tensor([800]), torch.zeros(1, 1, 4)))
    assert int(frames[0]) == 11
    torch.testing.assert_close(level, louder, rtol=1e-3, atol=1e-3)


def test_a_longer_throat_is_heard_lower() -> None:
    """A tone played a tenth higher, through a throat longer by as much, is the tone again; the highest stays there."""
    mel = LogMel(8_000, 24)
    at = torch.arange(4_000) / 8_000
    tone, higher = ((2 * torch.pi * hz * at).sin()[None] for hz in (1_000, 1_100))
    length = torch.tensor([4_000])
    plain, shifted = (mel(Sounds(wave, length, torch.zeros(1, 1, 4)))[0][0, :, 25] for wave in (tone, higher))
    warped = mel(Sounds(higher, length, torch.zeros(1, 1, 4), torch.tensor([1.1]).log()))[0][0, :, 25]
    assert plain.argmax() == warped.argmax() != shifted.argmax()
    filters = mel_filters(24, 129, 8_000, torch.tensor([-0.2, 0.0, 0.2]))
    torch.testing.assert_close(filters.sum(dim=2), torch.ones(3, 24))
    assert filters[:, -1, 127].gt(0).all()
    torch.testing.assert_close(filters[1], mel.filters)


def test_quick_and_slow_speakers_are_one() -> None:
    """What is stretched begins and ends as it did, and runs evenly between; padding is never looked at."""
    values = torch.stack([torch.arange(9.0), torch.arange(9.0)])[:, None]
    values[1, :, 5:] = 99
    even = stretched(values, torch.tensor([9, 5]), 17)
    torch.testing.assert_close(even[0, 0], torch.linspace(0, 8, 17))
    torch.testing.assert_close(even[1, 0], torch.linspace(0, 4, 17))
    level, frames = LogMel(8_000, 24, even=20)(sounds([800, 4_000], 4_000))
    assert level.shape[2] == 20
    assert frames.tolist() == [20, 20]
    with pytest.raises(UsageError, match=r"task\.frames"):
        WordOptions(frames=3)


def test_what_a_microphone_always_raises_is_forgotten() -> None:
    """A filter multiplies each band: with its own mean taken off it leaves no trace, and padding neither."""
    seen = sounds([4_000, 2_000], 4_000)
    filtered = torch.nn.functional.conv1d(seen.signal[:, None], torch.tensor([[[0.6, 1.0, -0.3]]]), padding=1)[:, 0]
    other = seen._replace(signal=filtered * (torch.arange(4_000) < seen.length[:, None]))
    for each_band, most in ((True, 0.3), (False, 3.0)):
        mel = LogMel(8_000, 24, each_band=each_band)
        (plain, frames), (through, _) = mel(seen), mel(other)
        assert (through - plain).abs().mean(dim=2).amax() < most
        assert (through - plain).abs().mean(dim=2).amax() > most / 10
        assert not plain[1, :, int(frames[1]) :].any()
    level, frames = LogMel(8_000, 24, each_band=True)(seen)
    torch.testing.assert_close(level[0].mean(dim=1), torch.zeros(24), rtol=0, atol=1e-4)
    torch.testing.assert_close(level[1, :, : int(frames[1])].mean(dim=1), torch.zeros(24), rtol=0, atol=1e-4)


def test_the_spectrogram_is_not_rounded() -> None:
    mel, seen = LogMel(8_000, 24), sounds([800], 800)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = mel(seen)
    torch.testing.assert_close(rounded, mel(seen)[0])


def test_several_spellers_say_what_each_says() -> None:
    options = TranscribeOptions(rate_hz=8_000, seconds=0.5, bands=24, width=4)
    torch.manual_seed(0)
    one, other = Speller(options, 3).eval(), Speller(options, 3).eval()
    seen, target = sounds([4_000, 2_000], 4_000), torch.tensor([[1, 2], [3, -1]])
    with torch.no_grad():
        alone, second, both = one(seen), other(seen), Spellers([one, other])(seen)
        mean = (letters_loss(alone, target) + letters_loss(second, target)) / 2
        torch.testing.assert_close(letters_loss(both, target), mean)
    torch.testing.assert_close(certain(both), torch.cat([certain(alone), certain(second)], dim=1))
    assert both.frames.tolist() == alone.frames.tolist()


def spelled_at(places: list[tuple[int, int]], length: int, sure: float) -> np.ndarray:
    """[length, 4] log-probabilities of a model that spells each letter at one moment."""
    shares = np.full((length, 4), (1 - sure) / 3)
    shares[:, 0] = sure
    for place, letter in places:
        shares[place] = (1 - sure) / 3
        shares[place, letter] = sure
    return np.log(shares)


def test_models_that_spell_at_moments_of_their_own_agree_on_a_text() -> None:
    """Their mean at each moment would be silence; two of three heard the same, the third is as sure of another."""
    logs = np.stack(
        [
            spelled_at([(1, 1), (5, 2)], 8, 0.9),
            spelled_at([(2, 1), (6, 2)], 8, 0.9),
            spelled_at([(3, 3), (7, 2)], 8, 0.9),
        ]
    )
    assert greedy(np.log(np.exp(logs).mean(axis=0))) == []
    outputs = {"letters": logs[None].astype(np.float32), "follows": np.zeros((1, 4, 3), np.float32)}
    for decoder in ("greedy", "beam"):
        (said,) = read(outputs, {"characters": "abc"}, TranscribeOptions(decoder=decoder))
        assert said.value == "ab"
        each = [np.exp(log_probability(one, [1, 2])) for one in logs]
        assert said.probability == pytest.approx(np.mean(each), rel=1e-4)


@pytest.mark.parametrize(("groups", "folds"), [(0, 0), (2, 0), (3, 3), (4, 4), (12, 4), (40, 0)])
def test_few_speakers_are_folds(groups: int, folds: int) -> None:
    facts = {"rate_hz": 8_000, "seconds": 0.5, "longest_s": 1.0, "most_s": 0.6, "groups": groups}
    asked = Fingerprint({"train": 900, "val": 100, "test": 0}, {}, facts, "cpu", 1, True, None)
    planned = {one.key: one.value for one in SpokenWords().plan(asked)}
    assert planned["train.folds"] == folds
    assert planned["train.precision"] == "fp32"
    assert planned["task.colour_db"] == (15.0 if 0 < groups <= 12 else 6.0)


@pytest.mark.parametrize(
    ("n", "device", "planned"),
    [
        (720, "cpu", {"train.folds": 4, "train.batch": 16}),
        (720, "cuda", {"train.folds": 4}),
        (30_000, "cpu", {"train.folds": 0, "train.batch": 64}),
    ],
)
def test_few_hours_of_sentences_are_planned_otherwise(n: int, device: str, planned: dict[str, object]) -> None:
    facts = {"rate_hz": 8_000, "seconds": 2.5, "longest_s": 5.0, "most_s": 4.0, "groups": 5}
    asked = Fingerprint({"train": n, "val": 100, "test": 0}, {}, facts, device, 1, True, None)
    told = {one.key: one.value for one in Transcribe().plan(asked)}
    assert told["task.each_band"] is True
    assert (told["task.model"], told["train.optimizer"]) == ("crnn", "muon")
    assert {key: told[key] for key in planned} == planned


def test_strips_are_hidden() -> None:
    seen = sounds([800], 800)
    mel = LogMel(8_000, 24)
    level, _ = mel(seen._replace(hidden=torch.tensor([[[0.0, 0.5, 0.0, 2.0]]])))
    assert not level[0, :, :5].any()
    assert level[0, :, 6:].any(dim=0).all()


def test_conformers_look_at_no_padding() -> None:
    block = Conformer(8, 2, 0.0).eval()
    steps = torch.randn(1, 6, 8)
    mask = torch.tensor([[[1.0, 1, 1, 1, 0, 0]]])
    other = steps.clone()
    other[:, 4:] = 9
    torch.testing.assert_close(block(steps, mask), block(other, mask))


def test_silence_is_trimmed() -> None:
    signal = np.concatenate([np.zeros(8_000), spoken("ai", 1, 1)[400:-400], np.zeros(8_000)])
    start, stop = speech_of(signal, 8_000)
    assert 6_500 < start < 8_000
    assert stop < len(signal) - 6_500
    raw = as_wav(signal, 8_000)
    assert len(heard(raw, TranscribeOptions(rate_hz=8_000, trim=True), 100)) < 6_000


def test_a_faint_s_is_no_silence_and_a_hum_is() -> None:
    """Both 25 dB under the vowel before them."""
    at = np.arange(4_000) / 8_000
    vowel = np.sin(2 * np.pi * 400 * at)
    hiss, hum = (10 ** (-25 / 20) * np.sin(2 * np.pi * hz * at) for hz in (3_300, 60))
    assert speech_of(np.concatenate([vowel, hiss]), 8_000, 30.0)[1] > 7_900
    assert speech_of(np.concatenate([vowel, hum]), 8_000, 30.0)[1] < 4_400


def test_of_what_is_too_long_a_word_is_found_and_a_text_is_refused() -> None:
    signal = np.concatenate([np.zeros(20_000), spoken("a", 1, 1), np.zeros(20_000)])
    raw = as_wav(signal, 8_000)
    found = heard(raw, WordOptions(rate_hz=8_000, seconds=0.5), 100)
    assert len(found) == 4_000
    assert np.square(found).sum() > 0.9 * np.square(signal).sum()
    with pytest.raises(DataError, match=r"hears 0\.5 s at once"):
        heard(raw, TranscribeOptions(rate_hz=8_000, seconds=0.5), 100)
    with pytest.raises(DataError, match="too short"):
        heard(as_wav(signal[:100], 8_000), TranscribeOptions(), 100)
