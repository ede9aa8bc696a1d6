"""`check --fix CODE`: a finding's cure, applied as a rule that stays until it is undone.

The rule is kept by the finding's code, so it holds for samples that come later too. Nothing of the user's is touched:
samples leave the versions made from now on, people are asked, or a line is written into snowroll.toml.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from snowroll.base import atomic
from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Fault, Json
from snowroll.base.settings import FILE
from snowroll.prepare.check import gravest_first
from snowroll.project.opened import Opened
from snowroll.store.rows import FOR_CHECK, Queued

KNOWN = "known"  # what is done about a finding that no rule can mend: it was seen, and warns no more
Rules = Mapping[str, Mapping[str, Json]]  # code -> {"does": ...}, and the setting and value of a line in the file


def rules_of(opened: Opened) -> Rules:
    """The rules that hold now."""
    return json.loads(opened.store.catalog.pointer("fixes") or "{}")


def apply(opened: Opened, faults: Sequence[Fault], codes: Sequence[str]) -> list[str]:
    """Let the cures of the findings with these codes hold from now on. Returns what was done, in words.

    Raises UsageError for a code that was not found, before any is applied.
    """
    found = sorted({fault.code for fault in faults})
    for code in codes:
        if code not in found:
            cure = did_you_mean(code, found) if found else "nothing needs fixing"
            raise UsageError(f"there is no finding '{code}'", where="--fix", cure=cure)
    return [f"fixed     {code}: {_apply(opened, faults, code)}" for code in codes]


def _apply(opened: Opened, faults: Sequence[Fault], code: str) -> str:
    fixes = [fault.fix for fault in faults if fault.code == code and fault.fix is not None]
    rule: dict[str, Json] = {"does": fixes[0].does if fixes else KNOWN}
    does = rule["does"]
    samples = [sample for fix in fixes for sample in fix.samples]
    if does == "ask":
        waiting = opened.store.catalog.ask([Queued(s, f"{FOR_CHECK} {code}", k) for k, s in enumerate(samples)])
        words = f"{waiting:,} questions wait on the label page (`snowroll label {opened.root}`)"
    elif does == "set":
        rule |= {"setting": fixes[0].setting, "value": fixes[0].value}
        _write_setting(opened.root / FILE, fixes[0].setting, fixes[0].value)
        words = f"{fixes[0].setting} = {fixes[0].value!r} is written in {FILE}"
    elif does == "leave out":
        words = f"{len(set(samples)):,} samples are left out of every version from now on"
    else:
        words = "no rule can mend it; it is noted as known and warns no more"
    _keep(opened, {**rules_of(opened), code: rule}, {"fixed": code, **rule, "n": len(samples)})
    return words


def undo(opened: Opened, codes: Sequence[str]) -> list[str]:
    """Take these rules back. Answers that people gave meanwhile stay: they are undone one by one on the label page.

    Returns what was done, in words. Raises UsageError for a code without a rule, before any is taken back.
    """
    rules = rules_of(opened)
    for code in codes:
        if code not in rules:
            cure = did_you_mean(code, sorted(rules)) if rules else "nothing was fixed"
            raise UsageError(f"'{code}' was not fixed", where="--undo", cure=cure)
    return [f"undone    {code}: {_undo(opened, code)}" for code in dict.fromkeys(codes)]


def _undo(opened: Opened, code: str) -> str:
    rules = dict(rules_of(opened))
    rule = rules.pop(code)
    words = "its samples are used again"
    if rule["does"] == "ask":
        words = f"{opened.store.catalog.withdraw(f'{FOR_CHECK} {code}'):,} open questions are withdrawn"
    elif rule["does"] == "set":
        is_ours = _erase_setting(opened.root / FILE, rule["setting"], rule["value"])
        words = f"the line it wrote in {FILE} " + ("is taken out" if is_ours else "was changed since, and stays")
    elif rule["does"] == KNOWN:
        words = "it warns again"
    _keep(opened, rules, {"undone": code})
    return words


def _write_setting(path: Path, setting: str, value: Json) -> None:
    """Add the line, all else as it stands. Raises UsageError where the file says something else already."""
    import tomlkit

    section, _, key = setting.partition(".")
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    table = document.setdefault(section, tomlkit.table())
    if table.get(key, value) != value:
        raise UsageError(f"{setting} is set already", where=path, cure=f"change that line to {key} = {value!r}")
    table[key] = value
    atomic.write_text(path, tomlkit.dumps(document))


def _erase_setting(path: Path, setting: str, value: Json) -> bool:
    """Take the line out, if it still says that."""
    import tomlkit

    section, _, key = setting.partition(".")
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    if document.get(section, {}).get(key) != value:
        return False
    del document[section][key]  # type: ignore[union-attr]
    atomic.write_text(path, tomlkit.dumps(document))
    return True


def _keep(opened: Opened, rules: Rules, event: Json) -> None:
    opened.store.catalog.set_pointer("fixes", json.dumps(rules, sort_keys=True), event)


def settled(faults: Sequence[Fault], rules: Rules, root: Path) -> list[Fault]:
    """The findings as they are told, gravest first: what a rule mends is a note, and the others say how they can be
    mended.

    root: the project, as the user called it.
    """
    check = f"snowroll check {shlex.quote(str(root))}"
    told = [
        _as_note(fault, rules[fault.code]["does"], check) if fault.code in rules else _with_command(fault, check)
        for fault in faults
    ]
    return gravest_first(told)


def _as_note(fault: Fault, does: str, check: str) -> Fault:
    done = {"leave out": "left out by your rule", "ask": "asked about on the label page"}.get(does, "known")
    cure = f"nothing; `{check} --undo {fault.code}` takes it back"
    return replace(fault, severity="note", message=f"{fault.message} ({done})", cure=cure)


def _with_command(fault: Fault, check: str) -> Fault:
    if fault.fix is None:
        return fault
    n = len(fault.fix.samples)
    does = {"leave out": f"leaves {n:,} out", "ask": f"asks a person about {n:,}"}.get(fault.fix.does, "writes it down")
    return replace(fault, cure=f"{fault.cure}; `{check} --fix {fault.code}` {does}")


def left_out_by_rule(faults: Sequence[Fault], rules: Rules) -> dict[str, str]:
    """Sample id -> code, for what a rule leaves out."""
    return {
        sample: fault.code
        for fault in faults
        if fault.fix is not None and rules.get(fault.code, {}).get("does") == "leave out"
        for sample in fault.fix.samples
    }
