"""A stranger adds a second task by adding one folder: into the house, or as a package of his own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house_kit import outside

import snowroll

TOY = Path(__file__).parent / "toy" / "questions"
WALK = """
import json, sys
from pathlib import Path
from snowroll.cli import run
from snowroll.base.task import find_task
from importlib import import_module
root = Path(sys.argv[1])
task = find_task("questions")
import_module(type(task).__module__.rpartition(".")[0] + ".example").example(root / "data")
quick = ["--train.threads", "1", "--train.device", "cpu", "--train.precision", "fp32"]
codes = []
for verb in (["init", root], ["check", root], ["train", root, *quick], ["eval", root], ["export", root],
             ["predict", root, root / "data" / "ask" / "00.txt", root / "data" / "ask" / "missing.txt"],
             ["predict", root, root / "data" / "ask" / "00.txt"], ["status", root], ["doctor", root]):
    codes.append(run([*map(str, verb), "--json"]))
print(json.dumps(codes))
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house with the folder added, and nothing edited."""
    here = Path(snowroll.__file__).parent
    shutil.copytree(here, tmp_path / "house" / "snowroll", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOY, tmp_path / "house" / "snowroll" / "tasks" / "questions")
    return tmp_path / "house"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder of installed packages, one of which brings the task as an entry point."""
    shutil.copytree(TOY, tmp_path / "site" / "questions")
    told = tmp_path / "site" / "questions-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: questions\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[snowroll.tasks]\nquestions = questions:task\n")
    return tmp_path / "site"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["house", "package"])
def test_every_verb_works_on_a_task_that_is_one_folder(
    way: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    added = request.getfixturevalue(way)
    done = python(added, "-c", WALK, str(tmp_path / "talk"))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found, checked, trained, judged, exported, beside, missing, said, stands, healthy, codes = map(
        json.loads, done.stdout.splitlines()
    )
    assert codes == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert (found["task"], found["classes"]) == ("questions", {"ask": 30, "tell": 30})
    assert checked["samples"] == 60
    assert trained["value"] > 0.8
    assert (judged["value"], judged["n"]) == (trained["value"], trained["n"])
    assert exported["parity"]["agreement"] == 1
    assert {"error"} <= beside.keys() | missing.keys()
    assert said["prediction"] == "ask"
    assert stands["champion"] == 1
    assert healthy["healthy"]


def test_a_task_that_is_not_there_is_named_with_those_that_are(package: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    said = outside("init", tmp_path, "--task", "question", "--json", path=[package])
    assert said.code == 2
    assert "did you mean 'questions'?" in said.json["cure"]


@pytest.mark.slow
def test_the_folder_is_found_and_tested(house: Path) -> None:
    """What `test_every_task.py` demands of every task it demands of this one."""
    file = Path(__file__).with_name("test_every_task.py")
    done = python(house, "-m", "pytest", str(file), "-k", "questions", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    counted = re.search(r"(\d+) passed", done.stdout)
    assert counted
    assert int(counted[1]) >= 24, done.stdout


def python(first: Path, *tokens: str) -> subprocess.CompletedProcess[str]:
    """A Python process that finds modules in `first` before anywhere else."""
    env = {**os.environ, "PYTHONPATH": str(first), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *tokens], capture_output=True, text=True, env=env, cwd=first, timeout=300)
