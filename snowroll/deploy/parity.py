"""The proof that the exported file says what the trained model says, from the same file bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Json
from snowroll.deploy.session import ALIKE, Loaded, Same


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far outputs may differ. The graph's resize and Pillow's may differ by one level of 255 in a pixel; more
    than this from so little is a fault of the export, not of rounding. Guesses, to be revisited with figures.
    """

    mean: float = 1e-3  # of |difference| over all outputs, relative to the trained output where that is above 1
    largest: float = 0.05
    agreement: float = 0.995  # share of samples with the same best class, ties within 2 x `largest` not counted


@dataclass(frozen=True, slots=True)
class Parity:
    """What was measured, over `n` samples."""

    n: int
    mean: float
    largest: float
    agreement: float
    tolerance: Tolerance

    def as_json(self) -> dict[str, Json]:
        return asdict(self)


def parity(
    model: Loaded, samples: Iterable[tuple[bytes, Mapping[str, np.ndarray]]], tolerance: Tolerance | None = None
) -> Parity:
    """Compare the file's outputs with the trained model's, sample by sample.

    samples: (the file's bytes, the trained model's outputs by name without the batch axis). Raises PlanError, with
    the numbers, beyond the tolerance.
    """
    if model.same is not None:
        return _same_answers(model, model.same, samples)
    allowed = tolerance or Tolerance()
    gaps: list[np.ndarray] = []
    same: list[bool] = []
    for raw, trained in samples:
        outputs = model.run(model.prepare(raw))
        for name, expected in trained.items():
            got = outputs[name][0]
            if got.shape != expected.shape:
                raise PlanError(f"the export's '{name}' is {got.shape}, the trained model's {expected.shape}")
            gaps.append((np.abs(got - expected) / np.maximum(np.abs(expected), 1)).ravel())
            same.append(_same_best(got, expected, 2 * allowed.largest))
    if not gaps:
        raise PlanError("no sample to prove the export with", cure="give the validation part some samples")
    every = np.concatenate(gaps)
    found = Parity(len(same), float(every.mean()), float(every.max()), float(np.mean(same)), allowed)
    _refuse_beyond(found)
    return found


def _same_answers(model: Loaded, same: Same, samples: Iterable[tuple[bytes, Mapping[str, np.ndarray]]]) -> Parity:
    """Parity where outputs are lists: `mean` and `largest` are of what is not the same in two answers."""
    allowed = Tolerance(mean=0.01, largest=0.5, agreement=0.95)
    gaps = []
    for raw, trained in samples:
        said = model.answer(model.run(model.prepare(raw)))[0]
        expected = model.answer({name: value[None] for name, value in trained.items()})[0]
        gaps.append(1 - same(said, expected))
    if not gaps:
        raise PlanError("no sample to prove the export with", cure="give the validation part some samples")
    alike = [gap <= 1 - ALIKE for gap in gaps]
    found = Parity(len(gaps), float(np.mean(gaps)), float(max(gaps)), float(np.mean(alike)), allowed)
    _refuse_beyond(found)
    return found


def _same_best(got: np.ndarray, expected: np.ndarray, tie: float) -> bool:
    """Whether both name the same class; a pair the trained model itself could not tell apart counts as the same."""
    if expected.ndim != 1 or got.argmax() == expected.argmax():
        return True
    return bool(expected.max() - expected[got.argmax()] <= tie)


def _refuse_beyond(found: Parity) -> None:
    allowed = found.tolerance
    within = (
        np.isfinite(found.largest)  # NaN compares false with everything
        and found.mean <= allowed.mean
        and found.largest <= allowed.largest
        and found.agreement >= allowed.agreement
    )
    if not within:
        raise PlanError(
            f"the exported file differs from the trained model: mean {found.mean:.2g} (at most {allowed.mean:g}), "
            f"largest {found.largest:.2g} (at most {allowed.largest:g}), same answer {found.agreement:.4f} "
            f"(at least {allowed.agreement:g}), n={found.n}",
            cure="export in fp32, or use a model of the zoo",
        )
