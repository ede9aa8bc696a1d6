"""Labels: what is missing, uneven, unknown or probably wrong; and silence where the probe has no skill."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from snowroll.base.nouns import Fault, Sample, Split
from snowroll.prepare.check import check
from snowroll.prepare.look import Look
from snowroll.prepare.meanings import meaning_faults
from snowroll.prepare.probe import likeness, out_of_fold
from snowroll.prepare.suspects import suspect_faults, wrong_probability
from snowroll.prepare.view import View


def labelled(counts: dict[str, int], classes: tuple[str, ...]) -> View:
    targets = [label for label, n in counts.items() for _ in range(n)]
    samples = [Sample(f"id{k}", f"{t}/{k}.jpg", f"content{k}", "image", t) for k, t in enumerate(targets)]
    return View.of(samples, {}, {"classes": classes})


@pytest.mark.parametrize(
    ("counts", "classes", "codes"),
    [
        ({"cat": 30, "dog": 30}, ("cat", "dog"), set()),
        ({"cat": 30}, ("cat",), {"one_class"}),
        ({"cat": 30, "dog": 12, "dgo": 1}, ("cat", "dog"), {"unknown_label"}),
        ({"cat": 30, "dog": 4}, ("cat", "dog"), {"few_in_class"}),
        ({"cat": 300, "dog": 15}, ("cat", "dog"), {"class_imbalance"}),
    ],
)
def test_a_planted_label_fault_is_named_and_no_other(
    counts: dict[str, int], classes: tuple[str, ...], codes: set[str]
) -> None:
    faults = check(labelled(counts, classes))
    assert {fault.code for fault in faults} == codes
    assert all((fault.severity == "block") == (fault.code in ("one_class", "unknown_label")) for fault in faults)


def flipped(seed: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    digits = load_digits()
    rng = np.random.default_rng(seed)
    labels = digits.target.copy()
    rows = rng.choice(len(labels), round(share * len(labels)), replace=False)
    labels[rows] = (labels[rows] + rng.integers(1, 10, len(rows))) % 10
    return digits.data / 16, labels, labels != digits.target


def probe(features: np.ndarray, labels: np.ndarray, together: np.ndarray, seed: int = 0) -> np.ndarray:
    return out_of_fold(likeness(len(features), [features], seed), labels, together, int(labels.max()) + 1, seed)


def judged(features: np.ndarray, labels: np.ndarray, together: np.ndarray, seed: int = 0) -> np.ndarray:
    return wrong_probability(probe(features, labels, together, seed), labels, seed)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_digits_are_suspected_and_hardly_any_other(seed: int) -> None:
    features, labels, wrong = flipped(seed, 0.03)
    probability = judged(features, labels, np.arange(len(labels)), seed)
    suspected = probability >= 0.5
    assert wrong[suspected].mean() >= 0.9
    assert suspected[wrong].mean() >= 0.6


@pytest.mark.parametrize("share", [0.08, 0.15, 0.25])
def test_many_wrong_labels_are_found_too(share: float) -> None:
    features, labels, wrong = flipped(3, share)
    told = judged(features, labels, np.arange(len(labels))) >= 0.5
    assert told[wrong].mean() > 0.7
    assert wrong[told].mean() > 0.9


def test_clean_digits_are_hardly_suspected() -> None:
    features, labels, _ = flipped(0, 0.0)
    probability = judged(features, labels, np.arange(len(labels)))
    assert (probability >= 0.5).mean() <= 0.01


def test_a_probe_without_skill_is_silent() -> None:
    rng = np.random.default_rng(0)
    probability = judged(rng.normal(size=(500, 20)), rng.integers(0, 5, 500), np.arange(500))
    assert probability.max() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.03, 0.1, 0.2])
def test_a_probability_is_what_it_says(share: float) -> None:
    """Of the labels that are reported, as many are wrong as their probabilities say, or a few more."""
    told, true = [], []
    for seed in range(3):
        features, labels, wrong = flipped(seed, share)
        probability = judged(features, labels, np.arange(len(labels)), seed)
        told += probability[probability >= 0.5].tolist()
        true += wrong[probability >= 0.5].tolist()
    assert np.mean(told) - 0.1 < np.mean(true)
    assert len(told) >= 0.5 * share * 3 * 1797


def test_copies_do_not_vouch_for_a_wrong_label() -> None:
    """Every sample twice, both with the same label: out of fold only if the pair stays together."""
    features, labels, wrong = flipped(1, 0.03)
    twice, labels2, wrong2 = np.repeat(features, 2, axis=0), np.repeat(labels, 2), np.repeat(wrong, 2)
    together = np.repeat(np.arange(len(labels)), 2)
    probability = judged(twice, labels2, together)
    assert (probability[wrong2] >= 0.5).mean() >= 0.6


def test_suspects_are_ranked_and_named() -> None:
    features, labels, wrong = flipped(2, 0.03)
    samples = [Sample(f"i{k}", f"{t}/{k}.png", f"c{k}", "image", str(t)) for k, t in enumerate(labels)]
    sure = np.exp(8 * probe(features, labels, np.arange(len(labels))))
    opinions = sure / sure.sum(axis=1, keepdims=True)
    view = View.of(samples, {}, {"classes": tuple("0123456789")}, opinions=opinions)
    (fault,) = [fault for fault in check(view) if fault.code == "suspect_labels"]
    assert fault.severity == "warn"
    hits = [wrong[int(sample[1:])] for sample in fault.samples]
    assert np.mean(hits[: len(hits) // 2]) >= 0.95
    assert fault.confidence >= 0.8


def with_swapped(each: int) -> tuple[dict[str, Fault], list[int]]:
    """The faults found where so many of each of two classes were given to the other; and their rows."""
    digits = load_digits()
    features, labels = digits.data[:500] / 16, digits.target[:500].copy()
    swapped = np.flatnonzero(labels == 3)[:each].tolist() + np.flatnonzero(labels == 5)[:each].tolist()
    labels[swapped] = 8 - labels[swapped]
    sure = np.exp(8 * probe(features, labels, np.arange(500)))
    samples = [Sample(f"i{k}", f"{t}/{k}.png", f"c{k}", "image", str(t)) for k, t in enumerate(labels)]
    view = View.of(samples, {}, {"classes": tuple("0123456789")}, opinions=sure / sure.sum(axis=1, keepdims=True))
    return codes(view), swapped


@pytest.mark.parametrize("each", [1, 4])
def test_labels_are_more_only_where_others_are_told_of_before(each: int) -> None:
    found, _ = with_swapped(each)
    assert ("suspect_labels" in found) == (each == 4)
    assert ("more label" in found["doubted_labels"].message) == (each == 4)


def test_a_few_labels_of_one_class_given_to_another_are_worth_a_look() -> None:
    """Two classes swapped in one delivery: too few and too alike to be proved, and yet the first of those doubted."""
    found, swapped = with_swapped(4)
    told = [name for code in ("suspect_labels", "doubted_labels") if code in found for name in found[code].samples]
    assert len({f"i{row}" for row in swapped} & set(told)) >= 6
    assert len(told) <= 20
    assert found["doubted_labels"].severity == "note"


def filed(wheres: list[tuple[str, str]], written: dict[str, float] | None = None) -> View:
    """Samples as (where, label)."""
    samples = [Sample(where, where, where, "image", label) for where, label in wheres]
    return View.of(samples, {}, {"classes": tuple(sorted({label for _, label in wheres}))}, written=written)


def codes(view: View) -> dict[str, Fault]:
    return {fault.code: fault for fault in check(view)}


def test_one_label_for_a_stretch_of_time_is_named_where_labels_take_turns() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(["cat", "cow", "dog"], 120).tolist()
    turns = [(f"{label}/{k}.jpg", label) for k, label in enumerate(labels)]
    at = {where: 1e9 + 60.0 * k for k, (where, _) in enumerate(turns)}
    assert "label_stuck" not in codes(filed(turns, at))
    labels[50:66] = ["dog"] * 16
    stuck = [(f"{label}/{k}.jpg", label) for k, label in enumerate(labels)]
    at = {where: 1e9 + 60.0 * k for k, (where, _) in enumerate(stuck)}
    found = codes(filed(stuck, at))["label_stuck"]
    assert {f"dog/{k}.jpg" for k in range(50, 66)} <= set(found.paths)
    assert "label_stuck" not in codes(filed(stuck, dict.fromkeys(at, 1e9)))  # unpacked at once
    by_class = sorted(stuck, key=lambda pair: pair[1])
    assert "label_stuck" not in codes(filed(by_class, {where: 1e9 + k for k, (where, _) in enumerate(by_class)}))


@pytest.mark.parametrize(
    ("moved", "severity", "words"),
    [("cat/2024", "note", "'cat' (10)"), ("cat/cat", "note", "'cat' (10)"), ("cat/dog", "warn", "called 'dog'")],
)
def test_samples_a_level_below_their_class_are_named(moved: str, severity: str, words: str) -> None:
    flat = [(label, k) for label in ("cat", "dog") for k in range(20)]
    assert "mixed_depths" not in codes(filed([(f"{label}/{k}.jpg", label) for label, k in flat]))
    assert "mixed_depths" not in codes(filed([(f"{label}/2024/{k}.jpg", label) for label, k in flat]))
    home = {(label, k): moved if label == "cat" and k < 10 else label for label, k in flat}
    found = codes(filed([(f"{home[label, k]}/{k}.jpg", label) for label, k in flat]))
    assert found["mixed_depths"].severity == severity
    assert words in found["mixed_depths"].message
    assert len(found["mixed_depths"].paths) == 10


def test_a_class_written_as_a_fraction_is_the_same_class() -> None:
    rows = [(f"{k}.png", str(k % 3)) for k in range(90)] + [(f"x{k}.png", f"{k % 3}.0") for k in range(12)]
    assert "labels_alike" not in codes(filed([(f"{k}.png", f"1234567{k % 3}") for k in range(90)]))
    assert codes(filed(rows))["labels_alike"].message.startswith("'2' (30) and '2.0' (4)")


@pytest.mark.parametrize(
    ("one", "other"),
    [("<=50K", ">50K"), ("<5", ">5"), ("-1", "1"), ("A+", "A-"), ("A", "A-"), ("1.5", "15"), ("10-19", "1019")],
)
def test_classes_that_differ_by_a_sign_are_two(one: str, other: str) -> None:
    rows = [(f"{k}.png", one) for k in range(30)] + [(f"x{k}.png", other) for k in range(12)]
    assert "labels_alike" not in codes(filed(rows))


def test_a_rare_class_of_another_comparison_is_no_slip() -> None:
    rows = [(f"{k}.png", "income<=50K") for k in range(200)] + [(f"x{k}.png", "income>=50K") for k in range(12)]
    assert "labels_alike" not in codes(filed(rows))
    dotted = [(f"{k}.png", "<=50K") for k in range(30)] + [(f"x{k}.png", "<=50K.") for k in range(12)]
    assert "labels_alike" in codes(filed(dotted))


def test_a_class_that_is_missing_from_validation_is_named_unless_it_is_rare() -> None:
    def view(rare: int) -> View:
        labels = ["a"] * 60 + ["b"] * rare
        samples = [
            Sample(f"{k}", f"{k}.jpg", f"{k}", "image", label, None, "val" if label == "a" and k < 20 else "train")
            for k, label in enumerate(labels)
        ]
        return View.of(samples, {}, {"classes": ("a", "b")})

    assert "never used to choose" in codes(view(40))["class_in_one_split"].message
    assert "class_in_one_split" not in codes(view(5))


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"Cat": 30, "cat ": 20, "dog": 30}, True),
        ({"cardboard": 200, "cardbaord": 12, "glass": 200}, True),
        ({"class1": 200, "class2": 12, "glass": 200}, False),
        ({"horse": 200, "house": 190, "glass": 200}, False),
    ],
)
def test_a_class_spelt_twice_is_named(counts: dict[str, int], found: bool) -> None:
    faults = check(labelled(counts, tuple(sorted(counts))))
    assert ("class_names_alike" in {fault.code for fault in faults}) == found


def test_a_class_that_is_judged_on_and_never_learnt_is_named() -> None:
    view = labelled({"cat": 30, "dog": 30}, ("cat", "dog"))
    splits = tuple("train" if k % 3 else "test" for k in range(60))
    assert not [fault for fault in check(replace(view, splits=splits)) if fault.code == "class_in_one_split"]
    splits = tuple("test" if k < 30 else "train" for k in range(60))
    named = [fault.message for fault in check(replace(view, splits=splits)) if fault.code == "class_in_one_split"]
    assert len(named) == 2
    assert "'cat' is judged on and never learnt from" in named[0]


def pictured(labels: np.ndarray, splits: Sequence[Split | None], names: Sequence[str]) -> View:
    """The digits as pictures of their thumbnails alone, under the names given."""
    digits = load_digits().images[: len(labels)]
    grey = np.kron(np.rint(digits * 15.9), np.ones((1, 4, 4))).astype(np.uint8)
    looks = {f"i{k}": Look(9, "PNG", width=8, height=8, thumbnail=np.stack([one] * 3, 2)) for k, one in enumerate(grey)}
    samples = [
        Sample(f"i{k}", name, f"c{k}", "image", str(label), split=split)
        for k, (name, label, split) in enumerate(zip(names, labels, splits, strict=True))
    ]
    return View.of(samples, looks, {"classes": tuple("0123456789")})


def test_classes_that_are_swapped_in_one_split_are_told_and_a_sound_split_is_not() -> None:
    truth = load_digits().target[:600]
    splits: list[Split | None] = ["train" if k % 4 else "test" for k in range(600)]
    names = [f"{split}/{k}.png" for k, split in enumerate(splits)]
    assert list(meaning_faults(pictured(truth, splits, names))) == []
    held = np.array([split == "test" for split in splits])
    swapped = held & np.isin(truth, (3, 5))
    faults = list(meaning_faults(pictured(np.where(swapped, 8 - truth, truth), splits, names)))
    assert {fault.code for fault in faults} == {"classes_renamed"}
    assert len(faults) == 2
    told = {int(one[1:]) for fault in faults for one in fault.samples}
    assert told == set(np.flatnonzero(swapped).tolist())  # those, too, that look like their name


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0, 4, 9])
@pytest.mark.parametrize("where", ["train", "test"])
def test_a_class_that_one_split_lacks_is_told_as_that(missing: int, where: Split) -> None:
    truth = load_digits().target[:600]
    splits: list[Split | None] = ["train" if k % 4 else "test" for k in range(600)]
    splits = [other_of(where) if label == missing else split for label, split in zip(truth, splits, strict=True)]
    view = pictured(truth, splits, [f"{k}.png" for k in range(600)])
    assert list(meaning_faults(view)) == []
    assert "class_in_one_split" in codes(view)


def other_of(split: Split) -> Split:
    return "test" if split == "train" else "train"


@pytest.mark.slow
def test_a_group_under_one_wrong_label_does_not_vouch_for_itself() -> None:
    """Five of a kind under one wrong label each time: judged as one, and all of it is named."""
    truth = load_digits().target[:600]
    of_class = [np.flatnonzero(truth == k) for k in range(10)]
    groups = [rows[start : start + 5].tolist() for rows in of_class for start in range(0, len(rows), 5)]
    labels = truth.copy()
    for group in groups[::12]:
        labels[group] = (truth[group[0]] + 3) % 10
    view = pictured(labels, [None] * 600, [f"{k}.png" for k in range(600)])
    (suspects,) = [fault for fault in suspect_faults(view, groups) if fault.code == "suspect_labels"]
    told = {int(one[1:]) for one in suspects.samples}
    wrong = set(np.flatnonzero(labels != truth).tolist())
    assert len(told & wrong) > 0.8 * len(wrong)
    assert len(told - wrong) <= 0.02 * 600
