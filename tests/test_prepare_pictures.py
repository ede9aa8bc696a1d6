"""Bytes of a picture to RGB: every format and mode, every refusal in words, and the resize formula."""

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from prepare_kit import encoded, jpeg, pixels

from snowroll.base.errors import DataError
from snowroll.prepare.look import look
from snowroll.prepare.pictures import geometry, open_rgb, resize, resize_weights, size_of, sniff


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "exact"), [("PNG", True), ("BMP", True), ("TIFF", True), ("PPM", True), ("JPEG", False)]
)
def test_formats(kind: str, exact: bool) -> None:
    rgb = open_rgb(encoded(pixels(), kind))
    assert rgb.dtype == np.uint8
    assert rgb.shape == pixels().shape
    assert np.abs(rgb.astype(int) - pixels()).mean() < (1e-9 if exact else 25)


def test_webp_lossless_and_numpy_are_exact() -> None:
    assert (open_rgb(encoded(pixels(), "WebP", lossless=True)) == pixels()).all()
    assert (open_rgb(npy(pixels())) == pixels()).all()
    assert (open_rgb(npy(np.moveaxis(pixels(), 2, 0))) == pixels()).all()
    assert (open_rgb(npy(pixels() / np.float32(255))) == pixels()).all()
    assert (open_rgb(npy(pixels().astype(np.int64))) == pixels()).all()
    assert (open_rgb(npy(np.asfortranarray(pixels()))) == pixels()).all()


def test_the_format_is_read_from_the_bytes_not_the_name() -> None:
    assert sniff(encoded(pixels(), "PNG")) == "PNG"
    assert sniff(b"RIFF....WAVEfmt ") is None


def test_grey_and_bilevel_become_three_equal_channels() -> None:
    grey = pixels()[..., 0]
    assert (open_rgb(encoded(grey, "PNG")) == grey[..., None]).all()
    bits = grey > 100
    assert (open_rgb(encoded(bits, "PNG")) == bits[..., None] * 255).all()


def test_portable_grey_maps_of_8_and_16_bits_and_of_letters() -> None:
    grey = pixels()[..., 0]
    head = f"{grey.shape[1]} {grey.shape[0]}\n".encode()
    assert (open_rgb(b"P5\n" + head + b"255\n" + grey.tobytes()) == grey[..., None]).all()
    wide = (grey.astype(">u2") * 257).tobytes()
    assert (open_rgb(b"P5 " + head + b"65535\n" + wide) == grey[..., None]).all()
    spelled = " ".join(map(str, grey.ravel())).encode()
    assert (open_rgb(b"P2\n" + head + b"255\n" + spelled) == grey[..., None]).all()
    with pytest.raises(DataError, match="damaged PPM"):
        open_rgb(b"P5\n" + head + b"255\n" + grey.tobytes()[:-9])


def test_palette_and_animation_show_the_first_frame() -> None:
    first, second = (Image.fromarray(np.full((8, 8, 3), c, np.uint8)) for c in ((255, 0, 0), (0, 0, 255)))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[second])
    assert (open_rgb(file.getvalue()) == [255, 0, 0]).all()
    file = io.BytesIO()
    first.convert("P", palette=Image.Palette.ADAPTIVE).save(file, "PNG")
    assert (open_rgb(file.getvalue()) == [255, 0, 0]).all()


def test_transparency_is_laid_on_white() -> None:
    half = np.zeros((2, 2, 4), np.uint8)
    half[0, 0] = 10, 20, 30, 255
    half[0, 1, 3] = 128
    rgb = open_rgb(encoded(half, "PNG"))
    assert rgb[0, 0].tolist() == [10, 20, 30]
    assert rgb[0, 1].tolist() == [127, 127, 127]
    assert rgb[1, 1].tolist() == [255, 255, 255]
    assert (open_rgb(npy(half)) == rgb).all()
    grey = np.zeros((2, 2, 2), np.uint8)
    assert (open_rgb(encoded(grey, "PNG")) == 255).all()
    file = io.BytesIO()
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(file, "PNG", transparency=(0, 0, 0))
    assert (open_rgb(file.getvalue()) == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "npy"])
def test_sixteen_bits_are_scaled_by_their_full_range(kind: str) -> None:
    deep = np.array([[0, 257, 32768], [65278, 65406, 65535]], np.uint16)
    raw = npy(deep) if kind == "npy" else encoded(deep, kind)
    assert open_rgb(raw)[..., 0].tolist() == [[0, 1, 128], [254, 254, 255]]


def test_cmyk() -> None:
    file = io.BytesIO()
    Image.fromarray(pixels()).convert("CMYK").save(file, "JPEG", quality=95)
    assert np.abs(open_rgb(file.getvalue()).astype(int) - pixels()).mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    turned = Image.fromarray(pixels())
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        file = io.BytesIO()
        turned.save(file, kind, exif=exif)
        with Image.open(io.BytesIO(file.getvalue())) as opened:
            from PIL import ImageOps

            upright = np.asarray(ImageOps.exif_transpose(opened))
        assert (open_rgb(file.getvalue()) == upright).all(), kind
        seen = look(file.getvalue())
        assert seen.upright == size_of(file.getvalue()) == upright.shape[1::-1]
        assert seen.rotated == (orientation > 1)
    assert open_rgb(encoded(pixels(), "JPEG", exif=exif)).shape[0] == (32 if orientation > 4 else 24)


def test_a_jpeg_is_decoded_smaller_only_while_both_sides_keep_enough() -> None:
    raw = encoded(pixels(height=240, width=320), "JPEG")
    assert open_rgb(raw).shape == (240, 320, 3)
    assert open_rgb(raw, at_least_px=100).shape == (120, 160, 3)
    assert open_rgb(raw, at_least_px=121).shape == (240, 320, 3)
    assert open_rgb(raw, at_least_px=5000).shape == (240, 320, 3)


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; its data is a few bytes."""

    def part(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(b"\0" * 100)) + part(b"IEND", b"")


def test_a_huge_picture_is_refused_from_its_header() -> None:
    with pytest.raises(DataError, match="40,000 x 40,000 pixels, 1,600 megapixels"):
        open_rgb(png_of(40_000, 40_000))
    with pytest.raises(DataError, match=r"limit is 0\.0001"):
        open_rgb(jpeg(), megapixels=0.0001)
    with pytest.raises(DataError, match=r"too large|hold"):
        open_rgb(npy(np.zeros((1, 1, 3), np.uint8)).replace(b"(1, 1, 3)", b"(9,99,3) "))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html>", "web page"),
        (b"<svg xmlns=", "SVG"),
        (b"....ftypheic", "HEIC"),
        (b"version https://git-lfs...", "Git LFS"),
        (b"hello", "no format"),
        (npy(np.zeros((4, 4, 7), np.uint8)), "no picture"),
        (npy(np.full((4, 4), np.nan)), "no stated range"),
        (npy(np.full((4, 4), 300)), "no stated range"),
        (b"\x93NUMPY\x01\x00", "damaged .npy"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_rgb(raw)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF", "BMP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    raw = encoded(pixels(height=64, width=64), kind)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    for share in (0.2, 0.5, 0.8):
        with pytest.raises(DataError):
            open_rgb(raw[: int(len(raw) * share)])


@given(
    kind=st.sampled_from(["JPEG", "PNG", "WebP", "GIF", "TIFF", "BMP"]),
    cuts=st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6),
)
@settings(max_examples=150)
def test_damaged_bytes_give_a_picture_or_a_sentence(kind: str, cuts: list[tuple[int, bytes]]) -> None:
    raw = bytearray(encoded(pixels(), kind))
    for at, new in cuts:
        at %= len(raw)
        raw[at : at + len(new)] = new
    with suppress(DataError):  # any other exception fails the test
        rgb = open_rgb(bytes(raw), megapixels=1)
        assert rgb.ndim == 3
        assert rgb.shape[2] == 3
        assert rgb.dtype == np.uint8


def by_formula(rgb: np.ndarray, size_px: int, fit: str) -> np.ndarray:
    """`resize` by the documented integers: what an exported graph computes."""
    height, width = rgb.shape[:2]
    (left, top, right, bottom), (x0, y0, x1, y1) = geometry(width, height, size_px, fit)  # type: ignore[arg-type]
    across, down = resize_weights(right - left, x1 - x0), resize_weights(bottom - top, y1 - y0)
    cut = rgb[top:bottom, left:right].astype(np.int64)
    rows = np.clip((np.einsum("ox,yxc->yoc", across, cut) + (1 << 21)) >> 22, 0, 255)
    small = np.clip((np.einsum("oy,yxc->oxc", down, rows) + (1 << 21)) >> 22, 0, 255)
    square = np.zeros((size_px, size_px, 3))
    square[y0:y1, x0:x1] = small
    return square


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    size=st.integers(1, 40),
    fit=st.sampled_from(["stretch", "crop", "pad"]),
)
@settings(max_examples=120)
def test_resize_is_the_documented_formula_to_the_bit(width: int, height: int, size: int, fit: str) -> None:
    rgb = np.random.default_rng(width * 100 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert (resize(rgb, size, fit) == by_formula(rgb, size, fit)).all()  # type: ignore[arg-type]


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), size=st.integers(1, 512))
def test_geometry_stays_inside_and_keeps_the_shape(width: int, height: int, size: int) -> None:
    for fit in ("stretch", "crop", "pad"):
        (left, top, right, bottom), (x0, y0, x1, y1) = geometry(width, height, size, fit)  # type: ignore[arg-type]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert 0 <= x0 < x1 <= size
        assert 0 <= y0 < y1 <= size
    dest = geometry(width, height, size, "pad").dest
    assert abs((dest[2] - dest[0]) * max(width, height) / size - width) <= max(width, height) / size
    crop = geometry(width, height, size, "crop").box
    assert crop[2] - crop[0] == crop[3] - crop[1] == min(width, height)


def test_opening_pictures_loads_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, snowroll.prepare.read, snowroll.prepare.layouts, snowroll.prepare.pack, snowroll.prepare.split\n"
        "assert 'torch' not in sys.modules and 'PIL' not in sys.modules, 'too heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
