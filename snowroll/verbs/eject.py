"""`eject`: the readable training loop, copied into the user's folder to be edited."""

from __future__ import annotations

from importlib.resources import files

from snowroll.base import atomic
from snowroll.base.errors import StoreError
from snowroll.project.opened import Answer, Opened


def eject(opened: Opened) -> Answer:
    """Never overwrites: an edited loop is the user's."""
    target = opened.root / "fit.py"
    if target.exists():
        raise StoreError("there is a loop here already", where=target, cure="move it away first")
    atomic.write_text(target, files("snowroll.train").joinpath("fit.py").read_text())
    lines = [
        f"wrote     {target}: the loop as plain PyTorch; edit it and call it on your model and your batches",
        f"          a trained one: load_model(open_project(Path({str(opened.root)!r}), {{}})).model, an nn.Module,",
        "          from snowroll.project.models import load_model; from snowroll.project.opened import open_project",
    ]
    return Answer({"file": str(target)}, lines)
