"""Networks by name. Each takes float images [B, 3, H, W] in [0, 1] and is a Classifier: features, then a head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from snowroll.base.errors import PlanError, did_you_mean
from snowroll.design import fastnet, vit
from snowroll.design.classifier import IMAGENET_MEAN, IMAGENET_STD, RGB, Classifier, set_prior
from snowroll.design.convnet import WIDTH, convnet
from snowroll.design.fine_tuned import hasten_statistics, keep_weights
from snowroll.design.hub import import_timm, timm_weights, torchvision_weights
from snowroll.design.padding import pad_as_tensorflow
from snowroll.design.weights import Loaded, fill, load_weights

if TYPE_CHECKING:
    from snowroll.design.rules import ImageOptions

# torchvision's networks, and where each keeps the output layer that ours replaces
TORCHVISION = {
    "alexnet": "classifier.6",
    "vgg11": "classifier.6",
    "vgg11_bn": "classifier.6",
    "vgg16": "classifier.6",
    "vgg16_bn": "classifier.6",
    "resnet18": "fc",
    "resnet34": "fc",
    "resnet50": "fc",
    "mobilenet_v2": "classifier.1",
    "efficientnet_b0": "classifier.1",
}
OURS = ("convnet", *fastnet.SIZES, *vit.SIZES)
NAMES = (*OURS, *TORCHVISION)

Padding = Literal["torch", "same"]


def build(
    name: str,
    classes: int,
    size_px: int,
    *,
    dropout: float = 0.0,
    hidden: int = 0,
    mean: RGB = IMAGENET_MEAN,
    std: RGB = IMAGENET_STD,
    pretrained: str = "",
    padding: Padding = "torch",
) -> Classifier:
    """The network `name` for `classes` classes and square pictures of `size_px`.

    name: one of NAMES, or "timm:NAME". pretrained: "" for fresh weights, a path to a file, or "hub" to ask
    torchvision's or timm's hub; `.loaded` then says what was found. padding: "same" for weights trained in
    TensorFlow. The caller seeds torch's generator.
    Raises PlanError for a name or size that cannot be, DataError for weights that cannot be had.
    """
    backbone, width = _backbone(name, size_px)
    model = Classifier(backbone, width, classes, dropout, hidden, mean, std)
    if padding == "same":
        pad_as_tensorflow(model)
    if pretrained == "hub":
        model.loaded = _fill_from_hub(model, name)
    elif pretrained:
        model.loaded = load_weights(model, Path(pretrained).expanduser())
    else:
        hasten_statistics(backbone)
    return model


def build_from(options: ImageOptions, classes: int) -> Classifier:
    """The network that a plan's image options describe."""
    model = build(
        options.model,
        classes,
        options.size_px,
        dropout=options.dropout,
        hidden=options.hidden,
        mean=options.mean,
        std=options.std,
        pretrained=options.pretrained,
        padding=options.padding,
    )
    if options.keep or options.keep_statistics:
        keep_weights(model, options.keep, options.keep_statistics)
    return model


def begin(model: Classifier, images: Tensor, classes: np.ndarray) -> None:
    """Before the first step: whitening filters from what the network will see, the class shares as its bias.

    images: some of the training split, as the network takes them; classes: [n] the numbers of all of it. Neither where
    a file of weights brought its own.
    """
    brought = model.loaded.loaded if model.loaded else ()
    if not any(name.endswith("whitening") for name in brought):
        fastnet.whiten(model, images)
    if "head.bias" not in brought:
        counts = np.bincount(classes, minlength=model.head.out_features)
        set_prior(model, torch.from_numpy(np.log((counts + 1) / (counts.sum() + len(counts)))).float())


def _backbone(name: str, size_px: int) -> tuple[nn.Module, int]:
    """(normalised images to features [B, D], D)."""
    if name == "convnet":
        return convnet(size_px), WIDTH
    if name in fastnet.SIZES:
        size = fastnet.SIZES[name]
        return fastnet.FastNet(size, size_px), size.widths[-1]
    if name in vit.SIZES:
        return vit.ViT(vit.SIZES[name], size_px), vit.SIZES[name].width
    if name in TORCHVISION:
        return _torchvision(name, size_px)
    if name.startswith("timm:"):
        return _timm(name.removeprefix("timm:"), size_px)
    raise PlanError(f"there is no model '{name}'", where="task.model", cure=did_you_mean(name, [*NAMES, "timm:NAME"]))


def _torchvision(name: str, size_px: int) -> tuple[nn.Module, int]:
    # importing torchvision takes longer than torch itself: only who asks for its networks pays
    from torchvision.models import get_model

    smallest = 64 if name == "alexnet" else 32
    if size_px < smallest:
        raise PlanError(f"{name} needs pictures of {smallest} px or more, not {size_px}", cure="set --task.size_px")
    network = get_model(name, weights=None)
    return network, _take_head(network, TORCHVISION[name])


def _take_head(network: nn.Module, path: str) -> int:
    """Replace the output layer by nothing; returns the width of what it saw."""
    parent_path, _, leaf = path.rpartition(".")
    parent = network.get_submodule(parent_path)
    head = getattr(parent, leaf)
    assert isinstance(head, nn.Linear)
    setattr(parent, leaf, nn.Identity())
    if isinstance(parent, nn.Sequential) and len(parent) > 1:
        before = parent[len(parent) - 2]
        if isinstance(before, nn.Dropout):  # the Classifier has its own there, set by the plan
            before.p = 0.0
    return head.in_features


def _timm(name: str, size_px: int) -> tuple[nn.Module, int]:
    timm = import_timm()
    if not timm.is_model(name):
        near = did_you_mean(name, timm.list_models())
        raise PlanError(f"timm has no model '{name}'", where="task.model", cure=near if "?" in near else "see timm")
    network = timm.create_model(name, num_classes=0)
    fixed = getattr(getattr(network, "patch_embed", None), "img_size", None)
    if fixed is not None:  # transformers have a place for every patch, so they must know the size
        network = timm.create_model(name, num_classes=0, img_size=size_px)
    return network, int(network.num_features)


def _fill_from_hub(model: Classifier, name: str) -> Loaded:
    if name.startswith("timm:"):
        return fill(model, timm_weights(name.removeprefix("timm:")), name)
    if name in TORCHVISION:
        return fill(model, torchvision_weights(name), name)
    raise PlanError(
        f"there are no public weights for '{name}'",
        where="task.pretrained",
        cure="choose a torchvision or timm model, or give a path",
    )
