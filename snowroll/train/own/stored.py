"""From what is stored to what the model is given: is it all there, in its place, and beside its own target?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snowroll.base.nouns import Batch
from snowroll.train.own.loop import Loop, Samples, stored
from snowroll.train.trial import Measured

LOOKED_AT = 64  # samples
FIRST = 12  # steps
MORE = 1.25  # times the rows of one batch that the first steps see together: a guess
FLAT = 0.02  # spread of the inputs, relative to their size: a guess; sparse one-hot inputs have more


def held_out_apart(loop: Loop) -> Measured | None:
    """No row, and no equal input, on both sides."""
    if (samples := loop.samples) is None:
        return None
    both = set(map(int, samples.train)) & set(map(int, samples.held_out))
    if both:
        return Measured(f"{len(both)} of {len(samples.held_out)} held-out rows are trained on", False)
    learnt = {_bytes(samples.raw[row]) for row in samples.train}
    equal = [row for row in samples.held_out if _bytes(samples.raw[row]) in learnt]
    share = len(equal) / max(1, len(samples.held_out))
    words = f"no row on both sides; {share:.0%} of the held-out samples are equal to one that is learnt from"
    return Measured(words, share < 0.1)


def finite(loop: Loop) -> Measured | None:
    """Every training sample, encoded."""
    if (samples := loop.samples) is None:
        return None
    bad = [int(row) for row in samples.train if not _is_finite(samples.encode(samples.raw[row]))]
    words = f"{len(samples.train)} encoded"
    return Measured(f"{words}; NaN or infinity in rows {bad[:8]}" if bad else f"{words}, all finite", not bad)


def encoded_whole(loop: Loop) -> Measured | None:
    """Encoding keeps values apart that are different, spreads them, and leaves a part of a picture in its place."""
    if (samples := loop.samples) is None:
        return None
    rows = [int(row) for row in samples.train[:LOOKED_AT]]
    raw = [np.asarray(samples.raw[row]) for row in rows]
    inputs = torch.stack([samples.encode(samples.raw[row]) for row in rows])
    before, after = len(np.unique(np.concatenate([one.ravel() for one in raw]))), len(inputs.unique())
    words = f"{before} different values stored, {after} after encoding"
    if 4 * after < before and after < 1_000:
        return Measured(words, False)
    if inputs.is_floating_point():
        spread, size = inputs.std().item(), inputs.abs().mean().item()
        words += f"; spread {spread:.3g} about a size of {size:.3g}"
        if spread < FLAT * max(1.0, size):
            return Measured(f"{words}: all inputs are nearly the same", False)
    wide = _corner_spreads(samples, rows[0])
    if wide is not None:
        words += f"; a quarter of a picture ends in {wide:.0%} of the input"
    return Measured(words, wide is None or wide <= 0.5)


def inputs_arrive(loop: Loop) -> Measured | None:
    """A batch's inputs are those of the rows that it names."""
    if (told := _told_and_meant(loop)) is None:
        return None
    batch, meant = told
    if not isinstance(batch.inputs, Tensor) or batch.inputs.shape != meant.inputs.shape:
        return Measured(f"shape {_shape(batch.inputs)} where the rows' own are {_shape(meant.inputs)}", False)
    same = torch.isclose(batch.inputs.double(), meant.inputs.double(), 1e-4, 1e-5).flatten(1).all(1)
    return Measured(f"{int(same.sum())} of {len(same)} inputs are those of their rows", bool(same.all()))


def targets_arrive(loop: Loop) -> Measured | None:
    """A batch's targets are those of the rows that it names."""
    if (told := _told_and_meant(loop)) is None:
        return None
    batch, meant = told
    if not isinstance(batch.targets, Tensor) or batch.targets.shape != meant.targets.shape:
        return Measured(f"shape {_shape(batch.targets)} where the rows' own are {_shape(meant.targets)}", False)
    same = (batch.targets == meant.targets).reshape(len(meant.targets), -1).all(1)
    return Measured(f"{int(same.sum())} of {len(same)} targets are those of their rows", bool(same.all()))


def batches_move_on(loop: Loop) -> Measured | None:
    """The rows of the first steps: more than one batch of them, where there are several batches to learn from."""
    if loop.samples is None:
        return None
    steps = min(FIRST, loop.steps)
    rows = [loop.unvaried(step).ids.tolist() for step in range(steps)]
    size, seen = len(set(rows[0])), len({row for some in rows for row in some})
    if steps < 2 or len(loop.samples.train) < 2 * size:
        return None
    return Measured(f"{seen:,} different rows in {steps} steps of {size:,}", seen > MORE * size)


def repeats(loop: Loop) -> Measured:
    """After the same seed: the same batch, the same model, the same loss."""
    for what, ask in (("batch", _batch), ("model", _weights), ("loss", _loss)):
        first, second = (_seeded(loop, ask) for _ in range(2))
        if not all(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
            return Measured(f"the same seed gives another {what}", False)
    return Measured("the same batch, weights and loss after the same seed", True)


def _seeded(loop: Loop, ask: Any) -> list[Tensor]:
    torch.manual_seed(loop.seed)
    np.random.seed(loop.seed)
    return ask(loop)


def _batch(loop: Loop) -> list[Tensor]:
    batch = loop.batch(2)
    return [one for one in (batch.inputs, batch.targets, batch.ids) if isinstance(one, Tensor)]


def _weights(loop: Loop) -> list[Tensor]:
    return [one.detach().clone() for one in loop.make().state_dict().values()]


def _loss(loop: Loop) -> list[Tensor]:
    return [loop.loss(loop.make().train(), loop.batch(2)).detach()]


def _told_and_meant(loop: Loop) -> tuple[Batch, Batch] | None:
    """The second batch, and what is stored of its rows."""
    if loop.samples is None or loop.plain is None:
        return None
    batch = loop.plain(1)
    return batch, stored(loop.samples, batch.ids.tolist())


def _corner_spreads(samples: Samples, row: int) -> float | None:
    """The share of the input's height and width within which a change of the stored upper left quarter shows.

    None where the stored sample is no picture [H, W, C] of bytes, or the input none [C, h, w].
    """
    raw = np.asarray(samples.raw[row])
    if raw.dtype != np.uint8 or raw.ndim != 3 or raw.shape[2] > 4:
        return None
    height, width = raw.shape[:2]
    changed = raw.copy()
    changed[: height // 2, : width // 2] = 255 - changed[: height // 2, : width // 2]
    before, after = samples.encode(raw), samples.encode(changed)
    if before.ndim != 3:
        return None
    where = (before != after).any(dim=0).nonzero()
    if not len(where):
        return None
    low, high = where.amin(dim=0), where.amax(dim=0) + 1
    return ((high - low).double() / torch.tensor(before.shape[1:])).prod().item()


def _is_finite(encoded: Tensor) -> bool:
    return not encoded.is_floating_point() or bool(torch.isfinite(encoded).all())


def _bytes(raw: Any) -> bytes:
    return raw.tobytes() if isinstance(raw, np.ndarray) else repr(raw).encode()


def _shape(value: Any) -> Sequence[int] | str:
    return list(value.shape) if isinstance(value, Tensor) else type(value).__name__
