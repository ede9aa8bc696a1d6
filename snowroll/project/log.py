"""What a run measures while it trains: metrics.jsonl, and the same numbers as TensorBoard reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base import atomic


class Log:
    """metrics.jsonl: one JSON line a measurement. Lines past the checkpoint are cut at resume: they come again."""

    def __init__(self, path: Path, upto: int, is_kept: bool = True) -> None:
        """is_kept: whether the file is this process's to write."""
        self.path, self.is_kept = path, is_kept
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = [row for line in lines if (row := _whole(line)) and row["step"] <= upto]
        if is_kept and len(self.rows) != len(lines):
            atomic.write_text(path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def add(self, row: Mapping[str, float]) -> None:
        self.rows.append(dict(row))
        if self.is_kept:
            atomic.append_line(self.path, json.dumps(row, allow_nan=False))

    def validations(self) -> list[dict[str, float]]:
        return [row for row in self.rows if "val_loss" in row]

    def late_loss(self) -> float | None:
        losses = [row["loss"] for row in self.rows if "loss" in row]
        return float(np.mean(losses[-max(1, len(losses) // 10) :])) if losses else None

    def is_best(self) -> bool:
        return self.since_best() == 0

    def since_best(self) -> int:
        losses = [row["val_loss"] for row in self.validations()]
        return len(losses) - 1 - int(np.argmin(losses)) if losses else 0

    def to_tensorboard(self, folder: Path) -> None:
        """The same numbers as TensorBoard reads them; written at the end, so that its import delays no first step."""
        from torch.utils.tensorboard import SummaryWriter

        names = {"loss": "loss/train", "val_loss": "loss/val", "lr": "lr", "grad_norm": "grad_norm"}
        with SummaryWriter(str(folder)) as writer:
            for row in self.rows:
                for key in row.keys() - {"step"}:
                    writer.add_scalar(names.get(key, f"metric/{key}"), row[key], int(row["step"]))


def _whole(line: str) -> dict[str, float] | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:  # the line that was being written when the run was killed
        return None
