"""Detection and segmentation beside torchvision's own loops: the same network, size, batch and flips.

    python benchmarks/seeing.py [--rounds 5] [--epochs 3] [--only boxes,masks] [--images 64]

boxes: fasterrcnn_mobilenet_v3_large_320_fpn on BCCD at 320 x 240. masks: lraspp_mobilenet_v3_large on CamVid at 480 x
352. torchvision's side is written after its references/detection and references/segmentation, with two DataLoader
workers; both begin from fresh weights, in whatever precision each chooses by itself. Training: images a second from the
second epoch on. Serving: pictures a second from a file's bytes to an answer in the file's own pixels, one after the
other, two threads: our exported file in onnxruntime, torchvision's model in torch. Legs take turns; what counts is the
ratio within a round: median [lowest, highest].
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from measuring import DATA, HERE, WORK, Leg, machine, peer_python, spread, versions, watch

from snowroll.base.device import cores
from snowroll.base.settings import split_flags
from snowroll.project.opened import open_project
from snowroll.project.stock import take_stock

PEER = ["torch", "torchvision", "pillow"]
STILL = "--task.scale 0 --task.shift 0 --task.brightness 0 --task.contrast 0 --task.saturation 0 --task.flip true"


@dataclass(frozen=True)
class Work:
    """One network on one data set."""

    data: str
    model: str
    batch: int
    size: tuple[int, int]
    flags: str


WORKS = {
    "boxes": Work("bccd", "fasterrcnn_mobilenet_v3_large_320_fpn", 8, (320, 240), "--task.mosaic 0"),
    "masks": Work("camvid", "lraspp_mobilenet_v3_large", 8, (480, 352), "--prepare.ignore 11 --task.rotate_deg 0"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--only", default=",".join(WORKS))
    parser.add_argument("--images", type=int, default=64, help="that are served")
    told = parser.parse_args()
    python = peer_python("torch", PEER)
    print(f"{machine()}\ntorchvision's loop: {versions(python, PEER)}")
    for name in told.only.split(","):
        work = WORKS[name]
        data, wide = unpacked(work.data), work.size[0]
        flags = f"--task.model {work.model} --task.size_px {wide} {STILL} {work.flags}"
        listing = listed(data, flags, told.images)
        ours = [sys.executable, HERE / "seeing_snowroll.py", data, flags, work.batch]
        theirs = [python, HERE / "seeing_torch.py", listing, work.model, work.batch, *work.size]
        watch([*map(str, ours), "1", listing], cores())  # decode once
        legs: dict[str, list[Leg]] = {"ours": [], "theirs": []}
        for turn in range(told.rounds):
            for side in ("ours", "theirs") if turn % 2 else ("theirs", "ours"):
                command = [*ours, told.epochs, listing] if side == "ours" else [*theirs, told.epochs]
                legs[side].append(watch([str(part) for part in command], cores()))
                leg = legs[side][-1]
                print(f"{name}, round {turn + 1}: {side} {training(leg):.1f} and {serving(leg):.1f}", file=sys.stderr)
        for what, rate in (("training", training), ("serving", serving)):
            pairs = [rate(a) / rate(b) for a, b in zip(legs["ours"], legs["theirs"], strict=True)]
            print(f"{work.model}, {what}: images/s {spread(pairs)} torchvision's, {told.rounds} rounds")


def training(leg: Leg) -> float:
    epochs = leg.of("epoch")
    return sum(line["images"] for line in epochs[1:]) / (epochs[-1]["at_s"] - epochs[0]["at_s"])


def serving(leg: Leg) -> float:
    first, last = leg.of("served")
    return (last["served"] - first["served"]) / (last["at_s"] - first["at_s"])


def unpacked(name: str) -> Path:
    folder = WORK / "seeing" / name
    if not folder.exists():
        (archive,) = (DATA / name).glob("*.zip")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    return folder


def listed(data: Path, flags: str, images: int) -> Path:
    """A list that torchvision's side reads: every picture to learn from with its boxes or its mask, as we read them;
    the first of them are served.
    """
    listing = Path(f"{data}-{images}.json")
    if not listing.exists():
        from snowroll.cli import run

        project = Path(f"{data}-project")
        if not (project / "snowroll.toml").exists():
            assert run(["init", str(project), "--data", str(data)]) == 0
        stock = take_stock(open_project(project, split_flags(flags.split())[1]), lambda text: None)
        train = [sample for sample in stock.samples if sample.split == "train" and sample.id in stock.targets]
        rows = [{"path": str(data / sample.where), "target": stock.targets[sample.id]} for sample in train]
        listing.write_text(json.dumps({"classes": stock.schema["classes"], "rows": rows, "served": images}))
    return listing


if __name__ == "__main__":
    main()
