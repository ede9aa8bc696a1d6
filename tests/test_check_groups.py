"""Groups that straddle splits, and groups that nobody declared."""

import numpy as np

from snowroll.base.nouns import Sample
from snowroll.prepare.check import check
from snowroll.prepare.groups_check import group_faults, suggest_pattern
from snowroll.prepare.likeness import Pairs
from snowroll.prepare.view import View


def bursts(n: int, each: int, group: bool = False) -> tuple[View, Pairs]:
    """n tiles photographed `each` times."""
    samples = []
    for tile in range(n):
        for shot in range(each):
            where = f"ok/shot{tile * each + shot}_tile{tile}.png"
            samples.append(Sample(where, where, where, "image", "ok", f"tile{tile}" if group else None))
    a = np.array([tile * each for tile in range(n) for _ in range(each - 1)])
    b = np.array([tile * each + shot for tile in range(n) for shot in range(1, each)])
    return View.of(samples, {}), Pairs(a, b, np.full(len(a), 0.9), np.zeros(len(a), bool))


def test_recurring_scenes_suggest_the_pattern_that_joins_them() -> None:
    view, pairs = bursts(20, 3)
    (fault,) = group_faults(view, pairs)
    assert fault.code == "undeclared_groups"
    assert len(fault.paths) == 60
    import re

    pattern = fault.cure.split("'")[1]
    keys = [re.search(pattern, path) for path in fault.paths]
    assert len({found.group(1) for found in keys if found}) == 20


def test_declared_groups_are_no_fault() -> None:
    assert group_faults(*bursts(20, 3, group=True)) == []


def test_a_few_alike_pictures_are_no_sign_of_groups() -> None:
    view, pairs = bursts(60, 1)
    few = Pairs(np.array([0]), np.array([1]), np.array([0.9]), np.array([False]))
    assert group_faults(view, few) == []
    assert group_faults(view, pairs) == []


def test_the_class_folder_is_no_group() -> None:
    wheres = [f"class{k % 4}/{k}.png" for k in range(80)]
    labels = [f"class{k % 4}" for k in range(80)]
    assert suggest_pattern(wheres, np.arange(40), np.arange(40) + 40, labels) is None


def test_a_group_on_both_sides_of_a_declared_split_is_named() -> None:
    samples = [
        Sample(f"i{k}", f"{split}/{k}.png", f"c{k}", "image", "ok", f"patient{k % 5}", split)
        for k, split in enumerate(["train"] * 5 + ["test"] * 2)
    ]
    (fault,) = [fault for fault in check(View.of(samples, {})) if fault.code == "group_across_splits"]
    assert "2 groups of 5" in fault.message
    assert fault.paths == ("train/0.png", "train/1.png", "test/5.png", "test/6.png")
