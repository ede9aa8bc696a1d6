"""The peer: torchvision's ResNet-18 as the tutorials train it, ImageFolder and DataLoader workers.

    training_torch.py DATA SIZE_PX BATCH EPOCHS [bf16]

One JSON line an epoch, one at the end with the validation accuracy. Knows nothing of Snowroll.
"""

import contextlib
import json
import sys

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms import v2


def main(data: str, size_px: int, batch: int, epochs: int, bf16: bool) -> None:
    toward = [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    small = size_px <= 32
    varied = [v2.RandomCrop(size_px, 4)] if small else [v2.RandomResizedCrop(size_px, scale=(0.7, 1.0))]
    train = ImageFolder(f"{data}/train", v2.Compose([*varied, v2.RandomHorizontalFlip(), *toward]))
    val = ImageFolder(f"{data}/val", v2.Compose([v2.Resize((size_px, size_px)), *toward]))
    batches = DataLoader(train, batch, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    model = resnet18(num_classes=len(train.classes))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, epochs=epochs, steps_per_epoch=len(batches))
    amp = torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext()
    for epoch in range(epochs):
        model.train()
        seen = 0
        for images, classes in batches:
            with amp:
                loss = torch.nn.functional.cross_entropy(model(images), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            seen += len(classes)
        print(json.dumps({"epoch": epoch + 1, "images": seen}), flush=True)
    model.eval()
    with torch.no_grad():
        right = sum((model(images).argmax(1) == classes).sum().item() for images, classes in DataLoader(val, 100))
    print(json.dumps({"accuracy": right / len(val)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), "bf16" in sys.argv[5:])
