"""Serving, ResNet-18 at 128 px over HTTP, 16 clients: Snowroll (fp32, int8) against LitServe (torch eager, the same
onnxruntime model). Prints requests a second, latencies, and ratios of interleaved runs: median [lowest, highest].

    python benchmarks/serving.py [--rounds 5] [--seconds 4]

LitServe is installed into an environment of its own under .benchmarks/. Weights are random: this measures speed, and
that fp32 answers are equal; what int8 costs in accuracy is measured by `snowroll export` on a trained model. All
servers and the clients share this machine's cores; those not being measured are stopped (SIGSTOP).
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import measuring
import numpy as np
from measuring import HERE, cpu_seconds, machine, peer_python, spread, versions
from PIL import Image

WORK = measuring.WORK / "serving"
PACKAGES = ["litserve", "python-multipart", "onnxruntime", "pillow", "numpy", "torch", "torchvision"]
CLASSES = [f"class {n}" for n in range(10)]
CLIENTS = 16


@dataclass(frozen=True)
class Leg:
    """One run against one server."""

    rate_hz: float
    p50_ms: float
    p99_ms: float
    failed: int
    per_cpu_s: float  # requests for a second of the server's CPU: what noise from other work moves least


# the models


def make_models() -> None:
    """model.pt, body.onnx (what LitServe runs), fp32.onnx and int8.onnx (what Snowroll serves), once."""
    if (WORK / "int8.onnx").exists():
        return
    import torch
    import torchvision
    from torch import Tensor, nn

    from snowroll.base.task import Deployable
    from snowroll.deploy.export import export_onnx, split_graphs
    from snowroll.deploy.quantize import quantize_int8
    from snowroll.deploy.resize import PilResize
    from snowroll.deploy.session import load

    class Prepare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.resize = PilResize(128)

        def forward(self, pixels: Tensor) -> Tensor:
            return self.resize(pixels).permute(2, 0, 1).unsqueeze(0) / 255

    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = torchvision.models.resnet18(num_classes=10)

        def forward(self, prepared: Tensor) -> Tensor:
            return self.model((prepared - 0.45) / 0.22).softmax(dim=1)

    WORK.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    body = Body().eval()
    torch.save(body.model.state_dict(), WORK / "model.pt")
    whole = Deployable(
        Prepare(), body, torch.zeros(131, 133, 3, dtype=torch.uint8), "pixels", {0: "height", 1: "width"},
        ("probabilities",), {},
    )  # fmt: skip
    export_onnx(whole, WORK / "fp32.onnx", {"labels": CLASSES})
    model = (WORK / "fp32.onnx").read_bytes()
    (WORK / "body.onnx").write_bytes(split_graphs(model)[1])
    fp32 = load(model, "fp32", open_raw, answer)
    quantize_int8(model, WORK / "int8.onnx", [fp32.prepare(jpeg(seed)) for seed in range(1000, 1064)])


def jpeg(seed: int) -> bytes:
    """A 128 px picture with structure at several scales, as a photo has."""
    rng = np.random.default_rng(seed)
    small = [Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)) for side in (3, 12, 48)]
    layers = [image.resize((128, 128), Image.Resampling.BICUBIC) for image in small]
    file = io.BytesIO()
    Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.2).save(file, "JPEG", quality=90)
    return file.getvalue()


def open_raw(raw: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB"))


def answer(outputs: Mapping[str, np.ndarray]) -> list:
    from snowroll.base.nouns import Prediction

    return [
        Prediction(CLASSES[int(row.argmax())], float(row.max()), float(1 - row.max()), row)
        for row in outputs["probabilities"]
    ]


# the servers


def serve_ours(precision: str, port: int) -> None:
    """In a process of its own, as `snowroll serve` runs it."""
    from snowroll.deploy.process import bind, run_server
    from snowroll.deploy.serve import make_app
    from snowroll.deploy.session import Loaded, examples_of, load
    from snowroll.deploy.settings import ServeSettings

    def read(id: str) -> Loaded:
        model = (WORK / f"{id}.onnx").read_bytes()
        return load(model, id, open_raw, answer, examples=examples_of(load(model, id, open_raw, answer), [jpeg(0)]))

    settings = ServeSettings(port=port)
    run_server(make_app(lambda: precision, read, settings), settings, bind(settings))


@contextmanager
def running(command: list[str | Path], port: int, health: str) -> Iterator[int]:
    """The server's process group, once it answers; stopped (SIGSTOP) until it is measured."""
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 180
        while not answers(port, health):
            assert process.poll() is None, f"{command} ended"
            assert time.monotonic() < deadline, f"{command} did not start"
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(port: int, health: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{health}", timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# the clients


def raw_request(picture: bytes) -> bytes:
    head = (
        "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\n"
        f"content-length: {len(picture)}\r\n\r\n"
    )
    return head.encode() + picture


def multipart_request(path: str, picture: bytes) -> bytes:
    part = (
        b'--b0\r\ncontent-disposition: form-data; name="request"; filename="a.jpg"\r\ncontent-type: image/jpeg\r\n\r\n'
    )
    body = part + picture + b"\r\n--b0--\r\n"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b0\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def load_on(port: int, group: int, requests: list[bytes], seconds: float) -> Leg:
    """Closed loop: each client sends its next picture when the last is answered. The first second does not count."""
    begun = time.perf_counter()
    end = begun + 1 + seconds
    spans: list[float] = []
    failed = asked = 0
    before = cpu_seconds(group)

    async def client(number: int) -> None:
        nonlocal failed, asked
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = number
        while (sent := time.perf_counter()) < end:
            status, _ = await ask(reader, writer, requests[turn % len(requests)])
            turn += CLIENTS
            failed += status != 200
            asked += 1
            if sent > begun + 1:
                spans.append((time.perf_counter() - sent) * 1e3)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    p50, p99 = (float(np.percentile(spans, share)) for share in (50, 99))
    return Leg(len(spans) / seconds, p50, p99, failed, asked / (cpu_seconds(group) - before))


async def scores_of(port: int, request: bytes) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    status, body = await ask(reader, writer, request)
    writer.close()
    assert status == 200, body
    told = json.loads(body)
    return told["scores"] if "scores" in told else list(told["predictions"][0]["scores"].values())


# the table


def measure(rounds: int, seconds: float) -> None:
    make_models()
    python = peer_python("litserve", PACKAGES)
    pictures = [jpeg(seed) for seed in range(64)]
    raw = [raw_request(picture) for picture in pictures]
    same = [multipart_request("/v1/predict", picture) for picture in pictures]
    theirs = [multipart_request("/predict", picture) for picture in pictures]
    ports = {name: free_port() for name in ("fp32", "int8", "ort", "eager")}
    with ExitStack() as stack:
        pids = {}
        for name in ("fp32", "int8"):
            command = [sys.executable, __file__, "--serve", name, "--port", str(ports[name])]
            pids[name] = stack.enter_context(running(command, ports[name], "/healthz"))
        for name in ("ort", "eager"):
            command = [python, HERE / "serving_litserve.py", name, WORK, str(ports[name])]
            pids[name] = stack.enter_context(running(command, ports[name], "/health"))
        legs = {
            "Snowroll fp32": ("fp32", raw),
            "Snowroll fp32, multipart": ("fp32", same),
            "Snowroll int8": ("int8", raw),
            "LitServe + onnxruntime": ("ort", theirs),
            "LitServe, torch eager": ("eager", theirs),
        }
        results: dict[str, list[Leg]] = {name: [] for name in legs}
        told: dict[str, list[float]] = {}
        for turn in range(rounds):
            order = list(legs)[turn % len(legs) :] + list(legs)[: turn % len(legs)]
            for name in order:
                server, requests = legs[name]
                os.killpg(pids[server], signal.SIGCONT)
                results[name].append(asyncio.run(load_on(ports[server], pids[server], requests, seconds)))
                told[name] = asyncio.run(scores_of(ports[server], requests[0]))
                os.killpg(pids[server], signal.SIGSTOP)
    show(results, told, versions(python, ["litserve", "torch", "onnxruntime", "uvicorn"]))


def show(results: dict[str, list[Leg]], told: dict[str, list[float]], peers: str) -> None:
    print(f"{machine()}\npeers: {peers}")
    print(f"{CLIENTS} clients, median of {len(next(iter(results.values())))} interleaved rounds\n")
    print(f"{'server':28}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'req/CPU-s':>11}{'failed':>8}{'gap to eager':>14}")
    for name, legs in results.items():
        rate, p50, p99, per_cpu = (
            median(getattr(leg, key) for leg in legs) for key in ("rate_hz", "p50_ms", "p99_ms", "per_cpu_s")
        )
        gap = np.abs(np.array(told[name]) - told["LitServe, torch eager"]).max()
        failed = sum(leg.failed for leg in legs)
        print(f"{name:28}{rate:8.0f}{p50:9.1f}{p99:9.1f}{per_cpu:11.0f}{failed:8}{gap:14.1e}")
    print()
    for ours in ("Snowroll fp32", "Snowroll fp32, multipart", "Snowroll int8"):
        for peer in ("LitServe + onnxruntime", "LitServe, torch eager"):
            pairs = list(zip(results[ours], results[peer], strict=True))
            speed = spread([a.rate_hz / b.rate_hz for a, b in pairs])
            thrift = spread([a.per_cpu_s / b.per_cpu_s for a, b in pairs])
            print(f"{ours} / {peer}: requests/s {speed}, requests/CPU-s {thrift}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--serve", choices=["fp32", "int8"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_ours(given.serve, given.port)
    else:
        measure(given.rounds, given.seconds)
