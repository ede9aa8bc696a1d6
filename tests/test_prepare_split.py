"""Splits: groups stay whole, shares are kept, nothing old ever moves."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Item, Sample, Split
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split import assign, folds


def sample(
    number: int,
    target: str | None = "a",
    group: str | None = None,
    split: Split | None = None,
    content: str = "",
    origin: str = "collected",
) -> Sample:
    content = content or f"c{number}"
    return Sample(f"s{number}", f"{number}.jpg", content, "image", target, group, split, origin)  # type: ignore[arg-type]


def split(
    samples: Sequence[Sample], before: Mapping[str, Split] | None = None, **options: float
) -> tuple[dict[str, Item], list[str]]:
    targets = [s.target if s.target is not None else ("a" if s.origin == "production" else None) for s in samples]
    strata = [str(target) for target in targets]
    chosen = PrepareSettings(**options)  # type: ignore[arg-type]
    items, words = assign(samples, targets, strata, chosen, before)
    return {item.sample: item for item in items}, words


def places(items: dict[str, Item]) -> dict[str, Split]:
    return {name: item.split for name, item in items.items()}


POPULATION = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([None, "g1", "g2", "g3", "g4", "g5"]), st.integers(0, 60)),
    min_size=1,
    max_size=80,
).map(lambda rows: [sample(i, t, g, content=f"c{c}" if c < 10 else "") for i, (t, g, c) in enumerate(rows)])


@given(POPULATION, st.integers(0, 3), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_groups_and_copies_stay_whole_and_the_order_of_the_samples_does_not_matter(
    samples: list[Sample], seed: int, random: object
) -> None:
    items, _ = split(samples, seed=seed)
    assert len(items) == len(samples)
    by_group: dict[str, set[str]] = defaultdict(set)
    for s in samples:
        by_group[f"content {s.content}"].add(items[s.id].split)
        if s.group:
            by_group[f"group {s.group}"].add(items[s.id].split)
    assert all(len(found) == 1 for found in by_group.values())
    shuffled = list(samples)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert split(shuffled, seed=seed)[0] == items


@given(POPULATION, POPULATION)
@settings(max_examples=100)
def test_nothing_old_moves_when_data_is_added(old: list[Sample], new: list[Sample]) -> None:
    before, _ = split(old)
    grown = old + [replace(s, id=f"new{s.id}", where=f"new{s.where}") for s in new]
    after, words = split(grown, places(before))
    assert {name: after[name].split for name in before} == places(before)
    assert any("keep the split" in line for line in words)
    joined = {s.group: before[s.id].split for s in old if s.group}
    for s in grown[len(old) :]:
        if s.group in joined and not any(o.content == s.content for o in old):
            contents = {other.content for other in grown if other.group == s.group}
            bridged = {other.group for other in grown if other.content in contents} != {s.group}
            if not bridged:
                assert after[s.id].split == joined[s.group]


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("group_of", [1, 3])
def test_every_class_is_near_its_shares(n: int, group_of: int) -> None:
    samples = [sample(i, "ab"[i // group_of % 2], f"g{i // group_of}" if group_of > 1 else None) for i in range(n)]
    items, words = split(samples, test=0.25, val=0.15)
    for target in "ab":
        counts = Counter(item.split for item in items.values() if item.target == target)
        total = sum(counts.values())
        assert abs(counts["test"] - 0.25 * total) <= group_of
        assert abs(counts["val"] - 0.15 * total) <= group_of
    assert words[0].startswith(f"{n:,} samples")


def test_another_seed_is_another_draw_and_test_is_not_the_first_files() -> None:
    samples = [sample(i) for i in range(200)]
    first, second = places(split(samples)[0]), places(split(samples, seed=1)[0])
    assert first != second
    assert 5 < sum(first[f"s{i}"] == "test" for i in range(100)) < 35


@pytest.mark.parametrize(
    ("n", "want"),
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (2, 0, 1)), (4, (2, 1, 1)), (5, (3, 1, 1)), (10, (7, 1, 2)), (20, (14, 2, 4))],
)
def test_small_classes(n: int, want: tuple[int, int, int]) -> None:
    others = [sample(1000 + i, "big") for i in range(100)]
    items, _ = split([sample(i, "small") for i in range(n)] + others)
    counts = Counter(item.split for item in items.values() if item.target == "small")
    assert (counts["train"], counts["val"], counts["test"]) == want


def test_a_class_of_two_groups_is_learnt_and_measured() -> None:
    samples = [sample(i, "rare", f"r{i // 40}") for i in range(80)] + [sample(100 + i, "b") for i in range(300)]
    items, _ = split(samples)
    assert {item.split for item in items.values() if item.target == "rare"} == {"train", "test"}


def test_a_declared_test_split_is_locked_and_validation_carved_from_train() -> None:
    samples = [sample(i, "ab"[i % 2], split="test" if i < 40 else "train") for i in range(240)]
    items, words = split(samples)
    assert {name for name, place in places(items).items() if place == "test"} == {f"s{i}" for i in range(40)}
    assert Counter(places(items).values()) == {"test": 40, "train": 180, "val": 20}
    assert any("declares a test split: its 40 samples are locked" in line for line in words)


def test_a_declared_val_without_test_becomes_the_locked_test() -> None:
    samples = [sample(i, split="val" if i < 40 else "train") for i in range(240)]
    items, words = split(samples)
    assert {name for name, place in places(items).items() if place == "test"} == {f"s{i}" for i in range(40)}
    assert Counter(places(items).values())["val"] == 20
    assert any("its 40 samples are the locked test set" in line for line in words)


def test_three_declared_splits_are_kept_as_they_are() -> None:
    named: list[Split] = ["train", "val", "test"]
    samples = [sample(i, split=named[i % 3]) for i in range(30)]
    assert places(split(samples)[0]) == {f"s{i}": named[i % 3] for i in range(30)}


def test_a_lone_declared_split_leaves_something_to_learn_from() -> None:
    for lone in ("train", "test", "val"):
        items, _ = split([sample(i, split=lone) for i in range(100)])  # type: ignore[arg-type]
        assert Counter(places(items).values()) == {"train": 70, "test": 20, "val": 10}


def test_a_group_over_two_declared_splits_goes_to_the_test_and_it_is_said() -> None:
    samples = [sample(i, group=f"g{i % 10}", split="test" if i in (0, 1, 12) else "train") for i in range(50)]
    items, words = split(samples)
    for s in samples:
        assert (items[s.id].split == "test") == (s.group in ("g0", "g1", "g2"))
    assert any(line.startswith("3 groups or copies lie in more than one declared split") for line in words)


def test_what_was_chosen_for_labelling_never_enters_the_test() -> None:
    old = [sample(i) for i in range(100)]
    before = places(split(old)[0])
    mined = [sample(200 + i, None, origin="production") for i in range(100)]
    drawn = [sample(400 + i, None, split="test", origin="production") for i in range(10)]
    learnt = [sample(500 + i, None, split="train", origin="production") for i in range(10)]
    items, words = split(old + mined + drawn + learnt, before)
    assert all(items[s.id].split == "train" for s in learnt)
    assert not any(items[s.id].split == "test" for s in mined)
    assert all(items[s.id].split == "test" for s in drawn)
    assert any("100 samples were chosen for labelling" in line for line in words)


def test_what_people_drew_for_the_test_stays_there_where_production_alone_is_learnt_from() -> None:
    drawn = [sample(k, None, split="test") for k in range(10)]
    mined = [sample(100 + k, None, split="train", origin="production") for k in range(20)]
    items, _ = assign([*drawn, *mined], ["a"] * 30, ["a"] * 30, PrepareSettings())
    assert [item.sample for item in items if item.split == "test"] == [one.id for one in drawn]


def test_a_random_test_sample_whose_group_is_learnt_from_does_not_leak() -> None:
    old = [sample(i, group=f"g{i}") for i in range(30)]
    before, _ = split(old)
    learnt = next(item.group for item in before.values() if item.split == "train")
    late = sample(99, None, learnt, "test", origin="production")
    items, _ = split([*old, late], places(before))
    assert items["s99"].split == "train"


def test_unlabelled_samples_are_no_items() -> None:
    items, _ = split([sample(0), sample(1, None), sample(2)])
    assert set(items) == {"s0", "s2"}


@pytest.mark.parametrize(
    ("test", "val", "told"),
    [
        (0.6, 0.4, "leave nothing to learn from"),
        (1.0, 0.0, "leave nothing to learn from"),
        (-0.1, 0.1, "prepare.test: -0.1 is out of bounds"),
    ],
)
def test_impossible_shares_are_refused(test: float, val: float, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        split([sample(0)], test=test, val=val)


def test_no_test_asked_for_is_no_test() -> None:
    assert Counter(places(split([sample(i) for i in range(50)], test=0.0, val=0.0)[0]).values()) == {"train": 50}


@given(POPULATION, st.integers(2, 5), st.integers(0, 3))
@settings(max_examples=60)
def test_folds_keep_groups_whole_and_every_fold_is_used(samples: list[Sample], k: int, seed: int) -> None:
    items = [Item(s.id, s.target, "train", s.group) for s in samples]
    strata = [str(s.target) for s in samples]
    groups = {item.group or item.sample for item in items}
    if len(groups) < k:
        with pytest.raises(UsageError, match="folds over"):
            folds(items, k, strata, seed)
        return
    done = folds(items, k, strata, seed)
    assert {item.fold for item in done} == set(range(k))
    assert all(len({d.fold for d in done if d.group == g}) == 1 for g in {d.group for d in done if d.group})
    assert [replace(item, fold=None) for item in done] == items


@given(POPULATION, st.integers(2, 4))
@settings(max_examples=60)
def test_copies_share_a_fold_with_the_groups_they_join(samples: list[Sample], k: int) -> None:
    items = [Item(s.id, s.target, "train", s.group) for s in samples]
    contents = [s.content for s in samples]
    try:
        done = folds(items, k, [str(s.target) for s in samples], 0, contents)
    except UsageError:
        return
    for names in (contents, [item.group or item.sample for item in items]):
        homes = {(name, item.fold) for name, item in zip(names, done, strict=True)}
        assert len(homes) == len(set(names))


def test_folds_are_stratified() -> None:
    items = [Item(f"s{i}", "ab"[i % 5 == 0], "train") for i in range(500)]
    done = folds(items, 5, [str(item.target) for item in items], 0)
    counts = Counter((item.fold, item.target) for item in done)
    assert {counts[fold, "b"] for fold in range(5)} == {20}
    assert {counts[fold, "a"] for fold in range(5)} == {80}
