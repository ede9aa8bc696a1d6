"""The peer: the same ResNet-18 in Keras 3 on TensorFlow, fed by tf.data. Arguments as training_torch.py's."""

import json
import sys

import keras
from keras import layers


def block(x, width: int, stride: int):
    y = layers.Conv2D(width, 3, stride, "same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(width, 3, 1, "same", use_bias=False)(y))
    if stride > 1 or x.shape[-1] != width:
        x = layers.BatchNormalization()(layers.Conv2D(width, 1, stride, use_bias=False)(x))
    return layers.ReLU()(layers.add([x, y]))


def resnet18(size_px: int, classes: int):
    inputs = keras.Input((size_px, size_px, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(64, 7, 2, "same", use_bias=False)(x)
    x = layers.MaxPooling2D(3, 2, "same")(layers.ReLU()(layers.BatchNormalization()(x)))
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        x = block(block(x, width, stride), width, 1)
    return keras.Model(inputs, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


class Told(keras.callbacks.Callback):
    def __init__(self, batch: int):
        super().__init__()
        self.batch = batch

    def on_epoch_begin(self, epoch, logs=None):
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        print(json.dumps({"epoch": epoch + 1, "images": self.batches * self.batch}), flush=True)


def main(data: str, size_px: int, batch: int, epochs: int) -> None:
    read = {"image_size": (size_px, size_px), "batch_size": batch}
    train = keras.utils.image_dataset_from_directory(f"{data}/train", **read)
    val = keras.utils.image_dataset_from_directory(f"{data}/val", shuffle=False, **read)
    classes = len(train.class_names)
    flip = layers.RandomFlip("horizontal")
    fed = train.map(lambda x, y: (flip(x, training=True), y), num_parallel_calls=2).prefetch(2)
    model = resnet18(size_px, classes)
    steps = len(train)
    rate = keras.optimizers.schedules.CosineDecay(0.005, epochs * steps, warmup_target=0.05, warmup_steps=steps // 2)
    model.compile(
        keras.optimizers.SGD(rate, 0.9, nesterov=True, weight_decay=5e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(fed, epochs=epochs, verbose=0, callbacks=[Told(batch)])
    print(json.dumps({"accuracy": float(model.evaluate(val, verbose=0)[1])}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
