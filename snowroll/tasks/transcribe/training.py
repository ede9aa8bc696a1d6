"""Losses, and whole-batch augmentation of sound: the voice, the room, the microphone; each by its own draw."""

from __future__ import annotations

from dataclasses import replace
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from snowroll.base.nouns import Batch
from snowroll.base.task import Columns, Draw
from snowroll.design.speech import Sounds
from snowroll.tasks.transcribe.listening import FULL
from snowroll.tasks.transcribe.model import BLANK, Letters
from snowroll.tasks.transcribe.options import SpeechOptions

STRIPS = 2  # of time and of pitch, each
_TONES = 5  # from the lowest to the highest, whose gains are drawn
_ROOM_S = 0.25  # of an echo
_LOUD_DB, _FAINT_DB = 5.0, 40.0  # noise below the voice
_FADING = 6.9  # natural logarithm of the thousandth to which an echo has fallen after its time (ISO 3382: -60 dB)


def sounds_of(columns: Columns) -> Sounds:
    """The pack's columns as a network takes them."""
    signal = columns["signal"].float() / FULL
    return Sounds(signal, columns["length"].long(), signal.new_zeros(len(signal), 2 * STRIPS, 4))


def letters_loss(said: Letters, targets: Tensor) -> Tensor:
    """[B] nats a letter, in the mean of the models. targets: int64 [B, S], -1 past the end; BLANK is no letter.

    A transcript with more letters than the recording has moments can never be said: it counts as one that is guessed,
    without a gradient.
    """
    models = said.logits.shape[1]
    logs = said.logits.flatten(0, 1).float().log_softmax(dim=2).transpose(0, 1)
    targets, frames = targets.repeat_interleave(models, dim=0), said.frames.repeat_interleave(models)
    sizes = (targets >= 0).sum(dim=1)
    doubled = ((targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] >= 0)).sum(dim=1)  # a blank goes between them
    nats = F.ctc_loss(logs, targets.clamp(min=1), frames, sizes, BLANK, reduction="none", zero_infinity=True)
    guessed = sizes * log(logs.shape[2])
    nats = torch.where(sizes + doubled > frames, guessed.to(nats.dtype), nats)
    return (nats / sizes.clamp(min=1)).unflatten(0, (-1, models)).mean(dim=1)


def word_loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """[B] cross-entropy, smoothed while it learns."""
    amount = smoothing if logits.requires_grad else 0.0
    return F.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=amount)


def letter_pairs(targets: Tensor, characters: int) -> Tensor:
    """float32 [1 + characters, characters]: nats of each letter after each other one, and (row 0) at the beginning.

    Pairs are counted in the training transcripts; each row is drawn towards the letters' own shares by as much as one
    pair in ten (Jelinek & Mercer 1980). targets: as of `letters_loss`.
    """
    before = F.pad(targets[:, :-1], (1, 0), value=0).clamp(min=0)
    told = targets >= 0
    pairs = torch.zeros(1 + characters, characters)
    ones = torch.ones(int(told.sum()))
    pairs.index_put_((before[told], targets[told] - 1), ones, accumulate=True)
    alone = pairs.sum(dim=0) + 1
    alone = alone / alone.sum()
    shares = pairs / pairs.sum(dim=1, keepdim=True).clamp(min=1)
    mixed = torch.where(pairs.sum(dim=1, keepdim=True) > 0, 0.9 * shares + 0.1 * alone, alone.expand_as(pairs))
    return mixed.log()


def augment(batch: Batch, draw: Draw, options: SpeechOptions) -> Batch:
    """The voice first, then where it stands, the room, the microphone, and strips that are hidden."""
    signal, length, hidden, warp = batch.inputs
    if options.speed:
        signal, length = faster(signal, length, draw, options.speed)
    if options.shift_s:
        signal, length = later(signal, length, draw, options.shift_s * options.rate_hz)
    if options.room or options.colour_db:
        signal = in_a_room(signal, length, draw, options)
    if options.noise:
        signal = noisy(signal, length, draw, options.noise)
    if options.hide:
        hidden = strips(draw, options.hide).to(signal)
    if options.throat:
        warp = options.throat * (2 * draw.uniform("throat") - 1).to(signal)
    return replace(batch, inputs=Sounds(signal, length, hidden, warp))


def faster(signal: Tensor, length: Tensor, draw: Draw, most: float) -> tuple[Tensor, Tensor]:
    """Played at another speed, linear between values: another pitch, another size of head (Ko et al. 2015). What
    would not fit any more is played no slower than it fits."""
    size = signal.shape[1]
    factor = torch.exp((2 * draw.uniform("speed") - 1) * most).to(length.device)
    factor = torch.maximum(factor, length / size)
    at = torch.arange(size, device=signal.device) * factor[:, None]
    left = at.floor().clamp(max=size - 2)
    share, index = (at - left).clamp(0, 1), left.long()
    played = signal.gather(1, index) * (1 - share) + signal.gather(1, index + 1) * share
    length = (length / factor).long().clamp(1, size)
    return played * _told(length, signal), length


def later(signal: Tensor, length: Tensor, draw: Draw, most: float) -> tuple[Tensor, Tensor]:
    """Silence before and after, as far as there is room."""
    size = signal.shape[1]
    before = torch.minimum((draw.uniform("before") * most).long().to(length.device), size - length)
    at = torch.arange(size, device=signal.device) - before[:, None]
    moved = signal.gather(1, at.clamp(min=0)) * (at >= 0)
    after = (draw.uniform("after") * most).long().to(length.device)
    return moved, (length + before + after).clamp(max=size)


def in_a_room(signal: Tensor, length: Tensor, draw: Draw, options: SpeechOptions) -> Tensor:
    """Some of them with the echo of an invented room: noise that fades, after the voice itself (Moorer 1979); all
    through an invented microphone, whose gain runs in straight lines between a few tones."""
    points = round(_ROOM_S * options.rate_hz)
    seconds = torch.arange(points, device=signal.device) / options.rate_hz
    fades = torch.exp(-_FADING * seconds / (0.05 + 0.3 * draw.uniform("room size", 1)))
    strength = 0.15 * draw.uniform("room", 1) * (draw.uniform("in a room", 1) < options.room)
    echo = (2 * draw.uniform("echo", points) - 1) * fades * strength
    echo[:, 0] = 1.0
    size = signal.shape[1]
    # of its own length, and not of the batch's: a convolution by Fourier transforms rounds alike then
    whole = 1 << (size + points - 1).bit_length()
    tones = torch.fft.rfft(signal, whole) * torch.fft.rfft(echo, whole)
    gains = options.colour_db * (2 * draw.uniform("colour", 1, _TONES) - 1)
    gains = F.interpolate(gains.to(signal), size=tones.shape[1], mode="linear", align_corners=True)[:, 0]
    return torch.fft.irfft(tones * 10 ** (gains / 20), whole)[:, :size] * _told(length, signal)


def noisy(signal: Tensor, length: Tensor, draw: Draw, share: float) -> Tensor:
    """Some of them with white noise, from faint to as loud as speech in the next room."""
    level = (signal.square().sum(dim=1, keepdim=True) / length[:, None]).sqrt()
    below = _LOUD_DB + (_FAINT_DB - _LOUD_DB) * draw.uniform("noise level", 1)
    strength = level * 10 ** (-below / 20) * (draw.uniform("noisy", 1) < share)
    white = (2 * draw.uniform("noise", signal.shape[1]) - 1) * 3**0.5
    return (signal + strength * white) * _told(length, signal)


def strips(draw: Draw, most: float) -> Tensor:
    """[B, 2 STRIPS, 4] rectangles of Sounds: STRIPS over all pitches, STRIPS over all time."""
    wide = most * draw.uniform("hidden width", 2 * STRIPS)
    start = (1 - wide) * draw.uniform("hidden place", 2 * STRIPS)
    none, all_ = torch.zeros_like(wide), torch.full_like(wide, 2.0)
    in_time = torch.stack([start, start + wide, none, all_], dim=2)
    in_pitch = torch.stack([none, all_, start, start + wide], dim=2)
    return torch.cat([in_time[:, :STRIPS], in_pitch[:, STRIPS:]], dim=1)


def _told(length: Tensor, signal: Tensor) -> Tensor:
    return (torch.arange(signal.shape[1], device=signal.device) < length[:, None]).to(signal.dtype)
