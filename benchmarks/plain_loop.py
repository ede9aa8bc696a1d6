"""The peer: what a careful user writes from the tutorials: torchvision's ResNet-18, DataLoader workers, one cycle.

    plain_loop.py DATA EPOCHS

One JSON line an epoch with the validation accuracy, no test-time augmentation.
"""

import json
import sys

import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision.transforms import v2


def main(data: str, epochs: int) -> None:
    norm = v2.Normalize((0.491, 0.482, 0.447), (0.247, 0.243, 0.262))
    toward = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), norm]
    varied = v2.Compose([v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), *toward])
    train = torchvision.datasets.ImageFolder(f"{data}/train", varied)
    val = torchvision.datasets.ImageFolder(f"{data}/val", v2.Compose(toward))
    batches = DataLoader(train, 128, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    judged = DataLoader(val, 500, num_workers=2, persistent_workers=True)
    model = torchvision.models.resnet18(num_classes=len(train.classes))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, epochs=epochs, steps_per_epoch=len(batches))
    for epoch in range(epochs):
        model.train()
        for images, classes in batches:
            loss = torch.nn.functional.cross_entropy(model(images), classes)
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
