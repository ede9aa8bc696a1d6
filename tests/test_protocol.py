"""What the protocol's file says a task may bring is what the house looks up."""

import re
from pathlib import Path

import snowroll

HOUSE = Path(snowroll.__file__).parent


def test_the_optional_parts_are_those_that_are_looked_up() -> None:
    listed = (HOUSE / "base" / "task.py").read_text().partition("beside the protocol, looked up with getattr:")[2]
    named = re.findall(r"^#   (\w+)[(:]", listed, re.MULTILINE)
    text = "\n".join(path.read_text() for path in HOUSE.rglob("*.py"))
    looked_up = re.findall(r'(?:getattr\((?:\w+\.)*task|hasattr\(options), "(\w+)"', text)
    assert sorted(named) == sorted(set(looked_up))


def test_every_part_of_the_protocol_is_asked_for() -> None:
    asked = "\n".join(p.read_text() for p in HOUSE.rglob("*.py") if "tasks" not in p.parts)
    protocol = asked.partition("class Task(Protocol):")[2].partition("class Deployable:")[0]
    for name in re.findall(r"^    def (\w+)\(", protocol, re.MULTILINE):
        assert re.search(rf"\b(?:task|find_task\(\w+\))\.{name}\b", asked), f"nobody asks a task for '{name}'"
