"""torchvision's side of seeing.py, after its references/detection and references/segmentation. Nothing of ours.

seeing_torch.py LISTING MODEL BATCH WIDTH HEIGHT EPOCHS
"""

import base64
import io
import json
import sys
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.models import get_model
from torchvision.transforms.v2 import functional as F


class Pictures(Dataset):
    def __init__(self, told: dict, size: tuple[int, int], boxes: bool) -> None:
        self.rows, self.size, self.boxes = told["rows"], size, boxes
        self.number = {name: place + boxes for place, name in enumerate(told["classes"])}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int):
        image = Image.open(self.rows[index]["path"]).convert("RGB")
        target = self.rows[index]["target"]
        flip = torch.rand(()) < 0.5
        if self.boxes:  # the model itself resizes and normalises
            box = torch.tensor([row["box"] for row in target], dtype=torch.float32).reshape(-1, 4)
            kept = (box[:, 2:] > box[:, :2]).all(dim=1)
            kind = torch.tensor([self.number[row["class"]] for row in target], dtype=torch.int64)
            if flip:
                image = F.hflip(image)
                box = torch.stack((image.width - box[:, 2], box[:, 1], image.width - box[:, 0], box[:, 3]), dim=1)
            return F.to_dtype(F.to_image(image), scale=True), {"boxes": box[kept], "labels": kind[kept]}
        mask = Image.open(io.BytesIO(base64.b64decode(target["mask"])))
        values = torch.full((256,), 255)
        for value, name in enumerate(target["classes"]):
            values[value] = self.number.get(name, 255)
        image, mask = image.resize(self.size, Image.Resampling.BILINEAR), mask.resize(self.size, 0)
        if flip:
            image, mask = F.hflip(image), F.hflip(mask)
        return normalised(image), values[F.pil_to_tensor(mask)[0].long()]


def normalised(image: Image.Image) -> torch.Tensor:
    pixels = F.to_dtype(F.to_image(image), torch.float32, scale=True)
    return F.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def main(listing: str, name: str, batch: int, width: int, height: int, epochs: int) -> None:
    torch.manual_seed(0)
    told = json.loads(Path(listing).read_text())
    boxes = name.startswith("fasterrcnn")
    data = Pictures(told, (width, height), boxes)
    more = {"min_size": height, "max_size": width} if boxes else {}
    classes = len(told["classes"]) + boxes
    model = get_model(name, weights=None, weights_backbone=None, num_classes=classes, **more)
    collate = (lambda rows: tuple(zip(*rows, strict=True))) if boxes else None
    batches = DataLoader(
        data, batch, shuffle=True, num_workers=2, drop_last=True, collate_fn=collate, persistent_workers=True
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9, weight_decay=1e-4)
    model.train()
    for epoch in range(epochs):
        for images, targets in batches:
            if boxes:
                loss = sum(model(list(images), list(targets)).values())
            else:
                loss = torch.nn.functional.cross_entropy(model(images)["out"], targets, ignore_index=255)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(json.dumps({"epoch": epoch + 1, "images": len(batches) * batch}), flush=True)
    model.eval()
    paths = [Path(row["path"]) for row in told["rows"][: told["served"]]]
    with torch.inference_mode():
        answer(model, paths[0].read_bytes(), boxes, (width, height))
        print(json.dumps({"served": 0}), flush=True)
        for path in paths:
            answer(model, path.read_bytes(), boxes, (width, height))
        print(json.dumps({"served": len(paths)}), flush=True)


def answer(model: torch.nn.Module, raw: bytes, boxes: bool, size: tuple[int, int]):
    """In the file's own pixels."""
    image = Image.open(io.BytesIO(raw)).convert("RGB")
    if boxes:
        return model([F.to_dtype(F.to_image(image), scale=True)])
    found = model(normalised(image.resize(size, Image.Resampling.BILINEAR))[None])["out"].argmax(1)
    return Image.fromarray(found[0].byte().numpy()).resize(image.size, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7]))
