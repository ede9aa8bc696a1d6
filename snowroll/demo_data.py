"""The demo's folder: scikit-learn's handwritten digits as PNGs, with faults planted that `check` must name."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snowroll.base import atomic

SIZE_PX = 32  # the scans are 8 x 8; enlarged so that a person can read them
TRAIN, TEST = 500, 500  # of 1,797; the rest plays production
FLIPPED = 12  # wrong labels planted in training


@dataclass(frozen=True, slots=True)
class Production:
    """What the demo's clients send: image bytes, the true digit that the demo's robot knows, and the source."""

    images: list[bytes]
    truths: list[str]
    sources: list[str]


def write_digits(folder: Path, seed: int = 0) -> tuple[Production, list[str]]:
    """Write train|test folders over class folders into `folder`. Returns production's images and the planted faults."""
    from sklearn.datasets import load_digits

    flat, targets = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(targets))
    images, truths = flat[order].reshape(-1, 8, 8), targets[order]
    for i in range(TRAIN + TEST):
        split = "train" if i < TRAIN else "test"
        wrong = i < FLIPPED
        named = int(truths[i] + rng.integers(1, 10)) % 10 if wrong else int(truths[i])
        _write(folder / split / str(named) / f"{i:04d}.png", picture(images[i]))
    planted = _plant(folder, images, truths)
    rest = range(TRAIN + TEST, len(truths))
    return _production(images[rest], truths[rest], rng), [f"{FLIPPED} flipped labels", *planted]


def _plant(folder: Path, images: np.ndarray, truths: np.ndarray) -> list[str]:
    """Faults of five other kinds, each on files that are otherwise sound."""
    a, b, c = FLIPPED, FLIPPED + 1, FLIPPED + 2
    other = (int(truths[a]) + 1) % 10
    _write(folder / "train" / str(other) / "again.png", picture(images[a]))
    _write(folder / "test" / str(truths[b]) / "copied.png", picture(images[b]))
    _write(folder / "train" / str(truths[c]) / "broken.png", picture(images[c])[:70])
    _write(folder / "train" / str(truths[c]) / "renamed.png", picture(images[c], flip=True, kind="JPEG"))
    _write(folder / "train" / "notes.txt", b"scanned in spring\n")
    return [
        "1 picture under two labels",
        "1 training picture copied into test",
        "1 unreadable file",
        "1 JPEG named .png",
        "1 file that is no picture",
    ]


def picture(scan: np.ndarray, *, shifted: bool = False, flip: bool = False, kind: str = "PNG") -> bytes:
    """One 8 x 8 scan (values 0..16) as image bytes. `shifted`: as a second scanner sees it, tilted and inverted."""
    from PIL import Image

    grey = Image.fromarray((scan * 255 / 16).astype(np.uint8)).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    if flip:
        grey = grey.rotate(3, Image.Resampling.BICUBIC)
    if shifted:
        grey = grey.rotate(14, Image.Resampling.BICUBIC, translate=(2, -1)).point(lambda v: 230 - v * 0.75)
    out = io.BytesIO()
    grey.save(out, kind)
    return out.getvalue()


def _production(images: np.ndarray, truths: np.ndarray, rng: np.random.Generator) -> Production:
    """Half from the scanner that the model knows, half from one that it has never seen."""
    shifted = rng.random(len(truths)) < 0.5
    sources = ["scanner B" if second else "scanner A" for second in shifted]
    sent = [picture(scan, shifted=bool(second)) for scan, second in zip(images, shifted, strict=True)]
    return Production(sent, [str(truth) for truth in truths], sources)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, data, durable=False)
