"""The floor under detection: blobs darker than the ground, without anything learnt but how large each class is.

    python benchmarks/blobs.py PROJECT

PROJECT: one of `detect_objects` on a light ground, such as benchmarks/real_sets.py makes of bccd. The green channel is
cut in two by Otsu's threshold (1979); connected parts are objects; each is of the class whose mean area and colour,
over the training boxes, are nearest. Judged on the locked test set like any model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

from snowroll.base.nouns import Json, Metric, Prediction
from snowroll.evaluate.interval import bootstrap
from snowroll.prepare.pictures import open_rgb
from snowroll.project.opened import Opened, open_project
from snowroll.tasks.detect_objects.scoring import scorer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    opened = open_project(parser.parse_args().project, {})
    catalog = opened.store.catalog
    version = catalog.version(catalog.pointer("version") or "", opened.store.blobs)
    classes = version.schema["classes"]
    known = {name: looks_of(opened, version.of("train"), name) for name in classes}
    said, targets = [], []
    for item, rgb in pictures(opened, version.of("test")):
        rows = [[*box, size / rgb[..., 0].size, nearest(known, classes, look)] for box, size, look in blobs(rgb)]
        found = np.array(sorted(rows, key=lambda row: -row[4]), float).reshape(-1, 6)
        said.append(Prediction([], None, 0.0, found))
        targets.append(item.target)
    scores: dict[str, Metric] = bootstrap(scorer(said, targets, version.schema), len(targets))
    print(f"blobs: mAP50 {scores['mAP50']}, mAP {scores['mAP']}")


def pictures(opened: Opened, items: tuple):
    samples = opened.samples([item.sample for item in items])
    raw = dict(opened.stream([sample.where for sample in samples.values()]))
    for item in items:
        yield item, open_rgb(raw[samples[item.sample].where])


def looks_of(opened: Opened, items: tuple, name: str) -> np.ndarray:
    """(log of the area, mean red, green, blue) of each training box of the class, as a mean."""
    found = []
    for item, rgb in pictures(opened, items):
        for row in item.target:
            left, top, right, bottom = (max(0, round(side)) for side in row["box"])
            if row["class"] == name and right > left and bottom > top:
                found.append(look(rgb[top:bottom, left:right].reshape(-1, 3), (right - left) * (bottom - top)))
    return np.mean(found, axis=0)


def look(pixels: np.ndarray, area: float) -> np.ndarray:
    return np.array([np.log(area), *(pixels.mean(axis=0) / 64)])


def nearest(known: dict[str, np.ndarray], classes: list[str], seen: np.ndarray) -> int:
    return int(np.argmin([np.square(known[name] - seen).sum() for name in classes]))


def blobs(rgb: np.ndarray) -> list[tuple[list[float], int, Json]]:
    """(box, pixels, look) of every dark part of a thousandth of the picture or more."""
    dark = ndimage.binary_fill_holes(rgb[..., 1] < otsu(rgb[..., 1]))
    parts, _ = ndimage.label(dark)
    found = []
    for number, place in enumerate(ndimage.find_objects(parts), 1):
        inside = parts[place] == number
        if inside.sum() >= rgb[..., 0].size / 1000:
            rows, columns = place
            box = [columns.start, rows.start, columns.stop, rows.stop]
            area = (columns.stop - columns.start) * (rows.stop - rows.start)
            found.append((box, int(inside.sum()), look(rgb[place].reshape(-1, 3), area)))
    return found


def otsu(grey: np.ndarray) -> int:
    """The level that parts the histogram into two with the largest variance between them."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(float)
    below, level = counts.cumsum(), np.arange(256)
    mass = (counts * level).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * np.square(mass / below - (mass[-1] - mass) / above)
    return int(np.nanargmax(spread)) + 1


if __name__ == "__main__":
    main()
