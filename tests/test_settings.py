"""One config file, flags over it: each value with its origin, each mistake with its place and the right word."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Plan
from snowroll.base.settings import Settings, as_flag, as_toml, read_settings, split_flags
from snowroll.deploy.settings import ServeSettings
from snowroll.evaluate.settings import PromotionSettings
from snowroll.prepare.settings import PrepareSettings
from snowroll.project.plans import same_request, seconds
from snowroll.project.settings import LabelSettings


@dataclass(frozen=True)
class Oven:
    """Something to be set."""

    heat: float = 180.0
    trays: int = 2
    fan: bool = False
    names: tuple[str, ...] = ()
    note: str | None = None


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "snowroll.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_flag_over_file_over_rule_over_default(tmp_path: Path) -> None:
    settings = read(tmp_path, "# what we bake\n[oven]\nheat = 200\ntrays = 3\n").over({"oven.heat": "220"})
    rules = [Choice("oven.fan", True, "small cakes"), Choice("oven.trays", 9, "never reached")]
    oven, told = settings.section("oven", Oven, rules)
    assert oven == Oven(220.0, 3, True)
    assert told["heat"] == (220.0, "flag")
    assert told["trays"] == (3, "snowroll.toml:4")
    assert told["fan"] == (True, "rule: small cakes")
    assert told["names"] == ((), "default")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ({"oven.fan": "true"}, Oven(fan=True)),
        ({"oven.fan": "0"}, Oven(fan=False)),
        ({"oven.names": "a, b,c"}, Oven(names=("a", "b", "c"))),
        ({"oven.names": ""}, Oven()),
        ({"oven.note": "none"}, Oven()),
        ({"oven.note": "rye"}, Oven(note="rye")),
        ({"oven.heat": "1e2"}, Oven(heat=100.0)),
    ],
)
def test_flags_are_text_and_become_values(flag: dict[str, str], value: Oven) -> None:
    assert Settings().over(flag).section("oven", Oven)[0] == value


@pytest.mark.parametrize(
    ("text", "where", "says", "cure"),
    [
        ("[oven]\nheta = 1\n", "snowroll.toml:2", "unknown setting 'oven.heta'", "did you mean 'heat'?"),
        ("[oven]\n\ntrays = 'two'\n", "snowroll.toml:3", "'two' does not fit oven.trays", "it takes a whole number"),
        ("[oven\n", "snowroll.toml", "not valid TOML", "mend the line named"),
        ("heat = 1\n", "snowroll.toml", "'heat' stands outside a section", "write it under [heat]"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(tmp_path: Path, text: str, where: str, says: str, cure: str) -> None:
    with pytest.raises(UsageError) as fault:
        read(tmp_path, text).section("oven", Oven)
    assert fault.value.where.endswith(where)
    assert says in fault.value.what
    assert fault.value.cure == cure
    assert "\n" not in str(fault.value)


def test_a_mistake_in_a_flag_names_the_flag() -> None:
    for flags in ({"oven.heta": "1"}, {"oven.heat": "hot"}):
        with pytest.raises(UsageError) as fault:
            Settings().over(flags).section("oven", Oven)
        assert fault.value.where == f"--{next(iter(flags))}"
    with pytest.raises(UsageError, match=r"--ovne\.heat: unknown section 'ovne'; did you mean 'oven'"):
        Settings().over({"ovne.heat": "1"}).refuse_unknown_sections(["oven", "sink"])


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "snowroll.toml").write_bytes(b"\xff\xfe[")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_settings(tmp_path / "snowroll.toml")


def test_flags_are_taken_out_of_a_command() -> None:
    tokens = ["train", ".", "--train.lr", "-0.5", "--time", "10m", "--prepare.group=(a=b)", "--task.size-px", "16"]
    rest, flags = split_flags(tokens)
    assert rest == ["train", ".", "--time", "10m"]
    assert flags == {"train.lr": "-0.5", "prepare.group": "(a=b)", "task.size_px": "16"}
    with pytest.raises(UsageError, match="needs a value"):
        split_flags(["train", "--train.lr"])


def ovens(names: st.SearchStrategy[str]) -> st.SearchStrategy[Oven]:
    text = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    return st.builds(
        Oven,
        heat=st.floats(allow_nan=False, allow_infinity=False),
        trays=st.integers(-(2**63), 2**63 - 1),
        fan=st.booleans(),
        names=st.lists(names).map(tuple),
        note=st.none() | text.filter(lambda text: text != "none"),
    )


@given(oven=ovens(st.text(st.characters(exclude_categories=["Cs", "Cc"]))))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, oven: Oven) -> None:
    path = tmp_path_factory.mktemp("toml") / "snowroll.toml"
    path.write_text(as_toml({"oven": oven}), encoding="utf-8")
    assert read_settings(path).section("oven", Oven)[0] == oven


@given(oven=ovens(st.text(st.characters(categories=["L", "N"]), min_size=1)))  # commas and blanks part a flag's names
def test_what_is_spelled_as_flags_is_read(oven: Oven) -> None:
    flags = {f"oven.{f.name}": as_flag(getattr(oven, f.name)) for f in fields(Oven)}
    assert Settings().over(flags).section("oven", Oven)[0] == oven


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", 0),
        ("steps", -5),
        ("batch", 0),
        ("lr", math.nan),
        ("lr", math.inf),
        ("lr", -0.1),
        ("momentum", 1.5),
        ("warmup", -0.1),
        ("threads", -1),
        ("time_s", -1.0),
        ("checkpoint_every", 0),
    ],
)
def test_a_plan_out_of_bounds_cannot_be_made(key: str, value: float) -> None:
    with pytest.raises(UsageError) as fault:
        replace(Plan(task=None), **{key: value})
    assert fault.value.where == f"train.{key}"
    assert fault.value.cure


def test_no_number_may_be_nan() -> None:
    for f in fields(Plan):
        if isinstance(getattr(Plan(task=None), f.name), int | float):
            with pytest.raises(UsageError):
                replace(Plan(task=None), **{f.name: math.nan})
    with pytest.raises(UsageError, match=r"oven\.heat: 180\.0 is out of bounds; set it to between 0 and 1"):
        check_numbers("oven", Oven(), shares="heat")
    check_numbers("oven", Oven(), from_0="heat", from_1="trays")
    with pytest.raises(AssertionError, match="names no field"):  # a misspelt bound would hold nothing
        check_numbers("oven", Oven(), from_0="heta")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", -1),
        ("port", 65_536),
        ("threads", -1),
        ("max_body_mb", 0.0),
        ("max_items", 0),
        ("deadline_s", 0.0),
        ("deadline_s", math.inf),
        ("poll_s", -1.0),
        ("sample", 1.1),
        ("quota_mb", -1.0),
        ("quota_mb", math.nan),
        ("keep_days", -1.0),
    ],
)
def test_a_server_out_of_bounds_cannot_be_set(key: str, value: float) -> None:
    with pytest.raises(UsageError) as fault:
        ServeSettings(**{key: value})
    assert fault.value.where == f"serve.{key}"
    assert fault.value.cure


def test_a_server_may_keep_nothing_and_answer_fast() -> None:
    assert ServeSettings(port=0, quota_mb=0.0, keep_days=0.0, max_body_mb=0.003, poll_s=0.01).max_body == 3_000


@pytest.mark.parametrize("chance", [0.0, 1.0])
@pytest.mark.parametrize("key", ["alpha", "harm_alpha"])
def test_a_chance_of_being_wrong_is_neither_0_nor_1(key: str, chance: float) -> None:
    with pytest.raises(UsageError, match=key):
        PromotionSettings(**{key: chance})


@pytest.mark.parametrize("settings", [ServeSettings, LabelSettings, PromotionSettings])
def test_settings_of_no_run_refuse_nan(settings: type) -> None:
    for f in fields(settings):
        if isinstance(getattr(settings(), f.name), int | float):
            with pytest.raises(UsageError):
                settings(**{f.name: math.nan})


def test_a_share_is_a_share() -> None:
    with pytest.raises(UsageError, match=r"prepare\.test"):
        PrepareSettings(test=1.5)


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("10m", 600), ("1.5 h", 5400), ("45", 45), ("2 min", 120), ("", None)]
)
def test_times_as_people_write_them(text: str, value: float | None) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["soon", "-5m", "0", "10x", "1h30", "∞", "1e9999"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        seconds(text)


def test_a_budgets_steps_are_no_part_of_the_question() -> None:
    asked = Plan(task=None, time_s=60.0, steps=1000)
    assert same_request(replace(asked, steps=750), asked)
    assert not same_request(replace(asked, steps=750, lr=0.5), asked)
    assert not same_request(Plan(task=None, steps=750), Plan(task=None, steps=1000))
