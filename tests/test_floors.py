"""The one architectural gate: imports go down the floors, never sideways between steps, never up."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "snowroll"
STEPS = {"prepare", "design", "train", "evaluate", "deploy"}
MAY_IMPORT = {
    "base": {"base"},
    **{step: {"base", step} for step in STEPS},
    "store": {"base", "store"},
    "tasks": {"base", *STEPS},  # and its own folder, never another task's
    "project": {"base", "store", "project", *STEPS},
    "verbs": {"base", "store", "project", *STEPS},  # never each other
    "roll": {"base", "store", "project", "verbs", *STEPS},
    "demo": {"base", "store", "project", "verbs", "roll", "demo_data", *STEPS},
    "demo_data": {"base"},
    "web": {"base", "store", "project", "web", *STEPS},
    "cli": {"base", "store", "project", "verbs", "roll", "demo", "web", *STEPS},
    "__main__": {"cli"},
    "__init__": {"project", "base"},
}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.startswith("snowroll.")}


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imports(path):
        parts = name.split(".")[1:]
        if room == "tasks" and parts[0] == "tasks":
            assert parts[1:2] == [path.relative_to(ROOT).parts[1]], f"{path}: a task imports another task: {name}"
        else:
            assert parts[0] in MAY_IMPORT[room], f"{path}: {room} may not import {name}"


def test_help_loads_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['snowroll', '--help']\n"
        "from snowroll.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'torchvision', 'sklearn', 'numpy', 'sqlalchemy', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
