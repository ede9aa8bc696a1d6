"""`export`: the model as files for elsewhere, each with its proof; or the labels, in other tools' formats."""

from __future__ import annotations

import shutil
from pathlib import Path

from snowroll.base import atomic
from snowroll.base.errors import UsageError, did_you_mean
from snowroll.project.artifacts import STEP, STEP_FILE, make_artifact, make_int8
from snowroll.project.judging import packed_of
from snowroll.project.looks import look_at
from snowroll.project.models import load_model
from snowroll.project.opened import Answer, Opened, Say
from snowroll.project.placements import placements
from snowroll.project.stock import take_stock


def export(opened: Opened, run: int | None, int8: bool, out: Path | None, say: Say) -> Answer:
    """ONNX (raw RGB pixels in, answers out) beside the safetensors model folder with its card."""
    trained = load_model(opened, run, say)
    packed = packed_of(opened, trained, say)
    artifact = make_artifact(opened, trained, packed, say)
    if int8:
        artifact = make_int8(opened, trained, packed, artifact, say)
    target = out or trained.folder / "export"
    name = "model-int8.onnx" if int8 else "model.onnx"
    atomic.write(target / name, opened.store.blobs.get(artifact.blob))
    if (sha := artifact.contract.get(STEP)) is not None:
        atomic.write(target / STEP_FILE, opened.store.blobs.get(sha))
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
    ]
    if parity["before"] is not None:  # else it has no meaning for those samples
        lines.append(f"          {parity['metric']} {parity['before']:.4f} trained, {parity['after']:.4f} exported")
    answer = {"run": trained.run, "file": str(target / name), "bytes": artifact.bytes, "parity": dict(parity)}
    return Answer(answer, lines, next=f"snowroll serve {opened.root}")


def export_labels(opened: Opened, format: str, out: Path | None, say: Say) -> Answer:
    """Every label known now, the folder's and people's, in a format that other tools read; splits where they are known.

    Raises UsageError where the task writes no such format.
    """
    writers = opened.task.writers
    if format not in writers:
        told = f"task '{opened.task.name}' writes no labels as '{format}'"
        cure = did_you_mean(format, sorted(writers)) if writers else "it writes none"
        raise UsageError(told, where="--labels", cure=cure)
    stock = take_stock(opened, say)
    labelled = [sample for sample in stock.samples if sample.id in stock.targets]
    looks, splits = look_at(opened, labelled, say), placements(opened)
    rows = [
        (s.where, stock.targets[s.id], looks[s.id].upright, splits.get(s.id, s.split))
        for s in labelled
        if not looks[s.id].reason
    ]
    target = out or opened.store.runs / f"labels-{format}"  # where nothing is taken for data
    files = writers[format](rows)
    for place, text in files.items():
        atomic.write_text(target / place, text)
    lines = [f"labels    {len(rows):,} samples as {format} in {len(files):,} files under {target}"]
    lost = opened.task.unwritten(format, rows)
    if lost:
        lines.append(f"WARNING   {format} has no place for {' and '.join(lost)}: left out")
    answer = {"format": format, "folder": str(target), "samples": len(rows), "files": len(files), "left_out": lost}
    return Answer(answer, lines, next="")
