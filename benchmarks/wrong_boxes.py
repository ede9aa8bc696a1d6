"""Boxes taken away and boxes given another class, planted in BCCD: how many of the suspects are planted ones?

    python benchmarks/wrong_boxes.py [--time 4m] [--first 50] [--gone 30] [--other 15]

BCCD misses many cells of its own, so that of objects seen where nothing is marked most are not planted: a sheet of some
of those is written into the project, to be looked at. Data: SNOWROLL_DATA (default ../shared/data): bccd. The project
is kept under .benchmarks/wrong_boxes/: a killed call goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from measuring import DATA, WORK, machine
from PIL import Image, ImageDraw

from snowroll.project.opened import open_project
from snowroll.project.opinions import known_opinions
from snowroll.project.stock import take_stock
from snowroll.tasks.detect_objects.faults import beside_marked
from snowroll.tasks.detect_objects.scoring import overlaps

CLASSES = ("RBC", "WBC", "Platelets")
SHOWN, TILE_PX, AROUND_PX = 12, 320, 130
Box = list[float]
Suspect = tuple[float, str, str, dict]  # score, verdict, where, the object told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", default="4m")
    parser.add_argument("--first", type=int, default=50)
    parser.add_argument("--gone", type=int, default=30)
    parser.add_argument("--other", type=int, default=15)
    told = parser.parse_args()
    root = WORK / "wrong_boxes" / f"{told.gone}-{told.other}"
    planted, project = plant(root, told.gone, told.other), root / f"project-{told.time}"
    if not (project / "snowroll.toml").exists():
        verb("init", project, "--data", root / "data")
    if not (project / ".snowroll" / "packs" / "opinions.npz").exists():
        verb("check", project, "--time", told.time)
    found = suspects(project)
    print(f"\n{machine()}\n\n| seen | planted | suspects | planted of the first {told.first} | of all |")
    print("|---|---|---|---|---|")
    for verdict, kind, words in (("missing", "gone", "where nothing is marked"), ("other", "other", "another class")):
        heard = [one for one in found if one[1] == verdict]
        hits = [is_planted(one, planted[kind]) for one in heard]
        counts = (len(planted[kind]), len(heard), sum(hits[: told.first]), sum(hits))
        print(f"| {words} | {' | '.join(map(str, counts))} |")
        if verdict == "missing":
            rest = [one for one, hit in zip(heard[: told.first], hits, strict=False) if not hit]
            draw(random.Random(0).sample(rest, min(SHOWN, len(rest))), root / "data", project / "not_planted.png")


def plant(root: Path, gone: int, other: int) -> dict[str, list[tuple[str, Box]]]:
    """Writes the folder once; returns (picture, box) of what was taken away and of what has another class."""
    if (root / "planted.json").exists():
        return json.loads((root / "planted.json").read_text())
    with zipfile.ZipFile(DATA / "bccd" / "BCCD_trainval_voc.zip") as archive:
        archive.extractall(root / "data")
    trees = {path: ElementTree.parse(path) for path in sorted((root / "data").rglob("*.xml"))}
    every = [(path, one) for path, tree in trees.items() for one in tree.getroot().findall("object")]
    draw = random.Random(7)
    planted: dict[str, list[tuple[str, Box]]] = {"gone": [], "other": []}
    for number, (path, one) in enumerate(draw.sample(every, gone + other)):
        planted["gone" if number < gone else "other"].append((path.stem, box_of(one)))
        if number < gone:
            trees[path].getroot().remove(one)
        else:
            name = one.find("name")
            assert name is not None
            name.text = draw.choice([kind for kind in CLASSES if kind != name.text])
    for path, tree in trees.items():
        tree.write(path)
    (root / "planted.json").write_text(json.dumps(planted))
    return planted


def box_of(one: ElementTree.Element) -> Box:
    return [float(one.findtext(f"bndbox/{side}") or 0) for side in ("xmin", "ymin", "xmax", "ymax")]


def verb(name: str, project: Path, *flags: object) -> None:
    done = subprocess.run([sys.executable, "-m", "snowroll", name, str(project), *map(str, flags)])
    if done.returncode not in (0, 1):
        raise SystemExit(f"snowroll {name} ended with {done.returncode}")


def suspects(project: Path) -> list[Suspect]:
    """All that the networks told against what is marked, surest first."""
    opened = open_project(project, {})
    stock, opinions = take_stock(opened, lambda _: None), known_opinions(opened)
    assert opinions is not None
    said = dict(zip(opinions.samples, opinions.values, strict=True))
    return sorted(
        (
            (one["score"], verdict, sample.where, one)
            for sample in stock.samples
            if sample.id in said
            for verdict, one in beside_marked(said[sample.id], stock.targets[sample.id])
        ),
        key=lambda told: -told[0],
    )


def is_planted(suspect: Suspect, planted: Sequence[tuple[str, Box]]) -> bool:
    boxes = [box for picture, box in planted if picture == Path(suspect[2]).stem]
    return bool(boxes) and bool(overlaps(np.array([suspect[3]["box"]]), np.array(boxes)).max() >= 0.5)


def draw(some: Sequence[Suspect], data: Path, sheet: Path) -> None:
    """Each suspect in the middle of its surroundings."""
    tiles = Image.new("RGB", (4 * TILE_PX, -(-len(some) // 4) * TILE_PX))
    for place, (_, _, where, one) in enumerate(some):
        image = Image.open(data / where).convert("RGB")
        left, top, right, bottom = one["box"]
        ImageDraw.Draw(image).rectangle((left, top, right, bottom), outline="red", width=3)
        x, y = round((left + right) / 2), round((top + bottom) / 2)
        part = image.crop((x - AROUND_PX, y - AROUND_PX, x + AROUND_PX, y + AROUND_PX)).resize((TILE_PX, TILE_PX))
        tiles.paste(part, (place % 4 * TILE_PX, place // 4 * TILE_PX))
    tiles.save(sheet)


if __name__ == "__main__":
    main()
