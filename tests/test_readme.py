"""The README cannot rot: its commands parse, the files it names exist, its setup targets are there."""

import json
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


NAMED = README + (ROOT / "docs/promises.md").read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`?((?:tests|docs|benchmarks)/[\w./]+\.\w+)", NAMED))))
def test_files_it_names_exist(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_has_its_two_targets(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def example(name: str, *arguments: object) -> str:
    """What the script says, run as its first line tells."""
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_one_roll_runs(tmp_path: Path) -> None:
    from test_kill_train import make_folder

    said = example("one_roll.py", make_folder(tmp_path / "parts"), 40)
    assert "95 % interval" in said
    assert "'dark':" in said


@pytest.mark.slow
def test_a_loop_of_ones_own_runs(project: Path) -> None:
    said = example("own_loop.py", project, 20)
    assert "step    0  loss" in said
    assert re.search(r"hardest sample is (bar|cross|ring)/\d+\.png, labelled (bar|cross|ring)", said)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "gate"), [("none", ""), ("softmax", "loss_is_proper"), ("labels", "targets_arrive")])
def test_a_loop_of_ones_own_is_examined(fault: str, gate: str) -> None:
    said = example("own_gates.py", "--fault", fault)
    failed = re.findall(r"^FAILED  (\w+):", said, re.MULTILINE)
    assert failed == ([gate] if gate else [])
    assert said.count("passed") >= 15


@pytest.mark.slow
def test_a_client_is_answered(project: Path) -> None:
    command = [sys.executable, "-m", "snowroll", "serve", str(project), "--json", "--serve.port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            said = example("ask_the_server.py", url, project / "data" / "bar" / "00.png")
        finally:
            server.terminate()
    assert re.search(r"00\.png: (bar|cross|ring), doubt \d\.\d\d", said)


def test_every_example_is_run_here() -> None:
    here = Path(__file__).read_text()
    assert {path.name for path in (ROOT / "examples").glob("*.py")} <= set(re.findall(r'example\("(\w+\.py)"', here))
