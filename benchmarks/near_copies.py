"""Copies of pictures that are not the same bytes: how well are they found, and how many of those found are real?

    python benchmarks/near_copies.py [--of trashnet,cifar10_jpeg] [--pictures 3000] [--copied 400]

First: into some thousand pictures of each set, copies of some hundred are put: saved as JPEG again, resized by a tenth,
cropped by 5 %, a little brighter or paler. Average precision over the pairs, ranked by how well they fit; pairs that
the set holds by itself count as errors. Then: every pair that is called a copy in all of cifar10_jpeg; a hundred of
them, drawn at random, lie side by side in .benchmarks/near_copies/hundred.png for a person to judge.
Data: SNOWROLL_DATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import DATA, WORK, machine
from PIL import Image, ImageDraw, ImageEnhance

from snowroll.prepare.likeness import Pairs, find_pairs
from snowroll.prepare.look import Look, look
from snowroll.prepare.read import Folder

PLACE = WORK / "near_copies"
ENDINGS = (".jpg", ".jpeg", ".png")


def encoded(picture: Image.Image, quality: int = 92) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def again(picture: Image.Image, rng: np.random.Generator) -> bytes:
    return encoded(picture, int(rng.integers(50, 90)))


def resized(picture: Image.Image, rng: np.random.Generator) -> bytes:
    factor = 1 + rng.choice([-1, 1]) * rng.uniform(0.05, 0.1)
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return encoded(picture.resize((width, height), Image.Resampling.BICUBIC))


def cropped(picture: Image.Image, rng: np.random.Generator) -> bytes:
    width, height = (round(0.95 * side) for side in picture.size)
    left, top = (
        int(rng.integers(0, whole - part + 1)) for whole, part in zip(picture.size, (width, height), strict=True)
    )
    return encoded(picture.crop((left, top, left + width, top + height)))


def recoloured(picture: Image.Image, rng: np.random.Generator) -> bytes:
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = change(picture).enhance(rng.uniform(0.85, 1.15))
    return encoded(picture)


def turned(picture: Image.Image, rng: np.random.Generator) -> bytes:
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC)
    x, y = (round(0.04 * side) for side in picture.size)  # what the turn left black
    return encoded(mirrored.crop((x, y, picture.width - x, picture.height - y)))


CHANGES: dict[str, Callable[[Image.Image, np.random.Generator], bytes]] = {
    "saved as JPEG again": again,
    "resized by up to a tenth": resized,
    "cropped by 5 %": cropped,
    "light and colour by up to 15 %": recoloured,
    "mirrored, turned by up to 4 degrees": turned,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", default="trashnet,cifar10_jpeg")
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--copied", type=int, default=400)
    told = parser.parse_args()
    print(f"{machine()}\n")
    print("| set | pictures | copies | changed by | average precision | called copies: found | and right |")
    print("|---|---|---|---|---|---|---|")
    for name in told.of.split(","):
        planted(name, told.pictures, told.copied)
    whole("cifar10_jpeg")


def planted(name: str, pictures: int, copied: int) -> None:
    rng = np.random.default_rng(0)
    raws = read(name)
    raws = [raws[row] for row in rng.permutation(len(raws))[:pictures]]
    looks = [look(raw) for raw in raws]
    for words, change in CHANGES.items():
        rows = rng.choice(len(raws), min(copied, len(raws)), replace=False)
        copies = [look(change(Image.open(io.BytesIO(raws[row])).convert("RGB"), rng)) for row in rows]
        pairs = pairs_of([*looks, *copies])
        true = {(int(row), len(looks) + k) for k, row in enumerate(rows)}
        order = np.argsort(-pairs.detail, kind="stable")
        hit = np.array([(int(pairs.a[k]), int(pairs.b[k])) in true for k in order])
        precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
        told = hit[pairs.copy[order]]
        print(
            f"| {name} | {len(looks):,} | {len(rows):,} | {words} | {precision[hit].sum() / len(true):.3f} "
            f"| {told.sum() / len(true):.1%} | {told.mean():.1%} |",
            flush=True,
        )


def whole(name: str) -> None:
    raws = read(name)
    began = time.perf_counter()
    looks = [look(raw) for raw in raws]
    looked = time.perf_counter()
    pairs = pairs_of(looks)
    paired = time.perf_counter()
    chosen = np.flatnonzero(pairs.copy)
    drawn = np.random.default_rng(1).permutation(chosen)[:100]
    sheet(PLACE / "hundred.png", [(raws[pairs.a[k]], raws[pairs.b[k]]) for k in drawn])
    print(
        f"\n{name}: {len(chosen):,} pairs of {len(looks):,} pictures are called copies; {len(drawn)} of them in "
        f"{PLACE / 'hundred.png'}\n"
        f"looking at all, in one process: {looked - began:.0f} s; pairing: {paired - looked:.0f} s"
    )


def pairs_of(looks: list[Look]) -> Pairs:
    sides = np.array([min(seen.width, seen.height) for seen in looks])
    return find_pairs(np.stack([seen.thumbnail for seen in looks]), sides)


def read(name: str) -> list[bytes]:
    """Every picture of the set, in order of names, from its folder or archives."""
    folder = Folder(DATA / name)
    wheres = sorted(entry.where for entry in folder.entries() if entry.where.lower().endswith(ENDINGS))
    found = dict(folder.stream(wheres))
    return [found[where] for where in wheres]


def sheet(path: Path, pairs: list[tuple[bytes, bytes]], side_px: int = 64, across: int = 10) -> None:
    """Pairs in rows of ten, numbered."""
    rows = -(-len(pairs) // across)
    whole = Image.new("RGB", (across * (2 * side_px + 12), rows * (side_px + 14)), "white")
    draw = ImageDraw.Draw(whole)
    for number, pair in enumerate(pairs):
        x, y = number % across * (2 * side_px + 12), number // across * (side_px + 14)
        draw.text((x, y), str(number + 1), fill="black")
        for place, raw in enumerate(pair):
            picture = Image.open(io.BytesIO(raw)).convert("RGB").resize((side_px, side_px), Image.Resampling.NEAREST)
            whole.paste(picture, (x + place * (side_px + 2), y + 12))
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.save(path)


if __name__ == "__main__":
    main()
