"""Generated pictures with the variety of real ones. Size, light, colours and quality are drawn without the label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from layouts import Shot, encoded
from PIL import Image, ImageDraw, ImageFilter

SIZES = ((96, 96), (112, 96), (96, 120), (128, 112))  # width, height


def clouds(rng: np.random.Generator, width: int, height: int, octaves: int = 5) -> np.ndarray:
    """Smooth noise, float32 [H, W] in 0..1: every octave has twice the detail and about half the weight."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = rng.random((2 + 2**octave, 2 + 2**octave), np.float32)
        layer = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer) * rng.uniform(0.4, 0.65) ** octave
    return (total - total.min()) / (np.ptp(total) + 1e-6)


def blend(weight: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[H, W] in 0..1 between two colours, float32 [H, W, 3]."""
    return first + (second - first) * weight[..., None]


def two_colours(rng: np.random.Generator, apart: float = 90) -> tuple[np.ndarray, np.ndarray]:
    while True:
        first, second = rng.uniform(15, 240, (2, 3)).astype(np.float32)
        if np.abs(first - second).sum() > 2 * apart:
            return first, second


def photo(pixels: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """A sensor's noise on top, then eight bits."""
    noisy = pixels + rng.normal(0, rng.uniform(1, 5), pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, rng: np.random.Generator) -> bytes:
    return encoded(picture, ".jpg", int(rng.integers(82, 96)))


def a_size(rng: np.random.Generator) -> tuple[int, int]:
    return SIZES[rng.integers(len(SIZES))]


# --- shapes: an outline on a clouded background -------------------------------------------------------------------


def polygon(corners: list[tuple[float, float]]) -> Callable:
    def draw(canvas: ImageDraw.ImageDraw, middle: np.ndarray, radius: float, turn: float) -> None:
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        canvas.polygon([tuple(corner) for corner in middle + radius * np.array(corners) @ rotation], fill=255)

    return draw


def disc(canvas: ImageDraw.ImageDraw, middle: np.ndarray, radius: float, turn: float) -> None:
    canvas.ellipse([*(middle - radius), *(middle + radius)], fill=255)


def ring(canvas: ImageDraw.ImageDraw, middle: np.ndarray, radius: float, turn: float) -> None:
    disc(canvas, middle, radius, turn)
    canvas.ellipse([*(middle - radius * 0.55), *(middle + radius * 0.55)], fill=0)


def cross_corners(arm: float = 0.32) -> list[tuple[float, float]]:
    a = arm
    return [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)]


OUTLINES = {
    "circle": disc,
    "cross": polygon(cross_corners()),
    "ring": ring,
    "square": polygon([(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]),
    "triangle": polygon([(0, -1), (0.95, 0.75), (-0.95, 0.75)]),
}


def shapes(rng: np.random.Generator, each: int = 60) -> list[Shot]:
    """Outlines of five kinds, anywhere near the middle, in any two colours."""
    return [Shot(jpeg(shape(label, rng), rng), ".jpg", label) for label in OUTLINES for _ in range(each)]


def shape(label: str, rng: np.random.Generator) -> Image.Image:
    width, height = a_size(rng)
    ground, figure = two_colours(rng)
    behind = blend(clouds(rng, width, height), ground, ground * rng.uniform(0.6, 0.9))
    front = blend(clouds(rng, width, height), figure, figure * rng.uniform(0.7, 0.95))
    mask = Image.new("L", (2 * width, 2 * height))
    radius = min(width, height) * rng.uniform(0.45, 0.75)
    middle = np.array([width, height]) + rng.uniform(-0.2, 0.2, 2) * min(width, height)
    OUTLINES[label](ImageDraw.Draw(mask), middle, radius, rng.uniform(-0.3, 0.3))
    weight = np.asarray(mask.resize((width, height)), np.float32) / 255
    return photo(behind + (front - behind) * weight[..., None], rng)


# --- textures: a pattern that fills the picture -------------------------------------------------------------------


def stripes(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sin(x) > rng.uniform(-0.4, 0.4)


def checks(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sin(x) * np.sin(y) > rng.uniform(-0.1, 0.1)


def dots(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.cos(x) + np.cos(y) > rng.uniform(0.5, 1.0)


def weave(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (np.sin(x) + np.sin(2 * y) * np.cos(x / 2)) / 2 + rng.uniform(0.3, 0.6)


def cells(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The distance to the nearest of many points, as in cracked earth."""
    points = rng.uniform([x.min(), y.min()], [x.max(), y.max()], (60, 2))
    away = np.sqrt((x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2)
    nearest = np.partition(away, 1, axis=-1)
    return (nearest[..., 1] - nearest[..., 0]).clip(0, 1)


PATTERNS = {"cells": cells, "checks": checks, "dots": dots, "stripes": stripes, "weave": weave}


def textures(rng: np.random.Generator, each: int = 60) -> list[Shot]:
    """Five patterns, at any angle, scale and light, in any two colours."""
    return [Shot(jpeg(texture(label, rng), rng), ".jpg", label) for label in PATTERNS for _ in range(each)]


def texture(label: str, rng: np.random.Generator) -> Image.Image:
    width, height = a_size(rng)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    turn, scale = rng.uniform(0, np.pi), rng.uniform(0.25, 0.6)
    warp = 4 * clouds(rng, width, height, 3)
    x = scale * (np.cos(turn) * columns + np.sin(turn) * rows) + warp + rng.uniform(0, 6)
    y = scale * (np.cos(turn) * rows - np.sin(turn) * columns) + warp + rng.uniform(0, 6)
    light = 0.7 + 0.4 * clouds(rng, width, height, 3)
    return photo(blend(PATTERNS[label](x, y, rng).astype(np.float32), *two_colours(rng)) * light[..., None], rng)


# --- parts: several shots of one machined part --------------------------------------------------------------------


def dent(part: Image.Image, at: np.ndarray, rng: np.random.Generator) -> None:
    canvas, size = ImageDraw.Draw(part), rng.uniform(7, 13)
    canvas.ellipse([*(at - size), *(at + size)], fill=int(rng.integers(25, 60)))
    canvas.ellipse([*(at - 0.6 * size), *(at + 0.9 * size)], fill=int(rng.integers(170, 230)))


def scratch(part: Image.Image, at: np.ndarray, rng: np.random.Generator) -> None:
    steps = np.cumsum(rng.normal(0, 3, (6, 2)) + rng.choice([-9, 9], 2), axis=0)
    line = [tuple(point) for point in at + steps - steps.mean(axis=0)]
    ImageDraw.Draw(part).line(line, fill=int(rng.integers(215, 255)), width=2)


def stain(part: Image.Image, at: np.ndarray, rng: np.random.Generator) -> None:
    mask = Image.new("L", part.size)
    for _ in range(6):
        middle, size = at + rng.normal(0, 9, 2), rng.uniform(5, 12)
        ImageDraw.Draw(mask).ellipse([*(middle - size), *(middle + size)], fill=150)
    part.paste(int(rng.integers(20, 50)), mask=mask.filter(ImageFilter.GaussianBlur(4)))


DEFECTS = {"dent": dent, "fine": lambda part, at, rng: None, "scratch": scratch, "stain": stain}


def parts(rng: np.random.Generator, each: int = 18, shots: int = 5) -> list[Shot]:
    """Metal plates, each photographed several times: moved, turned and lit otherwise. The name tells the part."""
    found, number = [], iter(rng.permutation(np.arange(100, 1000)))
    for label in DEFECTS:
        for _ in range(each):
            group, plate = f"part{next(number)}", a_plate(label, rng)
            for place in range(shots):
                data = jpeg(seen_again(plate, rng), rng)
                found.append(Shot(data, ".jpg", label, group, f"{group}_{place + 1}"))
    return found


def a_plate(label: str, rng: np.random.Generator) -> Image.Image:
    """160 x 160 px: brushed metal on a bench, with holes and a defect of its own."""
    bench = 255 * clouds(rng, 160, 160) * rng.uniform(0.3, 0.6)
    brushed = np.repeat(clouds(rng, 1, 160, 7), 160, axis=1) * 60 + clouds(rng, 160, 160) * 40
    brushed += rng.uniform(80, 130)
    mask = Image.new("L", (160, 160))
    low, high = rng.uniform(22, 40, 2), rng.uniform(118, 138, 2)
    ImageDraw.Draw(mask).rounded_rectangle([*low, *high], rng.uniform(2, 25), fill=255)
    for _ in range(rng.integers(1, 5)):
        middle, size = rng.uniform(low + 12, high - 12), rng.uniform(3, 7)
        ImageDraw.Draw(mask).ellipse([*(middle - size), *(middle + size)], fill=0)
    plate = Image.composite(grey(brushed), grey(bench), mask)
    DEFECTS[label](plate, rng.uniform(low + 25, high - 25), rng)
    return plate


def grey(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def seen_again(plate: Image.Image, rng: np.random.Generator) -> Image.Image:
    """112 x 112 px of the plate by a hand-held camera: shifted, turned up to 15 degrees, in another light."""
    turned = plate.rotate(rng.uniform(-15, 15), Image.Resampling.BICUBIC)
    left, top = rng.integers(12, 36, 2)
    seen = np.asarray(turned.crop((left, top, left + 112, top + 112)), np.float32)
    light = rng.uniform(0.65, 1.15) + 0.3 * (clouds(rng, 112, 112, 2) - 0.5)
    return photo(np.repeat((seen * light)[..., None], 3, axis=2) * rng.uniform(0.93, 1.05, 3), rng)


# --- scans: slices of patients ------------------------------------------------------------------------------------


def scans(rng: np.random.Generator, patients: int = 40, slices: int = 4) -> list[Shot]:
    """Grey slices through heads; half of the patients have a bright lesion. The name tells the patient."""
    found, number = [], iter(rng.permutation(np.arange(100, 1000)))
    for label in ("healthy", "lesion"):
        for _ in range(patients):
            group = f"P{next(number)}"
            inside, rim = clouds(rng, 96, 96, 6), rng.uniform(0.75, 0.95, 2)
            lesion = (rng.uniform(-0.35, 0.35, 2), rng.uniform(0.14, 0.25)) if label == "lesion" else None
            for place in range(slices):
                picture = head(inside, rim * (1 - 0.07 * place), lesion, 6 * place, rng)
                found.append(Shot(encoded(picture, ".png"), ".png", label, group, f"{group}_slice{place + 1}"))
    return found


def head(
    inside: np.ndarray, rim: np.ndarray, lesion: tuple | None, depth: int, rng: np.random.Generator
) -> Image.Image:
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    away = (x / rim[0]) ** 2 + (y / rim[1]) ** 2
    tissue = np.roll(inside, (depth, -depth), (0, 1)) * rng.uniform(80, 110) + rng.uniform(25, 45)
    pixels = np.where(away < 0.8, tissue, np.where(away < 1, rng.uniform(170, 220), 6.0))
    if lesion is not None:
        middle, size = lesion
        spot = np.hypot(x - middle[0], y - middle[1]) < size * rng.uniform(0.85, 1.15)
        pixels = np.where(spot & (away < 0.8), pixels + rng.uniform(70, 110), pixels)
    return photo(pixels, rng).filter(ImageFilter.GaussianBlur(0.8))


# --- digits: scikit-learn's ---------------------------------------------------------------------------------------


def digits(rng: np.random.Generator, each: int = 40) -> list[Shot]:
    """Handwriting of many people (UCI, by way of scikit-learn), enlarged from 8 x 8 to 32 x 32 px, grey PNG."""
    from sklearn.datasets import load_digits  # two seconds, which a run over other grounds need not wait for

    source = load_digits()
    found = []
    for label in range(10):
        for place in rng.choice(np.flatnonzero(source.target == label), each, replace=False):
            small = Image.fromarray((source.images[place] * 255 / 16).astype(np.uint8))
            picture = small.resize((32, 32), Image.Resampling.BICUBIC)
            found.append(Shot(encoded(picture, ".png"), ".png", str(label)))
    return found
