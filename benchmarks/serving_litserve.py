"""The peer, as its documentation shows it: LitServe over one ResNet-18, pictures as multipart files.

Runs in its own environment; `benchmarks/serving.py` starts it. Usage: serving_litserve.py eager|ort FOLDER PORT
"""

import sys
from pathlib import Path

import litserve
import numpy as np
from PIL import Image

FOLDER = Path(sys.argv[2])  # here, not under __main__: LitServe's workers import this file again


def pixels(request) -> np.ndarray:
    image = Image.open(request["request"].file).convert("RGB").resize((128, 128), Image.Resampling.BILINEAR)
    return (np.asarray(image, dtype=np.float32) / 255).transpose(2, 0, 1)


class Base(litserve.LitAPI):
    def decode_request(self, request):
        return pixels(request)

    def batch(self, inputs):
        return np.stack(inputs)

    def unbatch(self, output):
        return list(output)

    def encode_response(self, output):
        return {"scores": output.tolist()}


class Eager(Base):
    def setup(self, device):
        import torch
        import torchvision

        self.model = torchvision.models.resnet18(num_classes=10).eval()
        self.model.load_state_dict(torch.load(FOLDER / "model.pt", weights_only=True))

    def predict(self, x):
        import torch

        with torch.inference_mode():
            return self.model((torch.from_numpy(x) - 0.45) / 0.22).softmax(dim=1).numpy()


class Ort(Base):
    def setup(self, device):
        import onnxruntime

        self.session = onnxruntime.InferenceSession(FOLDER / "body.onnx", providers=["CPUExecutionProvider"])

    def predict(self, x):
        return self.session.run(None, {"prepared": x})[0]


if __name__ == "__main__":
    api = {"eager": Eager, "ort": Ort}[sys.argv[1]](max_batch_size=16, batch_timeout=0.005)
    litserve.LitServer(api, accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[3]), generate_client_file=False, log_level="warning"
    )
