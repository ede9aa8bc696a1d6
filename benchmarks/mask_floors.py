"""The floors under segmentation: what lies where in most pictures, and light against dark. Nothing is learnt.

    python benchmarks/mask_floors.py PROJECT

PROJECT: one of `segment_images`, such as benchmarks/real_sets.py makes of camvid or nuclei_dsb2018. "position": at each
place the class that most training masks have there. "Otsu" (1979), of two classes: each picture's grey levels are cut
where the variance between the halves is largest; the smaller half is the foreground. Judged on the locked test set like
any model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from blobs import otsu, pictures

from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.interval import bootstrap
from snowroll.prepare.mask_targets import IGNORED, as_target, fitted, numbered, unfitted
from snowroll.project.opened import open_project
from snowroll.tasks.segment_images.scoring import scorer

SIDE = 128  # of the grid on which positions are counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    opened = open_project(parser.parse_args().project, {})
    catalog = opened.store.catalog
    version = catalog.version(catalog.pointer("version") or "", opened.store.blobs)
    classes = version.schema["classes"]
    usual = by_position([item.target for item in version.of("train")], classes)
    floors: dict[str, Callable[[np.ndarray], np.ndarray]] = {"position": lambda rgb: unfitted(usual, rgb.shape[1::-1])}
    if len(classes) == 2:
        floors["Otsu"] = light_against_dark
    shown = list(pictures(opened, version.of("test")))
    for name, floor in floors.items():
        said = [Prediction(as_target(floor(rgb), classes), None, 0.0) for _, rgb in shown]
        scores = bootstrap(scorer(said, [item.target for item, _ in shown], version.schema), len(shown))
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in scores.items()), flush=True)


def by_position(targets: list[Json], classes: list[str]) -> np.ndarray:
    """uint8 [SIDE, SIDE] the commonest class of each place."""
    counts = np.zeros((len(classes), SIDE, SIDE))
    for target in targets:
        mask = fitted(numbered(target, classes), (SIDE, SIDE))
        for number in np.unique(mask[mask != IGNORED]).tolist():
            counts[number] += mask == number
    return counts.argmax(axis=0).astype(np.uint8)


def light_against_dark(rgb: np.ndarray) -> np.ndarray:
    grey = rgb.mean(axis=2).astype(np.uint8)
    light = grey >= otsu(grey)
    return (light if light.mean() < 0.5 else ~light).astype(np.uint8)


if __name__ == "__main__":
    main()
