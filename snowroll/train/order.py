"""Which samples a step sees: arithmetic on (seed, epoch, index), so the loader has nothing to remember."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from snowroll.base.errors import PlanError


@lru_cache(maxsize=4)
def order(seed: int, epoch: int, n: int) -> np.ndarray:
    """A permutation of range(n), int64, the same on every machine and numpy version (Philox's raw stream is fixed).

    >>> sorted(order(0, 3, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    keys = np.random.Philox(key=[seed % 2**64, epoch]).random_raw(n)
    permutation = np.argsort(keys, kind="stable")
    permutation.flags.writeable = False  # it is shared by everyone who asks
    return permutation


def rows(step: int, batch: int, n: int, seed: int, world: int = 1, rank: int = 0) -> tuple[np.ndarray, int]:
    """This process's row numbers (positions in [0, n)) at `step` (from 0), and the epoch they belong to.

    Every batch is full. An epoch has n // batch of them; the fewer than `batch` samples left over wait, and since each
    epoch has its own order, every sample gets its turn. With n < batch the batch is all n.
    The processes' rows are disjoint and together exactly the single process's rows.
    """
    if n < 1:
        raise PlanError("there is nothing to train on", cure="label more samples")
    batch = min(batch, n)
    if batch < world:
        raise PlanError(f"a batch of {batch} cannot be shared by {world} processes", cure=f"start {batch} at most")
    epoch, index = divmod(step, steps_per_epoch(n, batch))
    return order(seed, epoch, n)[index * batch : (index + 1) * batch][rank::world], epoch


def steps_per_epoch(n: int, batch: int) -> int:
    """Full batches in one pass over n samples; at least 1."""
    return max(1, n // batch)
