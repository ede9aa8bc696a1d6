"""What is seen of pictures without a network."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from snowroll.prepare.features import TEXTURE, palette, texture

pictures = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=200).flatmap(
    lambda shape: arrays(np.uint8, (*shape, 3), fill=st.integers(0, 255))
)


@given(pictures)
def test_a_texture_is_shares_at_three_scales(rgb: np.ndarray) -> None:
    told = texture(rgb.mean(axis=2, dtype=np.float32))
    assert told.shape == (TEXTURE,)
    assert told.dtype == np.uint8
    for scale in told.reshape(3, -1) / 255:
        assert abs((scale**2).sum() - 1) < 0.05 or not scale.any()  # where there is no neighbour, none is counted


def test_a_texture_knows_the_grain_and_not_the_place() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 96, 96), dtype=np.uint8).astype(np.float32)
    stripes = np.broadcast_to((np.arange(96) // 6 % 2 * 200)[None], (96, 96)).astype(np.float32)
    same, other = (np.abs(texture(noise[0]) / 255 - texture(one) / 255).max() for one in (noise[1], stripes))
    assert same < 0.1 < other
    assert np.abs(texture(stripes) / 255 - texture(np.roll(stripes, 4, axis=1)) / 255).max() < 0.15


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_palette_knows_the_colours_and_not_the_place(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    thumbnails = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    told = palette(thumbnails)
    assert np.allclose((told**2).sum(axis=1), 2, atol=1e-4)  # hues, and lightness
    shuffled = rng.permuted(thumbnails.reshape(n, -1, 3), axis=1).reshape(thumbnails.shape)
    np.testing.assert_allclose(palette(thumbnails[:, ::-1, ::-1]), told, atol=1e-6)
    assert palette(shuffled).shape == told.shape
