"""A small exported classifier and a real server on loopback, for the tests of step 5."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor, nn

from snowroll.base.errors import DataError
from snowroll.base.nouns import Prediction
from snowroll.base.task import Deployable
from snowroll.deploy.capture import Seen
from snowroll.deploy.export import export_onnx
from snowroll.deploy.process import bind, make_server
from snowroll.deploy.resize import Fit, PilResize
from snowroll.deploy.serve import make_app
from snowroll.deploy.session import Example, Loaded, examples_of, load
from snowroll.deploy.settings import ServeSettings

CLASSES = ("round", "square", "star")
PLAIN = ServeSettings(port=0, threads=2, max_body_mb=0.2, max_items=8, receive_s=1.0, poll_s=0.02)
SIZE_PX = 24


class Prepare(nn.Module):
    """uint8 RGB [H, W, 3] -> float32 [1, 3, S, S] in [0, 1]."""

    def __init__(self, size_px: int = SIZE_PX, fit: Fit = "stretch") -> None:
        super().__init__()
        self.resize = PilResize(size_px, fit)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.resize(pixels).permute(2, 0, 1).unsqueeze(0) / 255


class Net(nn.Module):
    """float32 [B, 3, S, S] -> probabilities [B, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU()
        )
        self.head = nn.Linear(16, len(CLASSES))

    def forward(self, prepared: Tensor) -> Tensor:
        return self.head(self.layers(prepared - 0.5).mean(dim=(2, 3)) * 20).softmax(dim=1)


def deployable(seed: int = 0, size_px: int = SIZE_PX, fit: Fit = "stretch") -> Deployable:
    torch.manual_seed(seed)
    return Deployable(
        prepare=Prepare(size_px, fit),
        body=Net().eval(),
        raw_example=torch.zeros(size_px + 3, size_px + 5, 3, dtype=torch.uint8),
        raw_name="pixels",
        raw_axes={0: "height", 1: "width"},
        output_names=("probabilities",),
        contract={"classes": list(CLASSES)},
    )


@cache
def exported(seed: int = 0) -> bytes:
    """The file's bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(deployable(seed), path, {"name": "shapes", "labels": list(CLASSES), "run": str(seed)})
        return path.read_bytes()


def open_raw(raw: bytes) -> np.ndarray:
    try:
        return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"))
    except (UnidentifiedImageError, OSError) as fault:
        raise DataError("not a picture", cure="send PNG or JPEG") from fault


def answer(outputs: Mapping[str, np.ndarray]) -> list[Prediction]:
    return [
        Prediction(CLASSES[int(row.argmax())], float(row.max()), float(1 - row.max()), row)
        for row in outputs["probabilities"]
    ]


def png(seed: int, width: int = 31, height: int = 23) -> bytes:
    """A picture of its own for every seed."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@cache
def examples(seed: int) -> list[Example]:
    """What the honest file answers."""
    return examples_of(load(exported(seed), "plain", open_raw, answer, threads=1), [png(1), png(2)])


def loaded(id: str = "m0", seed: int = 0, model: bytes | None = None) -> Loaded:
    """A model with the stored examples of the honest file, whatever `model` holds."""
    return load(model or exported(seed), id, open_raw, answer, threads=1, examples=examples(seed))


@contextmanager
def serving(
    settings: ServeSettings,
    current: Callable[[], str] = lambda: "m0",
    load_model: Callable[[str], Loaded] = loaded,
    on_record: Callable[[list[Seen]], None] | None = None,
) -> Iterator[str]:
    """A real server on a free port of loopback, on a thread of its own. Yields its address."""
    app = make_app(current, load_model, settings, on_record)
    sock = bind(settings)
    up = threading.Event()
    server = make_server(app, settings, up.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        assert up.wait(20), "the server did not start"
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"
