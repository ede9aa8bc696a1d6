"""Rules that no answer may break: how they are read, what they mean, and that the graph keeps to them."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from snowroll.base.errors import UsageError
from snowroll.prepare.tables import Cell
from snowroll.tasks.tabular.cells import hash_of
from snowroll.tasks.tabular.model import Cells
from snowroll.tasks.tabular.options import TabularOptions
from snowroll.tasks.tabular.ruled import Ruled, with_rules
from snowroll.tasks.tabular.rules import Asked, Both, Condition, Not, holds, read_rule, read_rules, refuse_unknown_words
from snowroll.tasks.tabular.values.options import ValueOptions
from snowroll.tasks.tabular.values.training import answers

COLUMNS = [{"name": "age", "kind": "number"}, {"name": "pay", "kind": "number"}]
COLUMNS.append({"name": "job", "kind": "category", "levels": ["clerk", "x y"]})  # type: ignore[dict-item]
CHOICE = {"type": "choice", "classes": ["approve", "ask", "refuse"], "columns": COLUMNS}
NUMBER = {"type": "number", "columns": COLUMNS}
KNOWN: dict[str, Any] = {"numbers": ("age", "pay"), "categories": ("job",)}


def test_rules_are_read() -> None:
    rule = read_rule("age < 18 & not (job = 'x y' | pay >= 5e4) -> never approve")
    either = Both((Asked("job", "=", "x y"), Asked("pay", ">=", 5e4)), is_any=True)
    assert rule.condition == Both((Asked("age", "<", 18), Not(either)))
    assert (rule.verb, rule.value) == ("never", "approve")
    assert read_rule("-> at least 0").condition == Both(())
    assert read_rule("a is missing and b!=2024-01-31->only '>50K'").value == ">50K"
    # "&" binds closer than "|"
    assert read_rule("a=1 | b=2 & c=3 -> never x").condition == Both(
        (Asked("a", "=", 1), Both((Asked("b", "=", 2), Asked("c", "=", 3)))), is_any=True
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("age < 18", "'->' is missing, at character 9"),
        ("age 18 -> never x", "'18' is no comparison"),
        ("age < -> never x", "'->' is no value"),
        ("(age < 18 -> never x", r"'\)' is missing"),
        ("age < 18 -> approve", "after '->' stands"),
        ("age < 18 -> at least much", "'much' is no number"),
        ("age < 18 -> never x y", "'y' is too much"),
        ("job = 'x -> never x", "not closed"),
        ("age = ? -> never x", "says nothing"),
        ("", "a column is missing"),
        ("(" * 3000, "3,000 characters"),
        ("(" * 100, "brackets within each other"),
    ],
)
def test_what_is_no_rule_says_where(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as fault:
        read_rule(text)
    assert "\n" not in str(fault.value)


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(["age", "<", "->", "never", "(", ")", "&", "1", "'"])).map(" ".join)
)
def test_any_text_is_a_rule_or_a_sentence(text: str) -> None:
    with suppress(UsageError):
        assert read_rule(text).verb == "never"


def test_rules_name_what_there_is() -> None:
    for wrong, told in (
        ("agee < 18 -> never ask", "did you mean 'age'"),
        ("job < clerk -> never ask", "not larger or smaller"),
        ("age = clerk -> never ask", "holds numbers"),
    ):
        with pytest.raises(UsageError, match=told):
            TabularOptions(rules=(wrong,), **KNOWN)
    for wrong, told in (
        (["age < 18 -> never aprove"], "did you mean 'approve'"),
        (["job = clark -> never ask"], "did you mean 'clerk'"),
        (["age < 18 -> at least 3"], "is for numbers"),
        (["age < 1 -> only ask", "age < 1 -> never ask"], "leave no class"),
    ):
        with pytest.raises(UsageError, match=told):
            refuse_unknown_words(read_rules(wrong), CHOICE)
    with pytest.raises(UsageError, match="leave no number"):
        refuse_unknown_words(read_rules(["-> at least 3", "-> at most 2"]), NUMBER)


NUMBERS = st.none() | st.sampled_from([-1.0, 0.0, 17.0, 18.0, 19.5])
WORDS = st.none() | st.sampled_from(["clerk", "x y", "unheard of"])
TESTS = st.one_of(
    st.builds(Asked, st.sampled_from(["age", "pay"]), st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), st.just(18)),
    st.builds(Asked, st.just("job"), st.sampled_from(["=", "!="]), st.sampled_from(["clerk", "x y"])),
    st.builds(Asked, st.sampled_from(["age", "job"]), st.just("missing")),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    TESTS,
    lambda inner: st.builds(Not, inner) | st.builds(Both, st.lists(inner, max_size=3).map(tuple), st.just(False))
    | st.builds(Both, st.lists(inner, min_size=1, max_size=3).map(tuple), st.just(True)),
    max_leaves=6,
)  # fmt: skip


def cells_of(rows: list[dict[str, Cell]]) -> Cells:
    number = torch.tensor(
        [[float(row[name]) if row[name] is not None else math.nan for name in ("age", "pay")] for row in rows]
    )  # type: ignore[arg-type]
    word = torch.tensor([[hash_of(str(row["job"])) if row["job"] is not None else 0] for row in rows])
    return Cells.of({"number": number, "word": word})


@given(
    CONDITIONS, st.lists(st.fixed_dictionaries({"age": NUMBERS, "pay": NUMBERS, "job": WORDS}), min_size=1, max_size=5)
)
def test_the_graph_means_what_the_words_mean(condition: Condition, rows: list[dict[str, Cell]]) -> None:
    from snowroll.tasks.tabular.rules import Rule

    ruled = Ruled(nn.Identity(), [Rule("", condition, "never", "ask")], TabularOptions(**KNOWN), CHOICE)
    assert ruled.conditions(cells_of(rows))[:, 0].tolist() == [bool(holds(condition, row.get)) for row in rows]


class Says(nn.Module):
    """A model that says one thing of every row."""

    def __init__(self, *outputs: float) -> None:
        super().__init__()
        self.outputs = torch.tensor([outputs])

    def forward(self, cells: Cells) -> torch.Tensor:
        return self.outputs.expand(cells.number.shape[0], -1)


def test_a_class_that_is_forbidden_is_never_said() -> None:
    rows: list[dict[str, Cell]] = [{"age": age, "pay": 0.0, "job": None} for age in (17.0, 18.0, None)]
    options = TabularOptions(rules=("age < 18 -> never approve", "age is missing -> only ask"), **KNOWN)
    ruled = with_rules(Says(500.0, 1.0, 2.0), options, CHOICE)
    shares = ruled(cells_of(rows)).softmax(dim=1)
    assert shares.argmax(dim=1).tolist() == [2, 0, 1]
    assert shares[0, 0] < 1e-12
    torch.testing.assert_close(shares[0, 2] / shares[0, 1], torch.tensor(math.e))  # of the others nothing changes
    torch.testing.assert_close(ruled(cells_of(rows))[1], torch.tensor([500.0, 1.0, 2.0]))


def test_numbers_and_their_intervals_lie_between_the_bounds() -> None:
    rows: list[dict[str, Cell]] = [{"age": age, "pay": 0.0, "job": None} for age in (17.0, 18.0, None)]
    options = ValueOptions(rules=("age < 18 -> at most 12.5", "-> at least 10"), centre=5.0, scale=100.0, **KNOWN)
    told = answers(with_rules(Says(0.5, 0.0), options, NUMBER)(cells_of(rows)), options)
    assert told["value"].tolist() == [12.5, 55.0, 55.0]
    assert told["low"].tolist() == [10.0] * 3
    assert told["high"][0] == 12.5
    assert told["high"][1] > 300
