"""The resize inside the graph against Pillow, in torch and through onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from deploy_kit import CLASSES, deployable
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from snowroll.deploy.export import export_onnx, split_graphs
from snowroll.deploy.resize import Fit, PilResize
from snowroll.prepare.pictures import STANDARD, resize, standardised

pytestmark = pytest.mark.slow

SIDE = st.integers(1, 300)


def picture(seed: int, height: int, width: int, smooth: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if not smooth:
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def by_pillow(pixels: np.ndarray, size: int, fit: Fit) -> np.ndarray:
    """The same three fits in Pillow's own words."""
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    if fit == "crop":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    if fit != "pad":
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    wide, high = (max(1, int(side * size / max(height, width) + 0.5)) for side in (width, height))
    canvas = Image.new("RGB", (size, size))
    canvas.paste(image.resize((wide, high), Image.Resampling.BILINEAR), ((size - wide) // 2, (size - high) // 2))
    return np.asarray(canvas)


def agree(got: np.ndarray, expected: np.ndarray) -> bool:
    """At most one level apart on at least 99.8 % of the values: where the sides are as 2 to 3, many sums lie halfway
    between two levels, and Pillow may filter the other axis first.
    """
    return bool((np.abs(got - expected.astype(np.float32)) <= 1.001).mean() >= 0.998)


@example(height=72, width=72, size=108, fit="stretch", seed=0, smooth=True)
@given(
    height=SIDE, width=SIDE, size=st.integers(4, 160), fit=st.sampled_from(["stretch", "crop", "pad"]),
    seed=st.integers(0, 99), smooth=st.booleans(),
)  # fmt: skip
@settings(max_examples=120)
def test_torch_agrees_with_pillow(height: int, width: int, size: int, fit: Fit, seed: int, smooth: bool) -> None:
    pixels = picture(seed, height, width, smooth)
    got = PilResize(size, fit)(torch.from_numpy(pixels)).numpy()
    assert got.shape == (size, size, 3)
    assert agree(got, by_pillow(pixels, size, fit))


@pytest.mark.parametrize(
    "fit", ["stretch", pytest.param("crop", marks=pytest.mark.slow), pytest.param("pad", marks=pytest.mark.slow)]
)
def test_exported_graph_agrees_with_pillow(fit: Fit, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(deployable(fit=fit, size_px=32), path, {"labels": list(CLASSES)})
    cut = onnxruntime.InferenceSession(split_graphs(path.read_bytes())[0], providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for seed in range(40):
        height, width = (int(side) for side in rng.integers(1, 400, 2))
        pixels = picture(seed, height, width, smooth=bool(seed % 2))
        got = cut.run(None, {"pixels": pixels})[0][0].transpose(1, 2, 0) * 255
        assert agree(got, by_pillow(pixels, 32, fit)), (height, width)


def test_equal_size_changes_nothing() -> None:
    pixels = picture(0, 40, 40, smooth=False)
    assert np.array_equal(PilResize(40)(torch.from_numpy(pixels)).numpy(), pixels)


@example(height=31, width=40, contrast=0.0, seed=0)
@given(height=SIDE, width=SIDE, contrast=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_standard_pictures_are_told_from_neither_light_nor_contrast(
    height: int, width: int, contrast: float, seed: int
) -> None:
    dark = np.round(picture(seed, height, width, smooth=True) * contrast * 0.5 + 20).astype(np.uint8)
    levels = standardised(dark)
    if dark.std() >= 1.5 * STANDARD.least:  # under it rounding is seen
        assert abs(levels.mean() - STANDARD.mean) < 3
        assert abs(levels.std() / STANDARD.spread - 1) < 0.1
    assert levels.std() <= 1.2 * STANDARD.spread
    got = PilResize((48, 40), "pad", STANDARD)(torch.from_numpy(dark)).numpy()
    # a level of the resize's rounding is stretched with the rest
    far = 1 + STANDARD.spread / max(float(dark.std()) / 2, STANDARD.least)
    assert (np.abs(got - resize(dark, (48, 40), "pad", standard=True).astype(np.float32)) <= far).mean() >= 0.99
