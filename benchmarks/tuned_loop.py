"""The stronger peer: a small ResNet fitted to 32 px and tuned, in the same plain torchvision loop.

    tuned_loop.py DATA EPOCHS

Page's ResNet-9 (2018, "How to train your ResNet") at half width, Nesterov SGD with a one-cycle rate, label smoothing,
channels_last. One JSON line an epoch with the validation accuracy, no test-time augmentation.
"""

import json
import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2


def conv(before: int, after: int, pool: bool = False) -> nn.Sequential:
    layers = [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.inside = nn.Sequential(conv(width, width), conv(width, width))

    def forward(self, x):
        return x + self.inside(x)


class ResNet9(nn.Module):
    def __init__(self, classes: int, width: int = 32):
        super().__init__()
        w = width
        self.body = nn.Sequential(
            conv(3, w), conv(w, 2 * w, True), Residual(2 * w), conv(2 * w, 4 * w, True),
            conv(4 * w, 8 * w, True), Residual(8 * w), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(8 * w, classes, bias=False)

    def forward(self, x):
        return 0.125 * self.head(self.body(x))


def main(data: str, epochs: int) -> None:
    norm = v2.Normalize((0.491, 0.482, 0.447), (0.247, 0.243, 0.262))
    toward = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), norm]
    varied = v2.Compose([v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), *toward])
    train = ImageFolder(f"{data}/train", varied)
    val = ImageFolder(f"{data}/val", v2.Compose(toward))
    batches = DataLoader(train, 128, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    judged = DataLoader(val, 500, num_workers=2, persistent_workers=True)
    model = ResNet9(len(train.classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.2, 0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.2, epochs=epochs, steps_per_epoch=len(batches), pct_start=0.25
    )
    for epoch in range(epochs):
        model.train()
        for images, classes in batches:
            logits = model(images.to(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, classes, label_smoothing=0.2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            right = sum((model(images).argmax(1) == classes).sum().item() for images, classes in judged)
        print(json.dumps({"epoch": epoch + 1, "accuracy": right / len(val)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
