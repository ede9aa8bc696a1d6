"""Networks that listen: sound to a log-mel spectrogram, and that to features of each moment. Lengths differ.

Everything past a recording's end is held at zero before every layer that looks to its sides, so that padding changes
no answer. All of it is exported: the spectrogram is a convolution with sines.
"""

from __future__ import annotations

import itertools
from math import pi
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.design.attention import attended

NAMES = ("crnn", "cnn", "conformer")
HOP_S, WINDOW_S = 0.010, 0.025
_LOUDEST = 1e-3  # of a recording's mean mel energy: what is fainter is silence


class Sounds(NamedTuple):
    """What a network takes."""

    signal: Tensor  # float32 [B, L]; zeros past the end
    length: Tensor  # int64 [B] values of it
    hidden: Tensor  # float32 [B, M, 4]: rectangles that are not shown, from and to in time and in pitch, in [0, 1]
    warp: Tensor | None = None  # float32 [B]: ln of how much longer a throat is heard; None: as it is


def mel_filters(bands: int, bins: int, rate_hz: float, warp: Tensor) -> Tensor:
    """[B, bands, bins] triangles on the mel scale (O'Shaughnessy 1987), each of area one in bins.

    warp: [B] ln of the factor by which each set of them lies higher, for a throat as much longer; up to 4/5 of the
    highest tone, from where a straight line leads to it (Jaitly & Hinton 2013, equation 1).
    """
    top = rate_hz / 2
    low, high = _mel(torch.tensor([60.0, top])).tolist()
    hz = (700 * torch.expm1(torch.linspace(low, high, bands + 2) / 1127)).to(warp)
    factor = warp.exp()[:, None]
    knee = 0.8 * top * factor.reciprocal().clamp(max=1)
    edges = torch.where(hz <= knee, hz * factor, top - (top - knee * factor) * (top - hz) / (top - knee))
    edges = _mel(edges)[:, :, None]
    at = _mel(torch.linspace(0, top, bins).to(warp))
    rise = (at - edges[:, :-2]) / (edges[:, 1:-1] - edges[:, :-2])
    fall = (edges[:, 2:] - at) / (edges[:, 2:] - edges[:, 1:-1])
    filters = torch.minimum(rise, fall).clamp(min=0)
    return filters / filters.sum(dim=2, keepdim=True).clamp(min=1e-6)


def _mel(hz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(hz / 700.0)


class LogMel(nn.Module):
    """Sounds to (float32 [B, bands, T], 0 its mean and 1 its deviation; frames [B])."""

    sines: Tensor
    filters: Tensor

    def __init__(self, rate_hz: float, bands: int, even: int = 0, each_band: bool = False) -> None:
        """even: frames to which all are stretched; 0: none is. each_band: 0 is each band's own mean, not that of all
        (cepstral mean normalisation; Atal 1974): what a voice or a microphone raises throughout is forgotten. Needs
        more than a word.
        """
        super().__init__()
        self.rate_hz, self.even, self.each_band = rate_hz, even, each_band
        self.hop = round(rate_hz * HOP_S)
        window = round(rate_hz * WINDOW_S)
        self.size = 1 << (window - 1).bit_length()
        shape = F.pad(torch.hann_window(window), ((self.size - window) // 2, (self.size - window + 1) // 2))
        bins = self.size // 2 + 1
        angle = 2 * pi * torch.arange(bins)[:, None].double() * torch.arange(self.size).double() / self.size
        sines = torch.cat([angle.cos(), angle.sin()]).float() * shape
        self.register_buffer("sines", sines[:, None], persistent=False)
        self.register_buffer("filters", mel_filters(bands, bins, rate_hz, torch.zeros(1))[0], persistent=False)

    def forward(self, sounds: Sounds) -> tuple[Tensor, Tensor]:
        mel = self._energies(sounds)
        frames = torch.div(sounds.length, self.hop, rounding_mode="floor") + 1
        if self.even:
            mel, frames = stretched(mel, frames, self.even), torch.full_like(frames, self.even)
        mask = within(frames, mel.shape[2], mel.dtype)
        told = frames[:, None, None].to(mel.dtype)
        n = told * mel.shape[1]
        usual = (mel * mask).sum(dim=(1, 2), keepdim=True) / n
        level = torch.log(mel / usual.clamp(min=1e-10) + _LOUDEST)
        shown = level * mask
        mean = shown.sum(dim=2, keepdim=True) / told if self.each_band else shown.sum(dim=(1, 2), keepdim=True) / n
        level = (level - mean) * mask
        spread = (level.square().sum(dim=(1, 2), keepdim=True) / n).sqrt()
        return level / spread.clamp(min=1e-3) * self.shown(sounds.hidden, frames, mel), frames

    def _energies(self, sounds: Sounds) -> Tensor:
        """[B, bands, T], in fp32: in bf16 loud tones would drown the faint ones."""
        signal = sounds.signal
        if torch.is_autocast_enabled(signal.device.type):
            with torch.autocast(signal.device.type, enabled=False):
                return self._energies(sounds)
        raised = torch.cat([signal[:, :1], signal[:, 1:] - 0.97 * signal[:, :-1]], dim=1)  # high tones are faint
        told = (torch.arange(signal.shape[1], device=signal.device) < sounds.length[:, None]).to(signal.dtype)
        waves = F.conv1d((raised * told)[:, None], self.sines, stride=self.hop, padding=self.size // 2)
        real, imaginary = waves.chunk(2, dim=1)
        return self._filters(sounds.warp) @ (real.square() + imaginary.square())

    def _filters(self, warp: Tensor | None) -> Tensor:
        bands, bins = self.filters.shape
        return self.filters if warp is None else mel_filters(bands, bins, self.rate_hz, warp)

    def shown(self, hidden: Tensor, frames: Tensor, mel: Tensor) -> Tensor:
        """[B, bands, T] 0 where a rectangle hides it (SpecAugment; Park et al. 2019, section 2)."""
        time = torch.arange(mel.shape[2], device=mel.device) / frames[:, None, None].to(mel.dtype)  # [B, 1, T]
        pitch = (torch.arange(mel.shape[1], device=mel.device) / mel.shape[1])[None, None]  # [1, 1, bands]
        at_time = (time >= hidden[:, :, 0:1]) & (time < hidden[:, :, 1:2])
        at_pitch = (pitch >= hidden[:, :, 2:3]) & (pitch < hidden[:, :, 3:4])
        return 1 - (at_pitch[:, :, :, None] & at_time[:, :, None]).any(dim=1).to(mel.dtype)


def stretched(values: Tensor, frames: Tensor, even: int) -> Tensor:
    """[B, D, T], of which `frames` are told, to [B, D, even]: linear between the first of them and the last."""
    at = torch.arange(even, device=values.device) * ((frames[:, None] - 1) / (even - 1))  # [B, even]
    places = torch.arange(values.shape[2], device=values.device)
    return values @ (1 - (places[:, None] - at[:, None]).abs()).clamp(min=0).to(values.dtype)


def within(frames: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """[B, 1, size]: 1 before the end."""
    return (torch.arange(size, device=frames.device) < frames[:, None]).to(dtype)[:, None]


class MaskedNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) over what is told alone: [B, C, ..., T] and its mask [B, 1, T]."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        shape = [1, -1] + [1] * (values.ndim - 2)
        if mask.ndim < values.ndim:
            mask = mask[:, :, None]
        if self.training:
            axes = [0, *range(2, values.ndim)]
            n = (mask.sum() * values.shape[2] if values.ndim == 4 else mask.sum()).clamp(min=2)
            told = values * mask
            mean = told.sum(dim=axes) / n
            variance = (told.square().sum(dim=axes) / n - mean.square()).clamp(min=0)
            self.running_mean.lerp_(mean.detach().float(), self.momentum)
            self.running_var.lerp_((variance.detach() * n.detach() / (n.detach() - 1)).float(), self.momentum)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * (variance + 1e-5).rsqrt()
        return (values * scale.view(shape) + (self.bias - mean * scale).view(shape)) * mask


class Block(nn.Module):
    """Two convolutions over pitch and time and a way past them; pitch, and time if asked, at half the size."""

    def __init__(self, inside: int, outside: int, halve_time: bool) -> None:
        super().__init__()
        stride = (2, 2 if halve_time else 1)
        self.halve_time = halve_time
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.first_norm = MaskedNorm(outside)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.second_norm = MaskedNorm(outside)
        self.past = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, values: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """values: [B, C, bands, T], zero past the end."""
        seen = self.first(values)
        if self.halve_time:
            frames = torch.div(frames + 1, 2, rounding_mode="floor")
        mask = within(frames, seen.shape[3], seen.dtype)
        inner = F.relu(self.first_norm(seen, mask))
        seen = F.relu(self.second_norm(self.second(inner), mask) + self.past(values))
        return seen * mask[:, :, None], frames


class BothWays(nn.Module):
    """A GRU (Cho et al. 2014) from the beginning and one from each recording's own end: [B, T, D] to [B, T, 2 D]."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.onwards, self.back = (nn.GRU(inside, width, batch_first=True) for _ in range(2))

    def forward(self, steps: Tensor, frames: Tensor) -> Tensor:
        places = torch.arange(steps.shape[1], device=steps.device)
        turned = torch.remainder(frames[:, None] - 1 - places, steps.shape[1])[:, :, None]
        back, _ = self.back(steps.gather(1, turned.expand(-1, -1, steps.shape[2])))
        ahead, _ = self.onwards(steps)
        both = torch.cat([ahead, back.gather(1, turned.expand(-1, -1, back.shape[2]))], dim=2)
        return both * within(frames, steps.shape[1], steps.dtype).transpose(1, 2)


class Conformer(nn.Module):
    """One block of Gulati et al. 2020, "Conformer" (figure 1): half a feed-forward step, attention, a convolution, half
    a step. Places are told by sines that are added before the first block."""

    def __init__(self, width: int, heads: int, dropout: float, kernel: int = 15) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(5))
        self.before, self.after = (
            nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(4 * width, width))
            for _ in range(2)
        )
        self.asked, self.told = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.near = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=False)
        self.near_norm = MaskedNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """steps: [B, T, D]; mask: [B, 1, T]."""
        steps = steps + 0.5 * self.dropout(self.before(self.norms[0](steps)))
        steps = steps + self.dropout(self._attend(self.norms[1](steps), mask))
        steps = steps + self.dropout(self._convolve(self.norms[2](steps), mask))
        steps = steps + 0.5 * self.dropout(self.after(self.norms[3](steps)))
        return self.norms[4](steps) * mask.transpose(1, 2)

    def _attend(self, steps: Tensor, mask: Tensor) -> Tensor:
        many, length, width = steps.shape
        asked = self.asked(steps).reshape(many, length, 3, self.heads, width // self.heads)
        queries, keys, values = asked.permute(2, 0, 3, 1, 4)
        seen = attended(queries, keys, values, mask=mask[:, None] > 0)
        return self.told(seen.transpose(1, 2).reshape(many, length, width))

    def _convolve(self, steps: Tensor, mask: Tensor) -> Tensor:
        gated = F.glu(self.widen(steps), dim=2).transpose(1, 2) * mask
        return self.narrow(F.silu(self.near_norm(self.near(gated), mask)).transpose(1, 2))


class Listener(nn.Module):
    """Sounds to (features [B, T', `width_out`] of every 20 ms, zero past the end; frames [B])."""

    def __init__(self, name: str, spectrogram: LogMel, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.spectrogram = spectrogram
        sizes = (1, width, 2 * width, 2 * width)
        self.blocks = nn.ModuleList(
            Block(inside, outside, number == 0) for number, (inside, outside) in enumerate(itertools.pairwise(sizes))
        )
        pitches = len(spectrogram.filters)
        for _ in self.blocks:
            pitches = (pitches + 1) // 2
        self.width_out = 4 * width
        self.project = nn.Linear(2 * width * pitches, self.width_out)
        self.norm = nn.LayerNorm(self.width_out)
        self.dropout = nn.Dropout(dropout)
        self.recurrent: nn.ModuleList | None = None
        self.conformers: nn.ModuleList | None = None
        if name == "crnn":
            self.recurrent = nn.ModuleList(BothWays(self.width_out, self.width_out // 2) for _ in range(depth))
        elif name == "conformer":
            self.conformers = nn.ModuleList(Conformer(self.width_out, 4, dropout) for _ in range(depth))

    def forward(self, sounds: Sounds) -> tuple[Tensor, Tensor]:
        level, frames = self.spectrogram(sounds)
        values = level[:, None]
        for block in self.blocks:
            values, frames = block(values, frames)
        steps = values.flatten(1, 2).transpose(1, 2)  # [B, T', C x pitches]
        mask = within(frames, steps.shape[1], steps.dtype)
        steps = self.dropout(F.relu(self.norm(self.project(steps)))) * mask.transpose(1, 2)
        for layer in self.recurrent or ():
            steps = steps + self.dropout(layer(steps, frames))
        if self.conformers is not None:
            steps = (steps + _places(steps)) * mask.transpose(1, 2)
            for layer in self.conformers:
                steps = layer(steps, mask)
        return steps, frames


def pooled(steps: Tensor, frames: Tensor) -> Tensor:
    """[B, T, D] to [B, 2 D]: the mean and the largest of what is told; steps are zero past the end."""
    mask = within(frames, steps.shape[1], steps.dtype).transpose(1, 2)
    mean = steps.sum(dim=1) / frames[:, None].to(steps.dtype)
    return torch.cat([mean, (steps - (1 - mask) * 1e4).amax(dim=1)], dim=1)


def shortened(sounds: Sounds, multiple: int = 800) -> Sounds:
    """Without what is past the end of all of them: `multiple` values and more are cut off at a time."""
    longest = int(sounds.length.max())
    size = min(sounds.signal.shape[1], -(-longest // multiple) * multiple)
    return sounds._replace(signal=sounds.signal[:, :size])


def _places(steps: Tensor) -> Tensor:
    """[T, D] sines and cosines of the place (Vaswani et al. 2017, section 3.5)."""
    length, width = steps.shape[1], steps.shape[2]
    at = torch.arange(length, device=steps.device, dtype=torch.float32)[:, None]
    slow = torch.exp(torch.arange(0, width, 2, device=steps.device, dtype=torch.float32) * (-9.21 / width))
    return torch.cat([torch.sin(at * slow), torch.cos(at * slow)], dim=1)
