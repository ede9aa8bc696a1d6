"""Seconds from process start to an accuracy on 10,000 CIFAR-10 pictures: Snowroll against a plain torchvision loop.

    python benchmarks/time_to_accuracy.py --pairs 5 --target 0.516

Data: cifar10_jpeg (SNOWROLL_DATA, default ../shared/data), the first 1,000 pictures a class to learn from, files
4500-4999 of each class to validate on. Both sides use the same two threads and no test-time augmentation, both start
as fresh processes, decoding included; Snowroll's seconds include `init`, its data checks and its gates. Runs take
turns; what is printed is each pair's ratio and their median.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

DATA = Path(os.environ.get("SNOWROLL_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
TRAIN, VAL, TEST = range(1000), range(4500, 5000), range(4000, 4050)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--target", type=float, default=0.516)
    options.add_argument("--epochs", type=int, default=4, help="of both sides")
    told = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = unpack(Path(folder) / "data")
        ratios = []
        for number in range(told.pairs):
            plain = plain_loop(data, told.target, told.epochs)
            ours = snowroll(data, Path(folder) / f"project{number}", told.target, told.epochs)
            print(f"pair {number + 1}: plain loop {show(plain)}, snowroll {show(ours)}", flush=True)
            if plain[0] and ours[0]:
                ratios.append(ours[0] / plain[0])
        if ratios:
            low, high = min(ratios), max(ratios)
            middle = statistics.median(ratios)
            print(f"snowroll / plain loop to {told.target}: median {middle:.2f} [{low:.2f}, {high:.2f}]")


def show(reached: tuple[float | None, float, float]) -> str:
    seconds, best, whole = reached
    at = f"{seconds:.0f} s to the target" if seconds else "did not reach the target"
    return f"{at} (best {best:.3f}, {whole:.0f} s in all)"


def unpack(folder: Path) -> Path:
    """train|val|test folders over class folders."""
    wanted = {"train": set(TRAIN), "val": set(VAL), "test": set(TEST)}
    with tarfile.open(DATA / "cifar10_jpeg" / "cifar10_train.tar.xz", "r:xz") as archive:
        for member in archive:
            match = re.fullmatch(r"train/(\w+)/(\d+)\.jpg", member.name)
            file = archive.extractfile(member) if match else None
            for split, numbers in wanted.items():
                if match and file and int(match[2]) in numbers:
                    path = folder / split / match[1] / f"{match[2]}.jpg"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(file.read())
    return folder


def plain_loop(data: Path, target: float, epochs: int) -> tuple[float | None, float, float]:
    code = PLAIN.format(data=str(data), epochs=epochs)
    return watch([[sys.executable, "-c", code]], r"accuracy ([\d.]+)", target)


def snowroll(data: Path, project: Path, target: float, epochs: int) -> tuple[float | None, float, float]:
    steps = epochs * len(TRAIN) * 10 // 128
    start = [sys.executable, "-m", "snowroll"]
    train = [*start, "train", str(project), "--train.steps", str(steps), "--train.eval_every", str(steps // epochs)]
    commands = [[*start, "init", str(project), "--data", str(data)], train]
    return watch(commands, r"val: .*accuracy ([\d.]+)", target)


def watch(commands: list[list[str]], pattern: str, target: float) -> tuple[float | None, float, float]:
    """(seconds until the output names an accuracy of at least `target`, best accuracy, seconds in all)."""
    began, reached, best = time.perf_counter(), None, 0.0
    for command in commands:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as life:
            for line in life.stdout or ():
                if match := re.search(pattern, line):
                    best = max(best, float(match[1]))
                    if best >= target and reached is None:
                        reached = time.perf_counter() - began
    return reached, best, time.perf_counter() - began


# what a careful user writes from the tutorials: torchvision's ResNet-18, DataLoader workers, OneCycle
PLAIN = """
import torch, torchvision
from torch.utils.data import DataLoader
from torchvision.transforms import v2
torch.manual_seed(0)
norm = v2.Normalize((0.491, 0.482, 0.447), (0.247, 0.243, 0.262))
toward = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), norm]
varied = v2.Compose([v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), *toward])
train = torchvision.datasets.ImageFolder({data!r} + "/train", varied)
val = torchvision.datasets.ImageFolder({data!r} + "/val", v2.Compose(toward))
batches = DataLoader(
    train, 128, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True
)
judged = DataLoader(val, 500, num_workers=2)
model = torchvision.models.resnet18(num_classes=10)
optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, epochs={epochs}, steps_per_epoch=len(batches))
for epoch in range({epochs}):
    model.train()
    for images, classes in batches:
        loss = torch.nn.functional.cross_entropy(model(images), classes)
        optimizer.zero_grad(); loss.backward(); optimizer.step(); schedule.step()
    model.eval()
    with torch.no_grad():
        right = sum((model(images).argmax(1) == classes).sum().item() for images, classes in judged)
    print(f"epoch {{epoch + 1}} accuracy {{right / len(val):.4f}}", flush=True)
"""

if __name__ == "__main__":
    main()
