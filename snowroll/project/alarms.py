"""When answers raise an alarm: so many in a row of the classes that the user names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Json


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer raises an alarm where it and the `run` - 1 before it, of the same recording, are of these classes."""

    classes: tuple[str, ...] = ()  # none: no alarms are told
    run: int = 1

    @staticmethod
    def of(classes: str, run: int) -> Rule:
        """From what the command line says."""
        return Rule(tuple(name.strip() for name in classes.split(",") if name.strip()), run)

    def checked(self, schema: Mapping[str, Json]) -> Rule:
        """Itself. Raises UsageError for a class that is not in the schema, or a run of none."""
        known = schema.get("classes", ())
        for name in self.classes:
            if name not in known:
                told = f"no answer is '{name}'"
                raise UsageError(told, where="--alarm", cure=did_you_mean(name, [str(one) for one in known]))
        if self.run < 1:
            raise UsageError(f"{self.run} answers in a row", where="--alarm-run", cure="set it to 1 or more")
        if self.run > 1 and not self.classes:
            raise UsageError("no class raises an alarm", where="--alarm-run", cure="name some: --alarm A,B")
        return self


NEVER = Rule()


class Watch:
    """A rule that follows answers in the order of their time."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._of, self._run = "", 0

    def told(self, of: str, value: Json) -> dict[str, Json]:
        """{"alarm": whether it is one}; nothing without a rule. of: the recording, with which a run ends."""
        if not self._rule.classes:
            return {}
        self._run = self._run + 1 if of == self._of else 1
        self._of = of
        if value not in self._rule.classes:
            self._run = 0
        return {"alarm": self._run >= self._rule.run}
