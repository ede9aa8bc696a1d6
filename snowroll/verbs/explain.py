"""`explain`: every setting, its value and where it came from."""

from __future__ import annotations

from dataclasses import fields

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Json, Plan
from snowroll.deploy.settings import ServeSettings
from snowroll.evaluate.settings import PromotionSettings
from snowroll.prepare.settings import PrepareSettings
from snowroll.project.opened import Answer, Opened
from snowroll.project.plans import Told, briefly, make_plan, read_told
from snowroll.project.settings import LabelSettings


def explain(opened: Opened, key: str) -> Answer:
    """Settings that decide a run come from the rules on the latest version, or as the last run resolved them."""
    told: Told = {}
    for name, kind in (
        ("prepare", PrepareSettings),
        ("promotion", PromotionSettings),
        ("serve", ServeSettings),
        ("label", LabelSettings),
    ):
        made = {"asked": {}} if kind is PrepareSettings else None
        told |= {f"{name}.{k}": v for k, v in opened.settings.section(name, kind, made=made)[1].items()}
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
    options, told_task = opened.settings.section("task", opened.task.Options, beside=("name",))
    _, told_train = opened.settings.section("train", Plan, made={"task": options})
    names = {f.name for f in fields(Plan)} - {"task"}
    told = {f"train.{k}": _until_planned(v) for k, v in told_train.items() if k in names}
    return told | {f"task.{k}": _until_planned(v) for k, v in told_task.items()}


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
