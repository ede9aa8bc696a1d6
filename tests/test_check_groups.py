"""Groups that straddle splits, and groups that nobody declared."""

import re
from dataclasses import replace

import numpy as np
import pytest

from snowroll.base.nouns import Fault, Sample, Split
from snowroll.prepare import groups_check
from snowroll.prepare.check import check
from snowroll.prepare.groups_check import suggest_pattern
from snowroll.prepare.likeness import Pairs
from snowroll.prepare.look import Look
from snowroll.prepare.view import View


def group_faults(view: View, pairs: Pairs) -> list[Fault]:
    return groups_check.group_faults(view, pairs, groups_check.hinted_groups(view))


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
    pattern = fault.cure.split("'")[1]
    keys = [re.search(pattern, path) for path in fault.paths]
    assert len({found.group(1) for found in keys if found}) == 20


@pytest.mark.parametrize("name", ["{word}/{speaker}_{n}.wav", "{speaker}_{word}_{n}.wav"])
def test_speakers_are_groups_over_all_words(name: str) -> None:
    told = [(w, s, n) for w in ("yes", "no", "up") for s in ("ann", "bob", "cy", "di") for n in range(3)]
    wheres = [name.format(word=word, speaker=speaker, n=n) for word, speaker, n in told]
    samples = [
        Sample(where, where, where, "sound", word, None) for where, (word, _, _) in zip(wheres, told, strict=True)
    ]
    looks = {where: Look(9, "WAV", width=1, height=1) for where in wheres}
    schema = {"type": "choice", "classes": ["no", "up", "yes"]}
    none = Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, bool))
    (fault,) = group_faults(View.of(samples, looks, schema), none)
    assert fault.fix is not None
    keys = [re.search(str(fault.fix.value), where) for where in wheres]
    assert [key.group(1) for key in keys if key] == [speaker for _, speaker, _ in told]
    kept = {sample.id: ("test" if "ann" in sample.where else "train") for sample in samples}
    assert group_faults(View.of(samples, looks, schema, kept), none) == []  # type: ignore[arg-type]
    pictures = [replace(sample, kind="image") for sample in samples]
    assert group_faults(View.of(pictures, looks, schema), none) == []


def test_names_tell_the_rest_of_a_scene() -> None:
    """Two shots of each tile look alike, the third was lit otherwise."""
    view, pairs = bursts(20, 3)
    first = pairs.b % 3 == 1
    (fault,) = group_faults(view, Pairs(pairs.a[first], pairs.b[first], pairs.detail[first], pairs.copy[first]))
    assert len(fault.paths) == 60
    assert "by the names 20 groups of 60 files" in fault.message


def test_declared_groups_are_no_fault() -> None:
    assert group_faults(*bursts(20, 3, group=True)) == []


def test_a_few_alike_pictures_are_no_sign_of_groups() -> None:
    view, pairs = bursts(60, 1)
    few = Pairs(np.array([0]), np.array([1]), np.array([0.9]), np.array([False]))
    assert group_faults(view, few) == []
    assert group_faults(view, pairs) == []


def test_scenes_that_the_folder_s_own_splits_keep_together_are_no_fault() -> None:
    view, pairs = bursts(20, 3)
    apart = tuple("train" if row < 30 else "test" for row in range(60))
    assert group_faults(replace(view, splits=apart), pairs) == []
    torn = tuple("train" if row % 3 else "test" for row in range(60))
    (fault,) = group_faults(replace(view, splits=torn), pairs)
    assert "they lie in more than one split" in fault.message


def tracks(is_alike: bool, declared: bool = False) -> View:
    """Five frames each of thirty tracks, the file's number last; only frames of one track share its light and shade."""
    rng = np.random.default_rng(0)
    samples, looks = [], {}
    for track in range(30):
        own = rng.integers(0, 255, (32, 32, 3))
        for frame in range(5):
            picture = 0.6 * (own if is_alike else rng.integers(0, 255, own.shape)) + rng.uniform(0, 90, own.shape)
            where = f"{'ab'[track % 2]}/track{track:03}_{frame}.png"
            split = "train" if frame else "test"
            group = f"track{track}" if declared else None
            samples.append(Sample(where, where, where, "image", "ab"[track % 2], group, split))
            looks[where] = Look(900, "PNG", width=64, height=64, contrast=0.2, thumbnail=picture.astype(np.uint8))
    return View.of(samples, looks, {"classes": ("a", "b")})


def test_one_group_under_two_names_is_named_where_they_lie_apart() -> None:
    def view(second: str, split: Split) -> View:
        groups = ["P123"] * 4 + [second] * 4 + ["P7"] * 4
        splits: list[Split] = ["train"] * 4 + [split] * 4 + ["test"] * 4
        samples = [
            Sample(f"{k}", f"{k}.png", f"{k}", "image", "ok", group, place)
            for k, (group, place) in enumerate(zip(groups, splits, strict=True))
        ]
        return View.of(samples, {})

    nothing = Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, bool))
    (fault,) = group_faults(view("p0123", "test"), nothing)
    assert fault.code == "groups_alike"
    assert len(fault.paths) == 8
    assert group_faults(view("p0123", "train"), nothing) == []
    assert group_faults(view("P1230", "test"), nothing) == []


def test_names_that_tell_tracks_are_believed_where_frames_of_a_track_are_alike() -> None:
    nothing = Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, bool))
    (fault,) = group_faults(tracks(is_alike=True), nothing)
    assert fault.code == "undeclared_groups"
    assert len(fault.paths) == 150
    assert "30 of them are in more than one split" in fault.message
    assert group_faults(tracks(is_alike=False), nothing) == []
    assert [fault.code for fault in group_faults(tracks(True, declared=True), nothing)] == ["group_across_splits"]


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


def test_shots_seconds_apart_are_groups_though_no_name_says_so() -> None:
    nothing = Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, bool))

    def unnamed(is_alike: bool) -> View:
        """The same under running numbers in no order, each track within a quarter of a minute."""
        view = tracks(is_alike)
        numbers = np.random.default_rng(1).permutation(len(view))
        named = [replace(one, where=f"a/img{number}.png") for one, number in zip(view.samples, numbers, strict=True)]
        times = [1.7e9 + 300 * (row // 5) + 3 * (row % 5) for row in range(len(view))]
        return replace(view, samples=tuple(named), times=tuple(times))

    (fault,) = group_faults(unnamed(True), nothing)
    assert fault.code == "undeclared_groups"
    assert fault.message.startswith("by the clock there are 30 groups")
    assert group_faults(unnamed(False), nothing) == []
