"""The peer: fastai's ResNet-18 with its own loaders and augmentation. Arguments as training_torch.py's."""

import json
import sys

from fastai.vision.all import (
    Callback,
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    resnet18,
    vision_learner,
)


class Told(Callback):
    def before_epoch(self):
        self.seen = 0

    def after_batch(self):
        self.seen += len(self.y) if self.training else 0

    def after_train(self):
        print(json.dumps({"epoch": self.epoch + 1, "images": self.seen}), flush=True)


def main(data: str, size_px: int, batch: int, epochs: int) -> None:
    varied = aug_transforms(size=size_px) if size_px > 32 else aug_transforms()
    before = Resize(round(size_px * 1.15)) if size_px > 32 else None
    loaders = ImageDataLoaders.from_folder(
        data, train="train", valid="val", bs=batch, num_workers=2, item_tfms=before, batch_tfms=varied
    )
    learner = vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy, cbs=Told())
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(epochs, 0.003)
        print(json.dumps({"accuracy": float(learner.validate()[1])}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
