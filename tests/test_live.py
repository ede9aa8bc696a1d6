"""Live signals as a monitor meets them: numbers on stdin of a process, a JSON line for each sample."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from house_kit import MACHINE, outside, snowroll

from snowroll.base.task import find_task
from snowroll.tasks.transcribe.example import RATE_HZ, spoken

QUICK = (*MACHINE, "--train.steps", "60", "--train.batch", "8")


def talk(*said: str) -> tuple[np.ndarray, list[float]]:
    """(a signal of stretches of speech with a second of hiss around each, when they begin in seconds)."""
    rng = np.random.default_rng(0)
    parts, starts = [rng.normal(0, 0.002, RATE_HZ)], []
    for number, letters in enumerate(said):
        starts.append(sum(map(len, parts)) / RATE_HZ)
        parts += [spoken(letters, 1, number), rng.normal(0, 0.002, RATE_HZ)]
    return np.concatenate(parts), starts


def written(signal: np.ndarray) -> str:
    return "".join(f"{value:.5f}\n" for value in signal)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transcribe", "transcribe_words"])
def test_speech_is_answered_as_it_comes(name: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    home = type(find_task(name)).__module__.rpartition(".")[0]
    made = import_module(f"{home}.example").example(project / "data")
    settings = [token for key, value in made.items() for token in (f"--{key}", str(value).lower())]
    assert snowroll("init", project, *QUICK, *settings).code == 0
    assert snowroll("train", project).code == 0
    signal, starts = talk("ai", "u")
    said = outside("predict", project, "--live", RATE_HZ, stdin=written(signal))
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["at_s"] for row in rows] == pytest.approx(starts, abs=0.25)
    assert all(row.keys() == {"at_s", "prediction", "probability", "doubt"} for row in rows)
