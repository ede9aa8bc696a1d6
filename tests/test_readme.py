"""The README cannot rot: its commands parse, the files it names exist, its setup targets are there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [line.split("#")[0].strip() for line in README.splitlines() if line.startswith("snowroll ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    from snowroll.base.settings import split_flags
    from snowroll.cli import app

    rest, _ = split_flags(shlex.split(command)[1:])
    function, _, _ = app.parse_args(rest, exit_on_error=False, print_error=False)
    assert function.__name__ in (rest[0], "evaluate")


def test_it_shows_every_verb() -> None:
    from snowroll.cli import app

    verbs = {name for name in app if not name.startswith("-")}
    assert len(verbs) >= 16
    for verb in verbs:
        assert re.search(rf"\b{verb}\b", README), f"the README does not mention `{verb}`"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`?((?:tests|docs|benchmarks)/[\w./]+\.\w+)", README))))
def test_files_it_names_exist(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_has_its_two_targets(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path) -> None:
    from test_kill_train import make_folder

    root = make_folder(tmp_path / "parts")
    command = [sys.executable, str(ROOT / "examples" / "one_roll.py"), str(root), "40"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "95 % interval" in done.stdout
    assert "'dark':" in done.stdout
