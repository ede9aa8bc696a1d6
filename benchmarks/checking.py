"""What `check` costs: beside decoding every picture once, and in memory, over many pictures and over large ones.

    python benchmarks/checking.py [--parts small,photos,many] [--rounds 3]

small: 50,000 pictures of 32 x 32 (cifar10_jpeg): listing, hashing, looking, files, copies and groups, beside two
processes that read and decode all of them and do nothing else; what checks of labels add stands beside it.
photos: 10,000 photos of 640 x 480, trashnet's cropped and mirrored: memory of `init` and `check`, children included.
many: 100,000 made pictures, one of them cut off: whether it alone is named as unreadable, and memory.
Data: SNOWROLL_DATA (default ../shared/data). Folders are kept under .benchmarks/checking/.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measuring import DATA, WORK, machine, spread, watch
from PIL import Image
from sets import cifar

from snowroll.prepare.read import Folder

PLACE = WORK / "checking"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="small,photos,many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--leg", choices=("decode", "check"), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.leg:
        print(json.dumps(LEGS[told.leg](told.data)))
        return
    print(machine(), flush=True)
    for part in told.parts.split(","):
        {"small": lambda: small(told.rounds), "photos": photos, "many": many}[part]()


def small(rounds: int) -> None:
    data = cifar(4450)
    taken: dict[str, list[dict[str, float]]] = {leg: [] for leg in LEGS}
    for turn in range(rounds):
        for leg in sorted(LEGS, reverse=bool(turn % 2)):
            command = [sys.executable, __file__, "--leg", leg, "--data", data]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            taken[leg].append(json.loads(done.stdout.splitlines()[-1]))
    once = [sum(leg.values()) for leg in taken["decode"]]
    print(f"\n50,000 pictures of 32 x 32, {rounds} rounds in turns; decoding all of them once: {median(once):.1f} s\n")
    print("| stage | seconds | decoding once |\n|---|---|---|")
    stages = list(taken["check"][0])
    for stage in stages:
        row(stage, [leg[stage] for leg in taken["check"]], once)
    row("**files, copies, groups**", [sum(leg[stage] for stage in stages[:-1]) for leg in taken["check"]], once)


def row(name: str, seconds: list[float], once: list[float]) -> None:
    print(f"| {name} | {median(seconds):.1f} | {spread([a / b for a, b in zip(seconds, once, strict=True)])} |")


def decode_leg(data: Path) -> dict[str, float]:
    """Two processes, files in chunks as they lie."""
    paths = sorted(data.rglob("*.jpg"))
    began = time.perf_counter()
    with Pool(2) as pool:
        pixels = sum(pool.imap_unordered(_decoded, paths, chunksize=256))
    assert pixels == len(paths) * 32 * 32 * 3
    return {"decoding": time.perf_counter() - began}


def _decoded(path: Path) -> int:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return np.asarray(image.convert("RGB")).size


def check_leg(data: Path) -> dict[str, float]:
    """The stages of `snowroll check` on a project that has seen nothing yet."""
    from snowroll.base.settings import as_toml
    from snowroll.prepare.check import check
    from snowroll.prepare.duplicates import duplicate_faults, pairs_of, scene_groups
    from snowroll.prepare.files_check import file_faults
    from snowroll.prepare.groups_check import group_faults, hinted_groups
    from snowroll.prepare.pictures_check import picture_faults
    from snowroll.prepare.view import View
    from snowroll.project.looks import look_at
    from snowroll.project.opened import open_project
    from snowroll.project.stock import take_stock
    from snowroll.store.project import Project

    root = PLACE / "small"
    shutil.rmtree(root, ignore_errors=True)
    sections = {"task": {"name": "classify_images"}, "prepare": {"data": str(data)}}
    Project.create(root, data, as_toml(sections)).close()
    opened = open_project(root, {})
    seconds: dict[str, float] = {}

    def timed(stage: str, do: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = do()
        seconds[stage] = time.perf_counter() - began
        return found

    stock = timed("listing and hashing", lambda: take_stock(opened, quiet))
    looks = timed("looking", lambda: look_at(opened, stock.samples, quiet))
    view = View.of(stock.samples, looks, stock.schema)
    pairs = timed("pairing", lambda: pairs_of(view))

    def judged() -> None:
        hint = hinted_groups(view)
        scene_groups(view, pairs)
        found = [*file_faults(view), *picture_faults(view), *duplicate_faults(view, pairs)]
        found += group_faults(view, pairs, hint)

    timed("findings", judged)
    timed("(labels, shortcuts, shifts)", lambda: check(view))
    return seconds


def quiet(words: str) -> None:
    """Nobody is listening."""


LEGS = {"decode": decode_leg, "check": check_leg}


def photos(n: int = 10_000) -> None:
    """Every photo of trashnet as five of 640 x 480: another part of it each, half of them mirrored."""
    data = PLACE / "photos"
    folder = Folder(DATA / "trashnet")
    wheres = [entry.where for entry in folder.entries() if entry.where.endswith(".jpg")]
    if not (data / "ready").exists():
        rng = np.random.default_rng(0)
        parts = ((where, raw) for where, raw in folder.stream(wheres) for _ in range(5))
        for number, (where, raw) in enumerate(islice(parts, n)):
            put(data / Path(where).parent.name / f"{number:05}.jpg", part_of(raw, rng))
        (data / "ready").touch()
    weigh("photos of 640 x 480", data)


def part_of(raw: bytes, rng: np.random.Generator) -> bytes:
    picture = Image.open(io.BytesIO(raw)).convert("RGB")
    side = 0.6 + 0.3 * rng.random()
    width, height = int(picture.width * side), int(picture.height * side * 0.75)
    x, y = rng.integers(0, picture.width - width), rng.integers(0, picture.height - height)
    picture = picture.crop((x, y, x + width, y + height)).resize((640, 480), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return encoded(picture, "JPEG")


def many(n: int = 100_000) -> None:
    """Waves in two colours, 32 x 32, half of them slanted: two classes that a child could tell apart."""
    data = PLACE / "many"
    if not (data / "ready").exists():
        rng = np.random.default_rng(0)
        x, y = np.meshgrid(np.arange(32), np.arange(32))
        for k in range(n):
            slant, wave = (k % 2) * rng.uniform(0.5, 1.5), rng.uniform(0.2, 0.9)
            light = np.sin((x + slant * y) * wave + rng.uniform(0, 6))[..., None] * 0.5 + 0.5
            colours = rng.integers(0, 256, (2, 3))
            pixels = colours[0] * light + colours[1] * (1 - light) + rng.normal(0, 8, (32, 32, 3))
            raw = encoded(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), "PNG")
            put(data / ("slanted" if k % 2 else "straight") / f"{k:06}.png", raw[:-600] if k == 77_777 else raw)
        (data / "ready").touch()
    faults = weigh("pictures of 32 x 32", data)
    named = [fault["paths"] for fault in faults if fault["code"] in ("truncated_file", "unreadable_file")]
    print(f"called cut off or unreadable: {named}")


def weigh(name: str, data: Path) -> list[dict]:
    """Memory and minutes of `init` and `check` on a folder; what `check` found."""
    root = PLACE / f"{data.name}-project"
    shutil.rmtree(root, ignore_errors=True)
    begun = watch([sys.executable, "-m", "snowroll", "init", root, "--data", data, "--json"], 2)
    script = "import sys; from snowroll.cli import run; run(sys.argv[1:])"  # findings that block are no failure here
    checked = watch([sys.executable, "-c", script, "check", root, "--json"], 2)
    answer = next(line for line in checked.said if "faults" in line)
    print(
        f"\n{answer['samples']:,} {name}: init {begun.seconds:.0f} s, at most {begun.peak_mb:,.0f} MB; check "
        f"{checked.seconds:.0f} s, at most {checked.peak_mb:,.0f} MB; {len(answer['faults'])} findings",
        flush=True,
    )
    return answer["faults"]


def encoded(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return out.getvalue()


def put(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


if __name__ == "__main__":
    main()
