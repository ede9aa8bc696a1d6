"""Another project's tool, asked in an environment of its own; and this folder's way to `benchmarks/measuring.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))  # at the end: `training` is this folder's, not benchmarks/training.py

from cases import Finding  # noqa: E402
from measuring import WORK, machine, peer_python, versions  # noqa: E402

__all__ = ["HERE", "WORK", "ToolFailed", "findings_of", "machine", "peer_python", "said_last", "versions"]


class ToolFailed(Exception):
    """The tool ended with an error instead of an answer."""


def findings_of(name: str, packages: Sequence[str], root: Path) -> list[Finding]:
    """What `tools/NAME.py ROOT` prints as its last line, run by an interpreter that has these packages.

    -P: the folder of the script is not searched, or `tools/cleanlab.py` would import itself.
    """
    python = peer_python(name, packages)
    with TemporaryDirectory() as folder:
        command = [str(python), "-P", "-m", f"tools.{name}", str(unpacked(root, Path(folder).resolve()))]
        env = {**os.environ, "PYTHONPATH": str(HERE)}
        done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise ToolFailed(f"{name}: {said_last(done.stderr)}")
    return [Finding(one["cause"], tuple(one["files"]), one["sentence"]) for one in json.loads(said_last(done.stdout))]


def unpacked(root: Path, folder: Path) -> Path:
    """The content of the archive at `root`, for tools that read folders only; `root` where there is none."""
    archives = list(root.glob("*.zip"))
    for archive in archives:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    return folder if archives else root


def said_last(text: str) -> str:
    return (text.strip().splitlines() or ["ended without a word"])[-1]
