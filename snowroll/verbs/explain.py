"""`explain`: every setting, its value and where it came from."""

from __future__ import annotations

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Json
from snowroll.project.opened import Answer, Opened, every_section
from snowroll.project.plans import Told, briefly, make_plan, read_told


def explain(opened: Opened, key: str) -> Answer:
    """Settings that decide a run come from the rules on the latest version, or as the last run resolved them."""
    sections = every_section(opened.settings, opened.task)
    told = {f"{name}.{k}": value for name, settings in sections.items() for k, value in settings.items()}
    told |= planned(opened)
    if key:
        chosen = {k: v for k, v in told.items() if k == key or k.startswith(f"{key}.")}
        if not chosen:
            raise UsageError(f"there is no setting '{key}'", cure=did_you_mean(key, list(told)))
        told = chosen
    width = max(len(k) for k in told)
    shown = {k: _hidden(k, value) for k, (value, _) in told.items()}
    lines = [f"{k:<{width}}  {_plain(shown[k]):<12}  {origin}" for k, (_, origin) in sorted(told.items())]
    answer = {k: {"value": _json(shown[k]), "origin": origin} for k, (_, origin) in sorted(told.items())}
    return Answer(answer, lines, next=f"snowroll train {opened.root}")


def planned(opened: Opened) -> Told:
    """[train] and [task]: the rules applied to the latest version, else the settings as they stand."""
    from snowroll.project.facts import known_facts

    catalog = opened.store.catalog
    latest = catalog.pointer("version")
    version = catalog.version(latest, opened.store.blobs) if latest else None
    facts = known_facts(opened, version) if version else None
    if version and facts is not None:
        return make_plan(opened, version, facts, None)[1]
    runs = catalog.runs()
    if runs:
        return read_told(opened.store.run_folder(runs[-1].number))
    sections = every_section(opened.settings, opened.task)
    return {f"{name}.{k}": _until_planned(v) for name in ("train", "task") for k, v in sections[name].items()}


def _until_planned(value: tuple[Json, str]) -> tuple[Json, str]:
    return (value[0], "default, until the first `train` applies the rules") if value[1] == "default" else value


def _hidden(key: str, value: Json) -> Json:
    return "(set)" if key == "serve.token" and value else value


def _json(value: Json) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _plain(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value in ("", None, (), []) else str(briefly(value))
