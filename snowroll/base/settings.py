"""One config file, flags over it, rules under both: every value with its origin.

`snowroll.toml` holds sections; each section is a frozen dataclass. A value comes from, in falling order:
a flag (`--train.lr 0.1`), the file, a planning rule, the default. `Settings.origins` says which.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Choice, Json

S = TypeVar("S")
FILE = "snowroll.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Raw values by dotted key, and where each came from ("flag", "snowroll.toml:12")."""

    values: Mapping[str, Json] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def section(
        self,
        name: str,
        kind: type[S],
        choices: Iterable[Choice] = (),
        made: Mapping[str, Any] | None = None,
        beside: Iterable[str] = (),
    ) -> tuple[S, dict[str, tuple[Json, str]]]:
        """`kind` filled for section `name`, and for each field (value, origin).

        `choices`: what planning rules say, under the file and over the defaults. `made`: fields that are no setting.
        `beside`: keys of the section that belong to somebody else.
        """
        made = made or {}
        hints = get_type_hints(kind)
        names = [f.name for f in fields(kind) if f.name not in made]  # type: ignore[arg-type]
        prefix = f"{name}."
        given = {key[len(prefix) :]: value for key, value in self.values.items() if key.startswith(prefix)}
        for key in set(given) - set(beside):
            if key not in names:
                where = _at(prefix + key, self.origins[prefix + key])
                raise UsageError(f"unknown setting '{prefix}{key}'", where=where, cure=did_you_mean(key, names))
        ruled = {c.key[len(prefix) :]: c for c in choices if c.key.startswith(prefix)}
        filled: dict[str, Json] = {}
        told: dict[str, tuple[Json, str]] = {}
        for f in fields(kind):  # type: ignore[arg-type]
            if f.name not in names:
                continue
            if f.name in given:
                origin = self.origins[prefix + f.name]
                filled[f.name] = _coerce(given[f.name], hints[f.name], prefix + f.name, origin)
                told[f.name] = (filled[f.name], origin)
            elif f.name in ruled:
                filled[f.name] = _coerce(ruled[f.name].value, hints[f.name], prefix + f.name, "rule")
                told[f.name] = (filled[f.name], f"rule: {ruled[f.name].why}")
        whole = kind(**filled, **made)
        for key in names:
            told.setdefault(key, (getattr(whole, key), "default"))
        return whole, {key: told[key] for key in names}

    def over(self, flags: Mapping[str, Json]) -> Settings:
        """These settings with flags laid over them."""
        origins = {**self.origins, **dict.fromkeys(flags, "flag")}
        return Settings({**self.values, **flags}, origins)

    def refuse_unknown_sections(self, known: Iterable[str]) -> None:
        known = list(known)
        for key, origin in self.origins.items():
            section = key.partition(".")[0]
            if section not in known:
                cure = did_you_mean(section, known)
                raise UsageError(f"unknown section '{section}'", where=_at(key, origin), cure=cure)


def read_settings(path: Path) -> Settings:
    """The values of a TOML file, each with its line."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise UsageError(f"not valid TOML: {fault}", where=path, cure="mend the line named") from None
    lines = _lines(text)
    values: dict[str, Json] = {}
    for section, body in tree.items():
        if not isinstance(body, dict):
            raise UsageError(f"'{section}' stands outside a section", where=path, cure=f"write it under [{section}]")
        for key, value in body.items():
            values[f"{section}.{key}"] = value
    origins = {key: f"{path.name}:{lines[key]}" if key in lines else path.name for key in values}
    return Settings(values, origins)


def split_flags(tokens: list[str]) -> tuple[list[str], dict[str, Json]]:
    """Separate `--section.name value` (or `=value`) from a command line. Returns (the rest, settings)."""
    rest: list[str] = []
    flags: dict[str, Json] = {}
    queue = list(tokens)
    while queue:
        token = queue.pop(0)
        match = re.fullmatch(r"--([a-z_]+\.[a-z0-9_-]+)(?:=(.*))?", token, re.DOTALL)
        if not match:
            rest.append(token)
            continue
        key, value = match[1].replace("-", "_"), match[2]
        if value is None:
            if not queue:
                raise UsageError(f"'{token}' needs a value", cure=f"write {token} VALUE")
            value = queue.pop(0)
        flags[key] = value
    return rest, flags


def as_flag(value: Json) -> str:
    """A value as a flag says it, so that `split_flags` and the setting's type read it again.

    >>> as_flag((1, 2)), as_flag(None), as_flag(True)
    ('1,2', 'none', 'true')
    """
    if isinstance(value, list | tuple):
        return ",".join(map(as_flag, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


# pydantic's words for a type -> people's
PLAINLY = {
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "text",
}


def _coerce(value: Json, kind: Any, key: str, origin: str) -> Json:
    from pydantic import TypeAdapter, ValidationError

    if isinstance(value, str) and get_origin(kind) is tuple:
        value = [part.strip() for part in value.split(",") if part.strip()]  # a flag's spelling of a list
    if value == "none" and type(None) in getattr(kind, "__args__", ()):
        return None
    if isinstance(value, bool) and kind in (int, float):  # else it would be read as 1 or 0
        raise UsageError(f"'{str(value).lower()}' does not fit {key}", where=_at(key, origin), cure="it takes a number")
    try:
        # flags arrive as text and are read leniently; the file has types of its own
        return TypeAdapter(kind).validate_python(value, strict=None)
    except ValidationError as fault:
        why = fault.errors()[0]["msg"].partition(", unable")[0].removeprefix("Input should be ")
        cure = f"it takes {PLAINLY.get(why, why)}"
        raise UsageError(f"'{value}' does not fit {key}", where=_at(key, origin), cure=cure) from None


def _at(key: str, origin: str) -> str:
    """Where the user wrote it."""
    return f"--{key}" if origin == "flag" else origin


def _lines(text: str) -> dict[str, int]:
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*\[([^\]]+)\]", line):
            section = match[1].strip()
        elif match := re.match(r"\s*([\w-]+)\s*=", line):
            lines[f"{section}.{match[1]}"] = number
    return lines


def as_toml(sections: Mapping[str, Mapping[str, Json] | Any]) -> str:
    """Sections (dataclasses or mappings) as TOML; None is left out."""
    import tomlkit

    document = tomlkit.document()
    for name, body in sections.items():
        plain = {f.name: getattr(body, f.name) for f in fields(body)} if is_dataclass(body) else dict(body)
        table = tomlkit.table()
        for key, value in plain.items():
            if value is not None:
                table[key] = list(value) if isinstance(value, tuple) else value
        document[name] = table
    return tomlkit.dumps(document)
