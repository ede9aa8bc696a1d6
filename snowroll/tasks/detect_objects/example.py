"""A tiny folder that this task learns in a minute on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json

KINDS = ("disc", "square")


def example(folder: Path, pictures: int = 40) -> Mapping[str, Json]:
    """Write pictures of different sizes with discs and squares, and their boxes as COCO. Returns settings that suit
    them, augmentation among them."""
    from PIL import Image

    (folder / "pictures").mkdir(parents=True)
    images, annotations = [], []
    for number in range(pictures):
        pixels, objects = drawn(number)
        name = f"{number:02}.png"
        Image.fromarray(pixels).save(folder / "pictures" / name)
        images.append({"id": number, "file_name": name, "width": pixels.shape[1], "height": pixels.shape[0]})
        for kind, (left, top, right, bottom) in objects:
            box = [left, top, right - left, bottom - top]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": KINDS.index(kind),
                    "bbox": box,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": place, "name": name} for place, name in enumerate(KINDS)]
    tree = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "boxes.json").write_text(json.dumps(tree))
    return {
        "task.model": "plain_small",
        "task.size_px": 64,
        "task.width": 32,
        "task.flip": True,
        "task.scale": 0.1,
        "task.shift": 0.1,
        "task.brightness": 0.1,
        "task.mosaic": 0.0,  # it takes from the other pictures of the batch, as it should
    }


def drawn(number: int) -> tuple[np.ndarray, list[tuple[str, tuple[int, int, int, int]]]]:
    """uint8 [H, W, 3] with one to three bright figures on a dark ground, and their boxes."""
    rng = np.random.default_rng(number)
    height, width = rng.integers(56, 80, 2)
    pixels = rng.integers(0, 60, (height, width, 3)).astype(np.uint8)
    y, x = np.mgrid[:height, :width] + 0.5
    objects, taken = [], np.zeros((height, width), bool)
    for place in range(3):
        half = int(rng.integers(9, 14))
        cx, cy = (int(rng.integers(half, side - half)) for side in (width, height))
        kind = KINDS[int(rng.integers(2))] if place else KINDS[number % 2]
        square = (abs(x - cx) < half) & (abs(y - cy) < half)
        if taken[square].any():
            continue
        inside = square if kind == "square" else np.hypot(x - cx, y - cy) < half
        taken |= square
        pixels[inside] = rng.integers(150, 255, 3)
        objects.append((kind, (cx - half, cy - half, cx + half, cy + half)))
    return pixels, objects
