"""The protocol: whatever it names is asked for by the house, and by its name."""

import re
from pathlib import Path

import pytest

import snowroll
from snowroll.base.errors import UsageError
from snowroll.base.parts import Parts, own
from snowroll.base.task import Task, find_task, task_names

HOUSE = Path(snowroll.__file__).parent
ASKING = "\n".join(path.read_text() for path in HOUSE.rglob("*.py") if "tasks" not in path.parts)
OPTIONAL = [name for name in vars(Parts) if not name.startswith("_")]
REQUIRED = sorted(Task.__abstractmethods__)


@pytest.mark.parametrize("name", [*REQUIRED, *OPTIONAL])
def test_every_part_of_the_protocol_is_asked_for(name: str) -> None:
    assert re.search(rf"\b(?:task|find_task\(\w+\))\.{name}\b", ASKING), f"nobody asks a task for '{name}'"


@pytest.mark.parametrize("name", OPTIONAL)
def test_every_optional_part_is_brought_by_some_task(name: str) -> None:
    tasks = [find_task(task) for task in task_names()]
    assert any(getattr(type(task), name) is not getattr(Parts, name) for task in tasks)


def test_a_part_that_is_not_brought_is_none() -> None:
    task = find_task("classify_images")
    assert own(task.text) is None
    assert own(task.start) is not None


def test_what_options_may_say_is_what_is_looked_up() -> None:
    listed = (HOUSE / "base" / "parts.py").read_text().partition("looked up with getattr:")[2]
    named = re.findall(r"^#   (\w+):", listed, re.MULTILINE)
    looked_up = re.findall(r'(?:getattr\((?:\w+\.)*task|hasattr\(options), "(\w+)"', ASKING)
    assert sorted(named) == sorted(set(looked_up))


def test_an_installed_task_that_answers_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    point = EntryPoint("odd", "collections:Counter", "snowroll.tasks")
    monkeypatch.setattr("snowroll.base.task.metadata.entry_points", lambda group: [point])
    with pytest.raises(UsageError, match="is no task"):
        find_task("odd")
