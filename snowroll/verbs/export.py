"""`export`: the model as files for elsewhere, each with its proof."""

from __future__ import annotations

import shutil
from pathlib import Path

from snowroll.base import atomic
from snowroll.base.errors import StoreError
from snowroll.project.artifacts import make_artifact, make_int8
from snowroll.project.data import pack_version
from snowroll.project.models import load_model
from snowroll.project.opened import Answer, Opened, Say


def export(opened: Opened, run: int | None, int8: bool, out: Path | None, say: Say) -> Answer:
    """ONNX (raw RGB pixels in, labelled probabilities out) beside the safetensors model folder with its card."""
    trained = load_model(opened, run, say)
    version = opened.store.catalog.version(trained.version, opened.store.blobs)
    if version is None:
        raise StoreError("the run's data version is gone", where=opened.root, cure="train again")
    packed = pack_version(opened, version, trained.plan.task, say)
    artifact = make_artifact(opened, trained, packed, say)
    if int8:
        artifact = make_int8(opened, trained, packed, artifact, say)
    target = out or trained.folder / "export"
    name = "model-int8.onnx" if int8 else "model.onnx"
    atomic.write(target / name, opened.store.blobs.get(artifact.blob))
    for file in ("config.json", "model.safetensors", "README.md"):
        if (trained.folder / "model" / file).exists():
            atomic.publish(
                target / file, lambda temp, file=file: shutil.copyfile(trained.folder / "model" / file, temp)
            )
    parity = artifact.parity
    lines = [
        f"export    {target / name}  {artifact.bytes / 1e6:.1f} MB",
        f"parity    n={parity['n']}: outputs differ by {parity['mean']:.1e} on average, "
        f"{parity['largest']:.1e} at most; same answer {parity['agreement']:.1%}",
        f"          {parity['metric']} {parity['before']:.4f} trained, {parity['after']:.4f} exported",
    ]
    answer = {"run": trained.run, "file": str(target / name), "bytes": artifact.bytes, "parity": dict(parity)}
    return Answer(answer, lines, next=f"snowroll serve {opened.root}")
