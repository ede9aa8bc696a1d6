"""The networks: one that spells what is said letter by letter, one that tells a few words apart."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.design.speech import HOP_S, Listener, LogMel, Sounds, pooled, shortened, within
from snowroll.tasks.transcribe.options import SpeechOptions, WordOptions

BLANK = 0  # the output that stands for no letter; the letters follow, in the schema's order
_NEVER = -30.0  # nats of what is past the end


class Letters(NamedTuple):
    """What a speller says."""

    logits: Tensor  # [B, M, T, 1 + characters], by each of M models
    frames: Tensor  # [B] of them that are told
    follows: Tensor  # [B, 1 + characters, characters] nats of each letter after each other one, see Speller.follows


class Speller(nn.Module):
    """Sounds to Letters, for connectionist temporal classification (Graves et al. 2006)."""

    follows: Tensor

    def __init__(self, options: SpeechOptions, characters: int) -> None:
        super().__init__()
        self.listener = listener(options)
        self.head = nn.Linear(self.listener.width_out, 1 + characters)
        self.moments = moments(options)
        # log-probabilities of a letter after another (row 0: at the beginning), from the training transcripts
        self.register_buffer("follows", torch.zeros(1 + characters, characters))

    def forward(self, sounds: Sounds) -> Letters:
        steps, frames = self.listener(_fit(sounds))
        # nothing is said past the end, whoever else is in the batch
        logits = self.head(steps) * within(frames, steps.shape[1], steps.dtype).transpose(1, 2)
        if not torch.compiler.is_exporting():  # which is never given less than everything
            logits = F.pad(logits, (0, 0, 0, self.moments - logits.shape[1]))
        return Letters(logits[:, None], frames, self.follows.expand(sounds.signal.shape[0], -1, -1))


class Spellers(nn.Module):
    """Several of them as one, which say all that each says: they spell at moments of their own, so that no mean of
    moments is a spelling (four that had 0.58 of the letters right had 0.13 in the mean). See answers.read.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, sounds: Sounds) -> Letters:
        said = [member(sounds) for member in self.members]
        follows = torch.stack([one.follows for one in said]).logsumexp(dim=0) - log(len(said))
        return Letters(torch.cat([one.logits for one in said], dim=1), said[0].frames, follows)


class Teller(nn.Module):
    """Sounds to logits [B, classes]."""

    def __init__(self, options: WordOptions, classes: int) -> None:
        super().__init__()
        self.listener = listener(options, options.frames)
        self.dropout = nn.Dropout(min(0.5, 2 * options.dropout))
        self.head = nn.Linear(2 * self.listener.width_out, classes)
        nn.init.normal_(self.head.weight, std=0.02 / (2 * self.listener.width_out) ** 0.5)
        nn.init.zeros_(self.head.bias)

    def forward(self, sounds: Sounds) -> Tensor:
        return self.head(self.dropout(pooled(*self.listener(_fit(sounds)))))


def listener(options: SpeechOptions, even: int = 0) -> Listener:
    spectrogram = LogMel(options.rate_hz, options.bands, even, options.each_band)
    return Listener(options.model, spectrogram, options.width, options.depth, options.dropout)


def moments(options: SpeechOptions) -> int:
    """Moments that a network tells of, of what is heard at once."""
    frames = options.length // round(options.rate_hz * HOP_S) + 1
    return (frames + 1) // 2


def _fit(sounds: Sounds) -> Sounds:
    """What is past the end of all costs nothing. An exported graph keeps its one shape."""
    return sounds if torch.compiler.is_exporting() else shortened(sounds)


def certain(said: Letters) -> Tensor:
    """[B, M, T, 1 + characters] log-probabilities; past the end it is certain that there is no letter."""
    logs = said.logits.float().log_softmax(dim=3)
    places = torch.arange(logs.shape[2], device=logs.device)
    past = (places >= said.frames[:, None])[:, None, :, None]
    none = torch.full_like(logs[:1, :1, :1], _NEVER)
    none[..., BLANK] = 0.0
    return torch.where(past, none, logs)
