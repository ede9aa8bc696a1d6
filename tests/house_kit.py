"""The house as its user meets it: a folder of drawn shapes, commands and what they say."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from snowroll.cli import run

CLASSES = ("bar", "cross", "ring")
MACHINE = ("--train.threads", "1", "--train.device", "cpu", "--train.precision", "fp32")
SMALL = ("--task.model", "convnet", "--task.size_px", "16", "--train.batch", "16")
QUICK = (*MACHINE, *SMALL, "--train.steps", "30")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout, and nothing beside it."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"{len(lines)} lines on stdout: {self.out!r}\n{self.err}"
        return json.loads(lines[0])


def snowroll(*tokens: object) -> Said:
    """One command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(token) for token in tokens])
    return Said(code, out.getvalue(), err.getvalue())


def outside(*tokens: object, path: Sequence[Path] = (), stdin: str = "") -> Said:
    """One command, in a process of its own; `path`: folders of modules that it finds first."""
    command = [sys.executable, "-m", "snowroll", *map(str, tokens)]
    known = [*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "OMP_NUM_THREADS": "1"} | ({"PYTHONPATH": os.pathsep.join(known)} if known else {})
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, input=stdin)
    return Said(done.returncode, done.stdout, done.stderr)


def shape(kind: str, seed: int, size_px: int = 20) -> np.ndarray:
    """uint8 [S, S, 3]: a bright bar, cross or ring on a ground that no two seeds share."""
    rng = np.random.default_rng([seed, CLASSES.index(kind)])
    y, x = np.mgrid[:size_px, :size_px] / size_px
    patches = rng.integers(0, 130, (4, 4, 3)).astype(np.uint8)
    ground = np.asarray(Image.fromarray(patches).resize((size_px, size_px), Image.Resampling.BICUBIC))
    cx, cy = rng.uniform(0.35, 0.65, 2)
    bar, beam = abs(x - cx) < 0.12, abs(y - cy) < 0.12
    ring = abs(np.hypot(x - cx, y - cy) - rng.uniform(0.2, 0.3)) < 0.08
    drawn = ground.copy()
    drawn[{"bar": bar, "cross": bar | beam, "ring": ring}[kind]] = rng.integers(170, 255, 3)
    return drawn


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def draw_shapes(folder: Path, each: int = 30, classes: Sequence[str] = CLASSES, seed: int = 0) -> Path:
    """Class folders of `each` pictures."""
    for kind in classes:
        (folder / kind).mkdir(parents=True)
        for number in range(each):
            (folder / kind / f"{number:02}.png").write_bytes(png(shape(kind, 1000 * seed + number)))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under `folder` with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(said: Said, *words: object, code: int) -> None:
    """The command ended with `code`; the last line on stderr names all `words`; nothing stands on stdout."""
    assert said.code == code, said.out + said.err
    assert said.out == ""
    line = said.err.splitlines()[-1]
    assert line.startswith("snowroll: ")
    assert "Traceback" not in said.err
    for word in words:
        assert str(word) in line, line


def intact(root: Path) -> None:
    """Every invariant holds, and no half-written file is left."""
    said = snowroll("doctor", root, "--deep", "--json").json
    assert said["healthy"], said["broken"]
